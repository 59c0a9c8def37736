/* A SYN as it lies on the wire, read field by field: lengths in units of four bytes, numbers
 * with the most significant byte first. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

static const unsigned char packet[] = {
    /* IPv4 */
    0x45, 0x00, 0x00, 0x2c, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06,
    0x04, 0x70, 10, 0, 1, 11, 10, 0, 5, 12,
    /* TCP */
    0x9c, 0x40, 0x1b, 0x5f, 0x00, 0x00, 0x03, 0xe8, 0x00, 0x00,
    0x00, 0x00, 0x60, 0x02, 0xfa, 0xf0, 0x00, 0x00, 0x00, 0x00,
    0x02, 0x04, 0x05, 0xb4, /* option MSS: kind 2, length 4, 1460 */
};

int main(void)
{
    /* Copied, and not pointed to: a packet need not be aligned for the structures. */
    struct iphdr ip;
    memcpy(&ip, packet, sizeof ip);
    size_t ip_length = ip.ihl * 4u;
    struct tcphdr tcp;
    memcpy(&tcp, packet + ip_length, sizeof tcp);
    size_t tcp_length = tcp.th_off * 4u;
    printf("headers of %zu and %zu bytes, %zu bytes of data\n", ip_length, tcp_length,
           ntohs(ip.tot_len) - ip_length - tcp_length);

    char source[INET_ADDRSTRLEN], destination[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &ip.saddr, source, sizeof source);
    inet_ntop(AF_INET, &ip.daddr, destination, sizeof destination);
    printf("%s:%d > %s:%d, seq %u\n", source, ntohs(tcp.th_sport),
           destination, ntohs(tcp.th_dport), ntohl(tcp.th_seq));

    const struct {
        int bit;
        const char *name;
    } flags[] = {{TH_FIN, "FIN"}, {TH_SYN, "SYN"}, {TH_RST, "RST"}, 
                 {TH_PUSH, "PSH"}, {TH_ACK, "ACK"}, {TH_URG, "URG"}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (tcp.th_flags & flags[i].bit)
            printf("flag %s\n", flags[i].name);
    return 0;
}
