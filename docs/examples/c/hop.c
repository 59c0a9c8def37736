/* What the router R3 does with a packet: the checksum is right, the longest prefix chooses
 * the way, the time to live goes down, the checksum is made anew. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A network and where its packets go. */
static const struct {
    uint32_t network;
    unsigned length;
    const char *way;
} routes[] = {
    {0x0a000000, 16, "to R2"},      /* 10.0.0.0/16: all of the figure */
    {0x0a000400, 24, "onto LAN D"}, /* 10.0.4.0/24: a neighbour */
    {0x0a000500, 24, "to R4"},      /* 10.0.5.0/24: LAN E */
};

/* The Internet checksum (RFC 1071): the complement of the sum of all 16-bit words, with
 * carries added back in. */
static uint16_t checksum(const unsigned char *header, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i += 2)
        sum += (uint32_t) header[i] << 8 | header[i + 1];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~sum;
}

int main(void)
{
    /* From A1, 10.0.1.11, to E2, 10.0.5.12: TCP, two routers behind it. */
    unsigned char header[] = {0x45, 0x00, 0x00, 0x2c, 0x1c, 0x46, 0x40, 0x00, 62, 0x06,
                              0x06, 0x70, 10,   0,    1,    11,   10,   0,    5,  12};
    /* Summed with the checksum in it, a header that has arrived unharmed gives 0. */
    printf("ttl %d, check 0x%04x\n", header[8], checksum(header, sizeof header));

    uint32_t destination = (uint32_t) header[16] << 24 | (uint32_t) header[17] << 16 |
                           (uint32_t) header[18] << 8 | header[19];
    int best = -1;
    for (int i = 0; i < 3; i++) {
        uint32_t mask = routes[i].length == 0 ? 0 : UINT32_MAX << (32 - routes[i].length);
        int longer = best == -1 || routes[i].length > routes[best].length;
        if ((destination & mask) == routes[i].network && longer)
            best = i;
    }
    if (best != -1)
        printf("by the prefix of %u bits: %s\n", routes[best].length, routes[best].way);

    /* at 0 the packet would go no further, and its sender would be told (ICMP, time exceeded)
     * */
    header[8]--;
    header[10] = header[11] = 0;
    uint16_t new = checksum(header, sizeof header);
    header[10] = (unsigned char) (new >> 8);
    header[11] = (unsigned char) new;
    printf("ttl %d, checksum 0x%04x, check 0x%04x\n", header[8], new,
           checksum(header, sizeof header));
    return 0;
}
