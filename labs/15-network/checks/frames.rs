//! Frames, packets and messages as they are on the wire: made by hand, and read without any help of the program's.

use std::net::Ipv4Addr;

use harness::prelude::*;

pub type Mac = [u8; 6];

pub const TO_ALL: Mac = [0xff; 6];
pub const IP: u16 = 0x0800;
pub const ARP: u16 = 0x0806;
pub const ICMP: u8 = 1;
pub const UDP: u8 = 17;
/// Bytes of the header of a frame.
pub const LINK: usize = 14;

/// The sum of RFC 1071, whose complement is the checksum.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

pub fn frame(to: Mac, from: Mac, protocol: u16, content: &[u8]) -> Vec<u8> {
    [&to[..], &from, &protocol.to_be_bytes(), content].concat()
}

/// What a frame is for, from whom, of which protocol, and what is in it.
pub fn open(frame: &[u8]) -> (Mac, Mac, u16, &[u8]) {
    let mac = |at: usize| frame[at..at + 6].try_into().unwrap_or_default();
    (mac(0), mac(6), u16::from_be_bytes([frame[12], frame[13]]), &frame[LINK..])
}

/// A packet of IPv4.
#[derive(Debug, Clone)]
pub struct Packet {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub time_to_live: u8,
    pub protocol: u8,
    pub service: u8,
    pub identification: u16,
    /// Flags and offset.
    pub fragment: u16,
    /// A multiple of four bytes.
    pub options: Vec<u8>,
    pub content: Vec<u8>,
}

impl Packet {
    /// A packet of UDP without a checksum of its own, with content and numbers that are drawn.
    pub fn draw(lab: &Lab, source: Ipv4Addr, destination: Ipv4Addr) -> Self {
        let length = lab.number(8..400) as usize;
        let mut content = [&lab.bytes(4)[..], &(length as u16).to_be_bytes(), &[0, 0], &lab.bytes(length)].concat();
        content.truncate(length);
        Self {
            source,
            destination,
            time_to_live: lab.number(3..255) as u8,
            protocol: UDP,
            service: lab.number(0..256) as u8,
            identification: lab.number(0..65_536) as u16,
            fragment: 0x4000,
            options: Vec::new(),
            content,
        }
    }

    pub fn header_length(&self) -> usize {
        20 + self.options.len()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let total = (self.header_length() + self.content.len()) as u16;
        let mut header = vec![0x40 | (self.header_length() / 4) as u8, self.service];
        for number in [total, self.identification, self.fragment] {
            header.extend(number.to_be_bytes());
        }
        header.extend([self.time_to_live, self.protocol, 0, 0]);
        header.extend(self.source.octets());
        header.extend(self.destination.octets());
        header.extend(&self.options);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        [header, self.content.clone()].concat()
    }

    /// The same after one hop.
    pub fn one_hop_on(&self) -> Self {
        Self { time_to_live: self.time_to_live - 1, ..self.clone() }
    }

    pub fn carrying(mut self, protocol: u8, content: Vec<u8>) -> Self {
        self.protocol = protocol;
        self.content = content;
        self
    }
}

/// A message of ICMP with its checksum.
pub fn icmp(kind: u8, code: u8, rest: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0], &rest[..], data].concat();
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// A host on a LAN that the check plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    pub lan: usize,
    pub address: Ipv4Addr,
    pub mac: Mac,
}

impl Host {
    pub fn draw(lab: &Lab, lan: usize) -> Self {
        Self::at(lan, Ipv4Addr::new(10, lan as u8 + 1, 0, lab.number(20..250) as u8))
    }

    pub fn at(lan: usize, address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        // Not what the kernel's own addresses here look like: it must be asked for.
        Self { lan, address, mac: [6, d, a, c, b, 0x5a ^ d] }
    }

    /// The next address on the same LAN.
    pub fn next(self) -> Self {
        Self::at(self.lan, Ipv4Addr::from(u32::from(self.address) + 1))
    }

    pub fn asks_for(&self, address: Ipv4Addr) -> Vec<u8> {
        frame(TO_ALL, self.mac, ARP, &arp(1, self.mac, self.address, [0; 6], address))
    }

    pub fn answers(&self, mac: Mac, address: Ipv4Addr) -> Vec<u8> {
        frame(mac, self.mac, ARP, &arp(2, self.mac, self.address, mac, address))
    }
}

pub fn arp(operation: u16, sender_mac: Mac, sender: Ipv4Addr, target_mac: Mac, target: Ipv4Addr) -> Vec<u8> {
    [&[0, 1, 8, 0, 6, 4][..], &operation.to_be_bytes(), &sender_mac, &sender.octets(), &target_mac, &target.octets()].concat()
}

/// What a frame is, in words.
pub fn described(frame: &[u8]) -> String {
    let (_, _, protocol, content) = open(frame);
    let address =
        |at: usize| content.get(at..at + 4).map_or_else(|| "?".into(), |bytes| Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).to_string());
    match (protocol, content.get(..20)) {
        (ARP, Some([_, _, _, _, _, _, 0, 1, ..])) => format!("a request of ARP for {}", address(24)),
        (ARP, Some(_)) => format!("an answer of ARP that {} is known", address(14)),
        (IP, Some(header)) => {
            let kind = content.get(usize::from(header[0] & 15) * 4..).and_then(<[u8]>::first).copied();
            let what = match (header[9], kind) {
                (ICMP, Some(0)) => "an echo reply".to_owned(),
                (ICMP, Some(3)) => "`destination unreachable`".to_owned(),
                (ICMP, Some(8)) => "an echo request".to_owned(),
                (ICMP, Some(11)) => "`time exceeded`".to_owned(),
                (ICMP, Some(kind)) => format!("a message of ICMP of type {kind}"),
                _ => "a packet".to_owned(),
            };
            format!("{what} from {} to {} with time to live {}, {} bytes", address(12), address(16), header[8], content.len())
        }
        _ => format!("a frame of type {protocol:04x}, {} bytes", frame.len()),
    }
}
