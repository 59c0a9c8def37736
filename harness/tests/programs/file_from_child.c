/* A file is read after waiting for the child that writes it; where it is called with an argument, after a sleep that is thought to be long enough. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    (void)argv;
    if (fork() == 0) {
        int file = open("file", O_CREAT | O_WRONLY, 0600);
        _exit(write(file, "hi", 2) != 2);
    }
    if (argc > 1) sleep(1);
    else wait(0);
    char text[3] = {0};
    int file = open("file", O_RDONLY);
    int length = file < 0 ? -1 : (int)read(file, text, 2);
    dprintf(1, "%d %s\n", length, text);
    if (argc > 1) wait(0);
    return 0;
}
