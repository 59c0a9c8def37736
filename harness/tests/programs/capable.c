/* Prints the capabilities that it has, as /proc tells them, and whether it gets a packet socket. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    if (status == NULL)
        return 1;
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "CapEff:", 7) == 0 || strncmp(line, "CapPrm:", 7) == 0 || strncmp(line, "CapInh:", 7) == 0)
            printf("%s", line);
    puts(socket(AF_PACKET, SOCK_RAW, htons(3)) == -1 ? "no packet socket" : "a packet socket");
    return 0;
}
