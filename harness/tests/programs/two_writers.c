/* A parent and its child each write one letter to a pipe; which comes first is open. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int ends[2];
    char letters[3] = "";
    if (pipe(ends) == -1)
        return 1;
    pid_t child = fork();
    if (child == 0)
        _exit(write(ends[1], "c", 1) != 1);
    if (write(ends[1], "p", 1) != 1 || wait(NULL) != child || read(ends[0], letters, 2) != 2)
        return 1;
    puts(letters);
    return 0;
}
