//! Packet sockets of type SOCK_DGRAM, two for each interface, one for ARP and one for IPv4: the kernel takes the frame's header off and puts it on, and gives
//! nothing that goes out. All are watched by epoll. Neighbours are structures that know their packets.

use std::collections::HashMap;
use std::ffi::CString;
use std::fmt::Display;
use std::io::{self, Write};
use std::mem::zeroed;
use std::process::exit;

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const EVERYBODY: [u8; 6] = [255; 6];

fn give_up(call: &str, why: impl Display) -> ! {
    eprintln!("router: {call}: {why}");
    exit(1)
}

/// The result of a call, made again as long as a signal interrupts it.
fn done(call: &str, mut make: impl FnMut() -> isize) -> usize {
    loop {
        match make() {
            -1 => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    give_up(call, error);
                }
            }
            result => return result as usize,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Ip(u32);

impl Ip {
    fn read(bytes: &[u8]) -> Self {
        Self(bytes[..4].iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes: Vec<u8> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        (bytes.len() == 4).then(|| Self::read(&bytes))
    }

    fn bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    /// Whether it can be one host's.
    fn is_single(self) -> bool {
        !matches!(self.bytes()[0], 0 | 127 | 224..)
    }
}

#[derive(Clone, Copy)]
struct Network {
    base: Ip,
    prefix: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (base, prefix) = text.split_once('/')?;
        Some(Self { base: Ip::parse(base)?, prefix: prefix.parse().ok().filter(|prefix| *prefix <= 32)? })
    }

    fn holds(self, address: Ip) -> bool {
        u64::from(self.base.0 ^ address.0) >> (32 - self.prefix) == 0
    }
}

enum Neighbour {
    Silent(Vec<Vec<u8>>),
    At([u8; 6]),
}

struct Port {
    address: Ip,
    network: Network,
    mac: [u8; 6],
    index: i32,
    arp: i32,
    ip: i32,
    neighbours: HashMap<Ip, Neighbour>,
}

struct Router {
    ports: Vec<Port>,
    routes: Vec<(Network, Ip, usize)>,
}

fn link_address(index: i32, protocol: i32, to: [u8; 6]) -> libc::sockaddr_ll {
    // SAFETY: a sockaddr_ll of zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as _;
    address.sll_protocol = (protocol as u16).to_be();
    address.sll_ifindex = index;
    address.sll_halen = 6;
    address.sll_addr[..6].copy_from_slice(&to);
    address
}

const LINK_LENGTH: u32 = std::mem::size_of::<libc::sockaddr_ll>() as u32;

fn packet_socket(index: i32, protocol: i32) -> (i32, [u8; 6]) {
    // SAFETY: three numbers.
    let socket = done("socket", || unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) } as isize) as i32;
    let mut address = link_address(index, protocol, [0; 6]);
    // SAFETY: the address is whole.
    done("bind", || unsafe { libc::bind(socket, (&raw const address).cast(), LINK_LENGTH) } as isize);
    let mut length = LINK_LENGTH;
    // SAFETY: the address has room for what `length` says.
    done("getsockname", || unsafe { libc::getsockname(socket, (&raw mut address).cast(), &mut length) } as isize);
    let mut mac = [0; 6];
    mac.copy_from_slice(&address.sll_addr[..6]);
    (socket, mac)
}

impl Port {
    fn open(name: &str, right: &str) -> Option<(Self, CString)> {
        let network = Network::parse(right)?;
        let port = Self { address: network.base, network, mac: [0; 6], index: 0, arp: -1, ip: -1, neighbours: HashMap::new() };
        Some((port, CString::new(name).ok()?))
    }

    fn connect(&mut self, name: &CString) {
        // SAFETY: the name ends with a NUL byte.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        if index == 0 {
            give_up("if_nametoindex", io::Error::last_os_error());
        }
        self.index = index as i32;
        (self.arp, self.mac) = packet_socket(self.index, libc::ETH_P_ARP);
        (self.ip, _) = packet_socket(self.index, libc::ETH_P_IP);
    }

    fn send(&self, to: [u8; 6], protocol: i32, content: &[u8]) {
        let address = link_address(self.index, protocol, to);
        let socket = if protocol == libc::ETH_P_ARP { self.arp } else { self.ip };
        // SAFETY: the content is a slice's, and the address is whole.
        done("sendto", || unsafe { libc::sendto(socket, content.as_ptr().cast(), content.len(), 0, (&raw const address).cast(), LINK_LENGTH) });
    }

    fn speak_arp(&self, operation: u8, to: [u8; 6], target_mac: [u8; 6], target: Ip) {
        let message = [&[0, 1, 8, 0, 6, 4, 0, operation], &self.mac[..], &self.address.bytes(), &target_mac, &target.bytes()].concat();
        self.send(to, libc::ETH_P_ARP, &message);
    }

    fn hear_arp(&mut self, message: &[u8]) {
        let [0, 1, 8, 0, 6, 4, 0, operation, rest @ ..] = message else { return };
        let (Some(mac), Some(sender), Some(target)) = (rest.get(..6), rest.get(6..10), rest.get(16..20)) else { return };
        let mac: [u8; 6] = mac.try_into().unwrap_or_default();
        let (sender, target) = (Ip::read(sender), Ip::read(target));
        match *operation {
            REQUEST if target == self.address => self.speak_arp(REPLY, mac, mac, sender),
            REPLY if self.neighbours.contains_key(&sender) => {
                if let Some(Neighbour::Silent(packets)) = self.neighbours.insert(sender, Neighbour::At(mac)) {
                    packets.iter().for_each(|packet| self.send(mac, libc::ETH_P_IP, packet));
                }
            }
            _ => {}
        }
    }

    fn pass(&mut self, next: Ip, packet: &[u8]) {
        match self.neighbours.entry(next).or_insert_with(|| Neighbour::Silent(Vec::new())) {
            Neighbour::At(mac) => {
                let mac = *mac;
                self.send(mac, libc::ETH_P_IP, packet);
            }
            Neighbour::Silent(packets) => {
                packets.push(packet.to_vec());
                let first = packets.len() == 1;
                if packets.len() > 100 {
                    packets.remove(0);
                }
                if first {
                    self.speak_arp(REQUEST, EVERYBODY, [0; 6], next);
                }
            }
        }
    }
}

fn folded(bytes: &[u8]) -> u16 {
    let mut sum = 0u16;
    for pair in bytes.chunks(2) {
        let word = u16::from_be_bytes([pair[0], if pair.len() == 2 { pair[1] } else { 0 }]);
        let (next, carry) = sum.overflowing_add(word);
        sum = next + u16::from(carry);
    }
    sum
}

fn seal(bytes: &mut [u8], at: usize) {
    bytes[at] = 0;
    bytes[at + 1] = 0;
    let sum = !folded(bytes);
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// The packet's header and what it carries, if both are what they say they are.
fn opened(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if bytes.len() < 20 || bytes[0] >> 4 != 4 {
        return None;
    }
    let header = usize::from(bytes[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    let sound = (20..=total).contains(&header) && total <= bytes.len() && folded(&bytes[..header]) == 0xffff;
    sound.then(|| bytes[..total].split_at(header))
}

impl Router {
    fn route(&self, to: Ip) -> Option<(usize, Ip)> {
        let own = self.ports.iter().enumerate().filter(|(_, port)| port.network.holds(to)).map(|(number, port)| (port.network.prefix, number, to));
        let others = self.routes.iter().filter(|(network, ..)| network.holds(to)).map(|(network, gateway, number)| (network.prefix, *number, *gateway));
        own.chain(others).max_by_key(|(prefix, ..)| *prefix).map(|(_, number, next)| (number, next))
    }

    fn pass(&mut self, packet: &[u8]) {
        if let Some((number, next)) = self.route(Ip::read(&packet[16..])) {
            self.ports[number].pass(next, packet);
        }
    }

    fn hear(&mut self, number: usize, bytes: &[u8]) {
        let Some((header, content)) = opened(bytes) else { return };
        let (from, to) = (Ip::read(&header[12..]), Ip::read(&header[16..]));
        let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff;
        let about_itself = header[9] == 1;
        if to.0 >> 28 >= 14 {
            return;
        }
        if self.ports.iter().any(|port| port.address == to) {
            if about_itself && fragment == 0 && content.len() > 7 && content[0] == 8 && folded(content) == 0xffff {
                self.say(to, from, 0, &content[4..]);
            }
            return;
        }
        let trouble = if header[8] < 2 {
            Some(11)
        } else if self.route(to).is_none() {
            Some(3)
        } else {
            None
        };
        let Some(kind) = trouble else {
            let mut packet = [header, content].concat();
            packet[8] -= 1;
            seal(&mut packet[..header.len()], 10);
            return self.pass(&packet);
        };
        let asks = matches!(content.first(), Some(8 | 13 | 15 | 17));
        if from.is_single() && fragment & 0x1fff == 0 && (asks || !about_itself) {
            let quoted = [&[0; 4], header, &content[..content.len().min(8)]].concat();
            self.say(self.ports[number].address, from, kind, &quoted);
        }
    }

    fn say(&mut self, from: Ip, to: Ip, kind: u8, rest: &[u8]) {
        let mut message = [&[kind, 0, 0, 0], rest].concat();
        seal(&mut message, 2);
        let total = (20 + message.len()) as u16;
        let mut header = [&[0x45, 0], &total.to_be_bytes()[..], &[0; 4], &[64, 1, 0, 0], &from.bytes(), &to.bytes()].concat();
        seal(&mut header, 10);
        self.pass(&[header, message].concat());
    }
}

fn understood(words: &[String]) -> Option<(Router, Vec<CString>)> {
    let (mut router, mut names) = (Router { ports: Vec::new(), routes: Vec::new() }, Vec::new());
    for word in words {
        let (left, right) = word.split_once('=')?;
        if left.contains('/') {
            let (network, gateway) = (Network::parse(left)?, Ip::parse(right)?);
            let number = router.ports.iter().position(|port| port.network.holds(gateway))?;
            router.routes.push((network, gateway, number));
        } else {
            let (port, name) = Port::open(left, right)?;
            router.ports.push(port);
            names.push(name);
        }
    }
    (!names.is_empty()).then_some((router, names))
}

extern "C" fn leave(_: i32) {
    // SAFETY: it is allowed in a handler.
    unsafe { libc::_exit(0) }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (mut router, names) = understood(&words).unwrap_or_else(|| {
        eprintln!("usage: router IFACE=ADDRESS/LENGTH… [NETWORK/LENGTH=GATEWAY…]");
        exit(2)
    });
    let handler: extern "C" fn(i32) = leave;
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the handler does what a handler may do.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
    // SAFETY: one number.
    let epoll = done("epoll_create1", || unsafe { libc::epoll_create1(0) } as isize) as i32;
    for (number, (port, name)) in router.ports.iter_mut().zip(&names).enumerate() {
        port.connect(name);
        for (socket, is_ip) in [(port.arp, 0), (port.ip, 1)] {
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: number as u64 * 2 + is_ip };
            // SAFETY: the event is read during the call only.
            done("epoll_ctl", || unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, socket, &raw mut event) } as isize);
        }
    }
    let mut out = io::stdout();
    if let Err(error) = out.write_all(b"routing\n").and_then(|()| out.flush()) {
        give_up("write", error);
    }
    let mut buffer = vec![0u8; 1 << 17];
    loop {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: there is room for one event.
        done("epoll_wait", || unsafe { libc::epoll_wait(epoll, &raw mut event, 1, -1) } as isize);
        let (number, is_ip) = (event.u64 as usize / 2, event.u64 % 2 == 1);
        let socket = if is_ip { router.ports[number].ip } else { router.ports[number].arp };
        let (mut from, mut length) = (link_address(0, 0, [0; 6]), LINK_LENGTH);
        // SAFETY: the buffer is a vector's, and the address has room for what `length` says.
        let came = done("recvfrom", || unsafe {
            libc::recvfrom(socket, buffer.as_mut_ptr().cast(), buffer.len(), 0, (&raw mut from).cast(), &mut length)
        });
        match (is_ip, from.sll_pkttype) {
            (true, 0) => router.hear(number, &buffer[..came]),
            (false, 0 | 1) => router.ports[number].hear_arp(&buffer[..came]),
            _ => {}
        }
    }
}
