/* A byte string goes through a pipe from a child to its parent, with raw calls whose registers are looked at afterwards. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Says the result, and whether the registers of the arguments are as they were. */
static long transfer(const char *name, long number, long descriptor, char *buffer, long count)
{
    long a = descriptor, b = (long) buffer, c = count, result;
#if defined __x86_64__
    register long rdi __asm__("rdi") = a;
    register long rsi __asm__("rsi") = b;
    register long rdx __asm__("rdx") = c;
    __asm__ volatile("syscall" : "=a"(result), "+r"(rdi), "+r"(rsi), "+r"(rdx) : "0"(number) : "rcx", "r11", "memory");
    int intact = rdi == a && rsi == b && rdx == c;
#elif defined __aarch64__
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0), "+r"(x1), "+r"(x2) : "r"(x8) : "memory");
    result = x0;
    int intact = x1 == b && x2 == c;
#endif
    dprintf(1, "%s %ld, registers %s\n", name, result, intact ? "intact" : "changed");
    return result;
}

int main(void)
{
    static char text[] = "0123456789";
    char buffer[64];
    int ends[2], status;
    if (pipe(ends) == -1)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        for (long sent = 0, n; sent < 10; sent += n < 0 ? 0 : n)
            n = transfer("write", SYS_write, ends[1], text + sent, 10 - sent);
        _exit(0);
    }
    close(ends[1]);
    if (waitpid(child, &status, 0) != child)
        return 1;
    if (WIFSIGNALED(status))
        dprintf(1, "killed by %d\n", WTERMSIG(status));
    long got = 0, n;
    while ((n = transfer("read", SYS_read, ends[0], buffer + got, sizeof buffer - got)) != 0)
        got += n < 0 ? 0 : n;
    dprintf(1, "got %.*s\n", (int) got, buffer);
    return 0;
}
