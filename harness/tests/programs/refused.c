/* Sends what the kernel refuses, and says what it answered; then one datagram to a port where nobody is, and whether the socket has a port of its own now. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char *refused(int result)
{
    return result != -1 ? "sent" : errno == EMSGSIZE ? "EMSGSIZE" : errno == EDESTADDRREQ ? "EDESTADDRREQ" : "another error";
}

int main(void)
{
    static char long_one[70000];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, own;
    socklen_t length = sizeof own;
    int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    printf("%s ", refused(sendto(descriptor, long_one, sizeof long_one, 0, (struct sockaddr *) &to, sizeof to)));
    printf("%s ", refused(send(descriptor, "x", 1, 0)));
    sendto(descriptor, "x", 1, 0, (struct sockaddr *) &to, sizeof to);
    getsockname(descriptor, (struct sockaddr *) &own, &length);
    printf("%s\n", own.sin_port ? "named" : "without a port");
    return 0;
}
