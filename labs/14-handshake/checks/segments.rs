//! Frames with TCP segments, made by hand and read back.

use std::net::{Ipv4Addr, SocketAddrV4};

use harness::prelude::*;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;
/// The two of ECN: RFC 3168.
pub const ECE: u8 = 0x40;
pub const CWR: u8 = 0x80;

/// Length of the link header, on loopback as on Ethernet.
pub const LINK: usize = 14;
/// Ethernet's number for IPv4.
pub const IPV4: u16 = 0x0800;

/// A TCP segment in an IPv4 packet, as far as this lab looks at it.
#[derive(Debug, Clone)]
pub struct Segment {
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub sequence: u32,
    pub acknowledgment: u32,
    pub flags: u8,
    /// The value that the line is to show.
    pub mss: Option<u16>,
    /// A multiple of four bytes, at most 40.
    pub ip_options: Vec<u8>,
    /// The same.
    pub tcp_options: Vec<u8>,
    /// How many bytes of data.
    pub data: usize,
    /// How many bytes follow the packet in its frame.
    pub padding: usize,
}

impl Segment {
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// With bytes of data.
    pub fn carrying(mut self, data: usize) -> Self {
        self.data = data;
        self
    }

    /// With these options, of which the line is to show this value.
    pub fn with_options(mut self, options: &[u8], mss: Option<u16>) -> Self {
        self.tcp_options = options.to_vec();
        self.tcp_options.resize(options.len().next_multiple_of(4), 0);
        self.mss = mss;
        self
    }

    /// With so many words of four bytes of options that say nothing, in the two headers.
    pub fn with_words(mut self, ip: usize, tcp: usize) -> Self {
        const NOTHING: u8 = 1;
        self.ip_options = vec![NOTHING; ip * 4];
        self.tcp_options = vec![NOTHING; tcp * 4];
        self
    }

    /// The packet's bytes, from the IPv4 header on.
    pub fn packet(&self) -> Vec<u8> {
        let header = 20 + self.ip_options.len();
        let offset = 20 + self.tcp_options.len();
        let total = (header + offset + self.data) as u16;
        let mut bytes = vec![0x40 | (header / 4) as u8, 0];
        bytes.extend(total.to_be_bytes());
        // An identification, and `don't fragment`.
        bytes.extend([0x12, 0x34, 0x40, 0, 64, 6, 0, 0]);
        bytes.extend(self.from.ip().octets());
        bytes.extend(self.to.ip().octets());
        bytes.extend(&self.ip_options);
        bytes.extend(self.from.port().to_be_bytes());
        bytes.extend(self.to.port().to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.acknowledgment.to_be_bytes());
        bytes.extend([(offset / 4) as u8 * 16, self.flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        bytes.extend(&self.tcp_options);
        bytes.resize(bytes.len() + self.data, b'd');
        bytes
    }

    /// The whole frame.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = framed(IPV4, &self.packet());
        frame.resize(frame.len() + self.padding, 0);
        frame
    }

    /// The segment in a frame that the kernel has made.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let packet = frame.get(LINK..)?;
        if frame[12..LINK] != IPV4.to_be_bytes() || packet.first()? >> 4 != 4 || *packet.get(9)? != 6 {
            return None;
        }
        let header = usize::from(packet[0] & 15) * 4;
        let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        let tcp = packet.get(header..total)?;
        let offset = usize::from(tcp.get(12)? >> 4) * 4;
        let number = |at: usize| tcp[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        let end = |address: usize, port: usize| {
            let host = Ipv4Addr::new(packet[address], packet[address + 1], packet[address + 2], packet[address + 3]);
            SocketAddrV4::new(host, u16::from_be_bytes([tcp[port], tcp[port + 1]]))
        };
        let tcp_options = tcp.get(20..offset)?.to_vec();
        let mss = option_in(&tcp_options, 2).map(|value| u16::from_be_bytes([value[0], value[1]]));
        Some(Self {
            from: end(12, 0),
            to: end(16, 2),
            sequence: number(4),
            acknowledgment: number(8),
            flags: tcp[13],
            mss,
            ip_options: packet[20..header].to_vec(),
            tcp_options,
            data: tcp.len() - offset,
            padding: 0,
        })
    }

    /// The line for it under this name.
    pub fn line(&self, name: &str) -> String {
        let mut line = format!("{name} {} > {} seq {}", self.from, self.to, self.sequence);
        if self.has(ACK) {
            line += &format!(" ack {}", self.acknowledgment);
        }
        if let Some(mss) = self.mss.filter(|_| self.has(SYN)) {
            line += &format!(" mss {mss}");
        }
        line
    }

    /// The line for a FIN of a side that has sent so many bytes.
    pub fn fin_line(&self, sent: u32) -> String {
        format!("{} bytes {sent}", self.line("FIN"))
    }
}

/// The line for a segment that was sent before.
pub fn again(line: &str) -> String {
    format!("{line} again")
}

/// A frame that says that it holds this.
pub fn framed(protocol: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend(protocol.to_be_bytes());
    frame.extend(packet);
    frame
}

/// The value of an option, in options that a kernel has made.
pub fn option_in(options: &[u8], kind: u8) -> Option<Vec<u8>> {
    let mut rest = options;
    loop {
        match *rest {
            [] | [0, ..] => return None,
            [1, ..] => rest = &rest[1..],
            [found, length, ..] if found == kind => return Some(rest.get(2..usize::from(length))?.to_vec()),
            [_, length, ..] => rest = rest.get(usize::from(length).max(2)..)?,
            _ => return None,
        }
    }
}

/// Two ends and where their numbers begin. The addresses are from the blocks for documentation (RFC 5737): the run's kernel has none of them and answers
/// nobody.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    pub client: SocketAddrV4,
    pub server: SocketAddrV4,
    pub client_syn: u32,
    pub server_syn: u32,
}

impl Talk {
    pub fn draw(lab: &Lab) -> Self {
        // Two bytes that differ, so that their order shows.
        let port = |high: u64| (lab.number(high..high + 60) * 256 + lab.number(1..high)) as u16;
        let (host, other) = (lab.number(1..255) as u8, lab.number(1..255) as u8);
        Self {
            client: SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, host), port(130)),
            server: SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, other), port(20)),
            client_syn: lab.number(1 << 24..1 << 31) as u32,
            server_syn: lab.number(1 << 24..1 << 31) as u32,
        }
    }

    /// The same with another client; its port shows which.
    pub fn of_client(mut self, number: u16) -> Self {
        self.client.set_port(self.client.port() ^ number);
        self
    }

    /// The same ends, with numbers that begin here.
    pub fn numbered(self, client_syn: u32, server_syn: u32) -> Self {
        Self { client_syn, server_syn, ..self }
    }

    fn segment(from: SocketAddrV4, to: SocketAddrV4, sequence: u32, acknowledgment: u32, flags: u8) -> Segment {
        Segment { from, to, sequence, acknowledgment, flags, mss: None, ip_options: Vec::new(), tcp_options: Vec::new(), data: 0, padding: 0 }
    }

    /// What stands in a field that means nothing. To who takes the headers to begin four bytes too early it is a data offset of 5 and the flag SYN.
    const NOTHING: u32 = 0x5002_beef;

    pub fn syn(&self) -> Segment {
        Self::segment(self.client, self.server, self.client_syn, Self::NOTHING, SYN)
    }

    pub fn syn_ack(&self) -> Segment {
        Self::segment(self.server, self.client, self.server_syn, self.client_syn.wrapping_add(1), SYN | ACK)
    }

    /// A segment of the client's after it has sent so many bytes and received none.
    pub fn client_says(&self, flags: u8, sent: u32) -> Segment {
        let acknowledgment = if flags & ACK == 0 { Self::NOTHING } else { self.server_syn.wrapping_add(1) };
        Self::segment(self.client, self.server, self.client_syn.wrapping_add(1).wrapping_add(sent), acknowledgment, flags)
    }

    /// A segment of the server's after it has sent so many bytes and received none.
    pub fn server_says(&self, flags: u8, sent: u32) -> Segment {
        let acknowledgment = if flags & ACK == 0 { Self::NOTHING } else { self.client_syn.wrapping_add(1) };
        Self::segment(self.server, self.client, self.server_syn.wrapping_add(1).wrapping_add(sent), acknowledgment, flags)
    }

    pub fn ack(&self) -> Segment {
        self.client_says(ACK, 0)
    }
}
