/*
 * A question and its answer over a network that loses, doubles and delays: one process is the server, its child the client.
 *
 * ask_again HOW SOCKETS
 *   HOW: well       the client asks again, and tells answers apart by number
 *        once       it asks once and waits for ever
 *        any        it takes whatever comes for the answer to its latest question
 *        no-memory  the server counts a question that comes again as a new one
 *   SOCKETS: udp, or local (two connected local sockets), or write (UDP sockets that are connected, and written to)
 *
 * The client asks three questions, 'a', 'b' and 'c', and prints each answer: the letter, and how many different questions the server has had.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int must(int result)
{
    if (result == -1) {
        perror("ask_again");
        exit(9);
    }
    return result;
}

static int udp(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int descriptor = must(socket(AF_INET, SOCK_DGRAM, 0));
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(bind(descriptor, (struct sockaddr *) address, length));
    must(getsockname(descriptor, (struct sockaddr *) address, &length));
    return descriptor;
}

static void serve(int descriptor, int local, int forgetful)
{
    char last = 0, count = 0;
    for (;;) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        char letter;
        must(recvfrom(descriptor, &letter, 1, 0, local ? NULL : (struct sockaddr *) &from, local ? NULL : &length));
        if (letter == '.')
            return;
        if (letter > last || forgetful)
            count++;
        if (letter > last)
            last = letter;
        char answer[2] = {letter, count};
        if (local)
            must(send(descriptor, answer, 2, 0));
        else
            must(sendto(descriptor, answer, 2, 0, (struct sockaddr *) &from, length));
    }
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "well", *sockets = argc > 2 ? argv[2] : "udp";
    int local = !strcmp(sockets, "local"), writes = !strcmp(sockets, "write"), pair[2] = {-1, -1};
    struct sockaddr_in to;
    if (local)
        must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    else
        pair[0] = udp(&to);
    if (must(fork()) != 0) {
        serve(pair[0], local, !strcmp(how, "no-memory"));
        must(wait(NULL));
        return 0;
    }
    int descriptor = local ? pair[1] : must(socket(AF_INET, SOCK_DGRAM, 0));
    if (writes)
        must(connect(descriptor, (struct sockaddr *) &to, sizeof to));
    for (char letter = 'a'; letter <= 'c'; letter++) {
        char answer[2];
        do {
            struct pollfd wait = {.fd = descriptor, .events = POLLIN};
            if (local)
                must(send(descriptor, &letter, 1, 0));
            else if (writes)
                must(write(descriptor, &letter, 1));
            else
                must(sendto(descriptor, &letter, 1, 0, (struct sockaddr *) &to, sizeof to));
            while (answer[0] = 0, must(poll(&wait, 1, strcmp(how, "once") ? 1000 : -1)) == 1) {
                must(recv(descriptor, answer, 2, 0));
                if (answer[0] == letter || !strcmp(how, "any"))
                    break;
            }
        } while (!answer[0]);
        printf("%c%d\n", answer[0], answer[1]);
    }
    fflush(stdout);
    if (local)
        must(send(descriptor, ".", 1, 0));
    else
        must(sendto(descriptor, ".", 1, 0, (struct sockaddr *) &to, sizeof to));
    return 0;
}
