//! What the router R3 does with a packet: the checksum is right, the longest prefix chooses
//! the way, the time to live goes down, the checksum is made anew.

/// A network and where its packets go: (address, prefix length, way).
const ROUTES: [(u32, u32, &str); 3] = [
    (u32::from_be_bytes([10, 0, 0, 0]), 16, "to R2"), // 10.0.0.0/16: all of the figure
    (u32::from_be_bytes([10, 0, 4, 0]), 24, "onto LAN D"), // 10.0.4.0/24: a neighbour
    (u32::from_be_bytes([10, 0, 5, 0]), 24, "to R4"), // 10.0.5.0/24: LAN E
];

fn main() {
    // From A1, 10.0.1.11, to E2, 10.0.5.12: TCP, two routers behind it.
    let mut header = [
        0x45, 0x00, 0x00, 0x2c, 0x1c, 0x46, 0x40, 0x00, 62, 0x06, 0x06, 0x70, 10, 0, 1, 11, 10,
        0, 5, 12,
    ];
    // Summed with the checksum in it, a header that has arrived unharmed gives 0.
    println!("ttl {}, check {:#06x}", header[8], checksum(&header));

    let destination = u32::from_be_bytes([header[16], header[17], header[18], header[19]]);
    let mask = |length: u32| u32::MAX.checked_shl(32 - length).unwrap_or(0);
    let matching =
        ROUTES.iter().filter(|(network, length, _)| destination & mask(*length) == *network);
    if let Some((_, length, way)) = matching.max_by_key(|(_, length, _)| *length) {
        println!("by the prefix of {length} bits: {way}");
    }

    // at 0 the packet would go no further, and its sender would be told (ICMP, time exceeded)
    header[8] -= 1;
    header[10..12].fill(0);
    let new = checksum(&header);
    header[10..12].copy_from_slice(&new.to_be_bytes());
    println!("ttl {}, checksum {new:#06x}, check {:#06x}", header[8], checksum(&header));
}

/// The Internet checksum (RFC 1071): the complement of the sum of all 16-bit words, with
/// carries added back in.
fn checksum(header: &[u8]) -> u16 {
    let mut sum: u32 =
        header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
