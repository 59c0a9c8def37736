/* vfork twice: a child that executes, and one that ends at once. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    for (int i = 0; i < 2; i++) {
        pid_t child = vfork();
        if (child == 0) {
            if (i == 0)
                execl("/bin/true", "true", (char *) NULL);
            _exit(7);
        }
        int status;
        if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != (i == 0 ? 0 : 7))
            return 1;
    }
    return 0;
}
