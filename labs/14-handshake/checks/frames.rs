//! Frames that print nothing, each with a name: what is something else, and what cannot be. But for that each would be the SYN of a new connection.

use crate::segments::{FIN, IPV4, LINK, Segment, Talk, framed};

/// Frames of other protocols, and fragments.
pub fn strangers(talk: &Talk) -> Vec<(&'static str, Vec<u8>)> {
    const PROTOCOL: usize = 9;
    const FRAGMENT: usize = 6;
    let changed = |at: usize, bytes: &[u8]| {
        let mut packet = talk.syn().carrying(64).packet();
        packet[at..at + bytes.len()].copy_from_slice(bytes);
        packet
    };
    let ipv4 = |packet: Vec<u8>| framed(IPV4, &packet);
    vec![
        ("a UDP packet", ipv4(changed(PROTOCOL, &[17]))),
        ("an ICMP packet", ipv4(changed(PROTOCOL, &[1]))),
        ("a packet of version 6 in an IPv4 frame", ipv4(changed(0, &[0x65]))),
        ("a fragment in the middle", ipv4(changed(FRAGMENT, &[0x20, 0x10]))),
        ("the last fragment", ipv4(changed(FRAGMENT, &[0x00, 0x10]))),
        ("a fragment far behind", ipv4(changed(FRAGMENT, &[0x1f, 0x00]))),
        ("an ARP frame", framed(0x0806, &changed(0, &[]))),
        ("an IPv6 frame", framed(0x86dd, &changed(0, &[]))),
    ]
}

/// Frames whose flags for fragments differ, and that print their line all the same: the SYN of this talk, and that of its client 1.
pub fn read_like_others(talk: &Talk) -> [(&'static str, Vec<u8>); 2] {
    const FRAGMENT: usize = LINK + 6;
    let flagged = |segment: Segment, bytes: [u8; 2]| {
        let mut frame = segment.carrying(64).frame();
        frame[FRAGMENT..FRAGMENT + 2].copy_from_slice(&bytes);
        frame
    };
    [("the first fragment", flagged(talk.syn(), [0x20, 0x00])), ("a packet that may be fragmented", flagged(talk.of_client(1).syn(), [0x00, 0x00]))]
}

/// Whether the link header says that IPv4 follows.
pub fn says_ipv4(frame: &[u8]) -> bool {
    frame[12..LINK] == IPV4.to_be_bytes()
}

/// IPv4 frames that are cut off, and headers with numbers that cannot be.
pub fn malformed(talk: &Talk) -> Vec<(&'static str, Vec<u8>)> {
    const VERSION_AND_LENGTH: usize = LINK;
    const TOTAL_LENGTH: usize = LINK + 2;
    const TCP: usize = LINK + 20;
    const DATA_OFFSET: usize = TCP + 12;
    let syn = talk.syn().frame();
    let cut = |length: usize| syn[..length].to_vec();
    let set = |segment: &Segment, at: usize, bytes: &[u8]| {
        let mut frame = segment.frame();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        frame
    };
    let long = talk.syn().carrying(100);
    let total = |length: u16| set(&long, TOTAL_LENGTH, &length.to_be_bytes());
    let mut no_room = set(&talk.syn(), VERSION_AND_LENGTH, &[0x4f]);
    no_room.truncate(LINK + 20);
    let mut options_cut = talk.syn().with_words(0, 10).frame();
    options_cut.truncate(TCP + 24);
    let mut data_cut = talk.client_says(FIN, 0).carrying(100).frame();
    data_cut.truncate(TCP + 50);
    let mut syn_data_cut = long.frame();
    syn_data_cut.truncate(TCP + 50);
    vec![
        ("a frame that ends after the link header", cut(LINK)),
        ("a frame with one byte of IPv4", cut(LINK + 1)),
        ("a frame with 19 bytes of IPv4", cut(LINK + 19)),
        ("a frame that ends after the IPv4 header", cut(TCP)),
        ("a frame with 10 bytes of TCP", cut(TCP + 10)),
        ("a frame with 19 bytes of TCP", cut(TCP + 19)),
        ("a frame that ends in the TCP options", options_cut),
        ("a frame that ends in the data", syn_data_cut),
        ("a FIN that ends in the data", data_cut),
        ("a packet with an IHL of 0", set(&long, VERSION_AND_LENGTH, &[0x40])),
        ("a packet with an IHL of 4", set(&long, VERSION_AND_LENGTH, &[0x44])),
        ("a packet with an IHL beyond its end", no_room),
        ("a packet with an IHL beyond its total length", set(&talk.syn(), VERSION_AND_LENGTH, &[0x4f])),
        ("a packet with a total length of 0", total(0)),
        ("a packet with a total length of 19", total(19)),
        ("a packet whose total length ends after the IPv4 header", total(20)),
        ("a packet whose total length ends in the TCP header", total(39)),
        ("a packet with a total length of 65535", total(65_535)),
        ("a segment with a data offset of 0", set(&long, DATA_OFFSET, &[0x00])),
        ("a segment with a data offset of 4", set(&long, DATA_OFFSET, &[0x40])),
        ("a segment with a data offset beyond its end", set(&talk.syn(), DATA_OFFSET, &[0xf0])),
        ("a segment with a data offset one word beyond its end", set(&talk.syn(), DATA_OFFSET, &[0x60])),
    ]
}
