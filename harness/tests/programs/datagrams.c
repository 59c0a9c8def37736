/* Sends each datagram back to where it came from, until a word of four bytes comes: "stop". */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int must(int result)
{
    if (result == -1) {
        perror("datagrams");
        exit(9);
    }
    return result;
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    char buffer[65536];
    int descriptor = must(socket(AF_INET, SOCK_DGRAM, 0));
    must(bind(descriptor, (struct sockaddr *) &address, sizeof address));
    must(getsockname(descriptor, (struct sockaddr *) &address, &length));
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        length = sizeof address;
        int count = must(recvfrom(descriptor, buffer, sizeof buffer, 0, (struct sockaddr *) &address, &length));
        if (count == 4 && memcmp(buffer, "stop", 4) == 0)
            return 0;
        must(sendto(descriptor, buffer, count, 0, (struct sockaddr *) &address, length));
    }
}
