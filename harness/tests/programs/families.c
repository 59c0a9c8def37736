/* Processes that end, or do not, in ways that a harness must cope with. The first argument says how. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child is dead, and seen to be, when the parent ends without having waited for it. */
static void zombie(void)
{
    siginfo_t info;
    if (fork() == 0)
        _exit(0);
    waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
}

static void reaped(void)
{
    if (fork() == 0)
        _exit(0);
    wait(NULL);
}

static void ignored(void)
{
    signal(SIGCHLD, SIG_IGN);
    if (fork() == 0)
        _exit(0);
    /* It returns once the child is gone; there is nothing to wait for. */
    wait(NULL);
}

/* A grandchild in a session of its own, which holds standard output open for ever. */
static void daemon_that_stays(void)
{
    int ready[2];
    char c = 0;
    if (pipe(ready) == -1)
        return;
    if (fork() == 0) {
        setsid();
        signal(SIGHUP, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        if (fork() == 0) {
            if (write(ready[1], &c, 1) == 1)
                for (;;)
                    pause();
        }
        _exit(0);
    }
    if (read(ready[0], &c, 1) == 1)
        wait(NULL);
}

static void bomb(void)
{
    for (;;)
        fork();
}

static void flood(void)
{
    static char block[65536];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 160; i++)
        if (write(1, block, sizeof block) != (ssize_t) sizeof block)
            return;
}

static void many_calls(void)
{
    for (int i = 0; i < 5000; i++)
        if (write(1, "x", 1) != 1)
            return;
}

/* Of two pipes exec closes one, in a child. */
static void executes(void)
{
    int kept[2], closed[2];
    if (pipe(kept) == -1 || pipe(closed) == -1)
        return;
    fcntl(closed[0], F_SETFD, FD_CLOEXEC);
    fcntl(closed[1], F_SETFD, FD_CLOEXEC);
    if (fork() == 0) {
        execl("/bin/sh", "sh", "-c", ":", (char *) NULL);
        _exit(1);
    }
    wait(NULL);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; void (*way)(void); } ways[] = {
        { "zombie", zombie }, { "reaped", reaped }, { "ignored", ignored }, { "daemon", daemon_that_stays },
        { "bomb", bomb }, { "flood", flood }, { "many_calls", many_calls }, { "executes", executes },
    };
    for (size_t i = 0; argc == 2 && i < sizeof ways / sizeof *ways; i++)
        if (strcmp(argv[1], ways[i].name) == 0) {
            ways[i].way();
            return 0;
        }
    return 2;
}
