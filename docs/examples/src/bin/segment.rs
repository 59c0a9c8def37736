//! A SYN as it lies on the wire, read field by field: lengths in units of four bytes, numbers
//! with the most significant byte first.

use memoffset::{offset_of, span_of};

/// The IPv4 header without options (RFC 791): bytes, so that nothing is padded and nothing is
/// aligned.
#[repr(C)]
struct Ipv4 {
    version_and_length: u8,
    service: u8,
    total_length: [u8; 2],
    id: [u8; 2],
    flags_and_offset: [u8; 2],
    ttl: u8,
    protocol: u8,
    checksum: [u8; 2],
    source: [u8; 4],
    destination: [u8; 4],
}

/// The TCP header without options (RFC 9293).
#[repr(C)]
struct Tcp {
    source: [u8; 2],
    destination: [u8; 2],
    sequence: [u8; 4],
    acknowledgement: [u8; 4],
    data_offset: u8,
    flags: u8,
    window: [u8; 2],
    checksum: [u8; 2],
    urgent: [u8; 2],
}

const PACKET: [u8; 44] = [
    // IPv4
    0x45, 0x00, 0x00, 0x2c, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06, 0x04, 0x70, 10, 0, 1, 11, 10, 0,
    5, 12, 0x9c, 0x40, 0x1b, 0x5f, 0x00, 0x00, 0x03, 0xe8, 0x00, 0x00, 0x00, 0x00, 0x60, 0x02,
    0xfa, 0xf0, 0x00, 0x00, 0x00, 0x00, // TCP
    0x02, 0x04, 0x05, 0xb4, // option MSS: kind 2, length 4, 1460
];

fn main() {
    let ip_length = usize::from(PACKET[offset_of!(Ipv4, version_and_length)] & 0x0f) * 4;
    let tcp = &PACKET[ip_length..];
    let tcp_length = usize::from(tcp[offset_of!(Tcp, data_offset)] >> 4) * 4;
    let total = number(&PACKET[span_of!(Ipv4, total_length)]) as usize;
    println!(
        "headers of {ip_length} and {tcp_length} bytes, {} bytes of data",
        total - ip_length - tcp_length
    );

    let address = |bytes: &[u8]| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(".");
    println!(
        "{}:{} > {}:{}, seq {}",
        address(&PACKET[span_of!(Ipv4, source)]),
        number(&tcp[span_of!(Tcp, source)]),
        address(&PACKET[span_of!(Ipv4, destination)]),
        number(&tcp[span_of!(Tcp, destination)]),
        number(&tcp[span_of!(Tcp, sequence)])
    );
    let flags = tcp[offset_of!(Tcp, flags)];
    for (bit, name) in [
        (0x01, "FIN"),
        (0x02, "SYN"),
        (0x04, "RST"),
        (0x08, "PSH"),
        (0x10, "ACK"),
        (0x20, "URG"),
    ] {
        if flags & bit != 0 {
            println!("flag {name}");
        }
    }
}

/// A number in network byte order.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
