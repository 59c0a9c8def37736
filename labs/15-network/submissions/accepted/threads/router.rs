//! A thread for each interface, which sleeps in recvfrom; what they share is behind a mutex. Headers are read at fixed places, and results are passed on with `?`.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::CString;
use std::io::{self, Write};
use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

type Mac = [u8; 6];
type Address = [u8; 4];

struct Failure(&'static str, io::Error);

fn check(call: &'static str, result: isize) -> Result<usize, Failure> {
    usize::try_from(result).map_err(|_| Failure(call, io::Error::last_os_error()))
}

fn is_interrupted(failure: &Failure) -> bool {
    failure.1.kind() == io::ErrorKind::Interrupted
}

#[derive(Clone, Copy)]
struct Prefix {
    bits: u32,
    length: u8,
}

impl Prefix {
    fn has(self, address: Address) -> bool {
        let different = self.bits ^ u32::from_be_bytes(address);
        self.length == 0 || different >> (32 - self.length) == 0
    }
}

struct Port {
    name: String,
    address: Address,
    network: Prefix,
    socket: i32,
    mac: Mac,
}

#[derive(Default)]
struct Neighbour {
    mac: Option<Mac>,
    queue: VecDeque<Vec<u8>>,
}

struct Table {
    ports: Vec<Port>,
    routes: Vec<(Prefix, usize, Option<Address>)>,
    neighbours: Mutex<BTreeMap<(usize, Address), Neighbour>>,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(table) = parse(&words) else {
        eprintln!("usage: router IFACE=ADDRESS/LENGTH… [NETWORK/LENGTH=GATEWAY…]");
        exit(2);
    };
    if let Err(Failure(call, error)) = run(table) {
        eprintln!("router: {call}: {error}");
        exit(1);
    }
}

fn run(mut table: Table) -> Result<(), Failure> {
    extern "C" fn done(_: i32) {
        // SAFETY: _exit is async-signal-safe.
        unsafe { libc::_exit(0) };
    }
    let handler: extern "C" fn(i32) = done;
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only calls what it may.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
    for port in &mut table.ports {
        port.open()?;
    }
    let table = Arc::new(table);
    println!("routing");
    io::stdout().flush().map_err(|error| Failure("write", error))?;
    let threads: Vec<_> = (0..table.ports.len())
        .map(|port| {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                if let Err(Failure(call, error)) = table.serve(port) {
                    eprintln!("router: {call}: {error}");
                    exit(1);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

fn parse(words: &[String]) -> Option<Table> {
    let mut table = Table { ports: Vec::new(), routes: Vec::new(), neighbours: Mutex::default() };
    for word in words {
        let (left, right) = word.split_once('=')?;
        match left.split_once('/') {
            None => {
                let (address, length) = right.split_once('/')?;
                let (address, length) = (dotted(address)?, length.parse().ok().filter(|length| *length <= 32)?);
                let network = Prefix { bits: u32::from_be_bytes(address), length };
                table.routes.push((network, table.ports.len(), None));
                table.ports.push(Port { name: left.into(), address, network, socket: -1, mac: [0; 6] });
            }
            Some((bits, length)) => {
                let prefix = Prefix { bits: u32::from_be_bytes(dotted(bits)?), length: length.parse().ok().filter(|length| *length <= 32)? };
                let gateway = dotted(right)?;
                let port = table.ports.iter().position(|port| port.network.has(gateway))?;
                table.routes.push((prefix, port, Some(gateway)));
            }
        }
    }
    if table.ports.is_empty() { None } else { Some(table) }
}

fn dotted(text: &str) -> Option<Address> {
    let octets: Vec<u8> = text.split('.').map(|octet| octet.parse().ok()).collect::<Option<_>>()?;
    octets.try_into().ok()
}

impl Port {
    fn open(&mut self) -> Result<(), Failure> {
        let name = CString::new(&*self.name).map_err(|_| Failure("if_nametoindex", io::Error::from_raw_os_error(libc::EINVAL)))?;
        // SAFETY: the name ends with a NUL byte.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        check("if_nametoindex", index as isize - 1)?;
        // SAFETY: the call takes three numbers.
        self.socket = check("socket", unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) } as isize)? as i32;
        let mut place = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: u16::to_be(libc::ETH_P_ALL as u16),
            sll_ifindex: index as i32,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let mut size = std::mem::size_of_val(&place) as u32;
        // SAFETY: the structure is whole, and of this size.
        check("bind", unsafe { libc::bind(self.socket, (&raw const place).cast(), size) } as isize)?;
        // SAFETY: as above.
        check("getsockname", unsafe { libc::getsockname(self.socket, (&raw mut place).cast(), &mut size) } as isize)?;
        self.mac.copy_from_slice(&place.sll_addr[..6]);
        Ok(())
    }

    /// A whole frame that is meant for this host, with whether it is meant for all others too.
    fn next(&self, buffer: &mut [u8]) -> Result<Option<(usize, bool)>, Failure> {
        // SAFETY: the pointer and the length are the slice's; who sent it does not matter.
        let result = unsafe { libc::recvfrom(self.socket, buffer.as_mut_ptr().cast(), buffer.len(), 0, std::ptr::null_mut(), std::ptr::null_mut()) };
        let length = match check("recvfrom", result) {
            Err(failure) if is_interrupted(&failure) => return Ok(None),
            result => result?,
        };
        // Instead of asking what kind of frame it is: whom it says that it is for, and that it is not from here.
        if length < 14 || buffer[6..12] == self.mac {
            return Ok(None);
        }
        let (own, all) = (buffer[..6] == self.mac, buffer[..6] == [0xff; 6]);
        Ok((own || all).then_some((length, all)))
    }

    fn send(&self, to: Mac, kind: u16, content: &[u8]) -> Result<(), Failure> {
        let frame = [&to[..], &self.mac, &kind.to_be_bytes(), content].concat();
        loop {
            // SAFETY: the pointer and the length are the vector's.
            match check("write", unsafe { libc::write(self.socket, frame.as_ptr().cast(), frame.len()) }) {
                Err(failure) if is_interrupted(&failure) => {}
                result => return result.map(drop),
            }
        }
    }
}

fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u64::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)])));
    let total: u64 = words.sum();
    // The remainder of a division by 65535 is the sum with all carries; but for what divides without one it is 0 instead of 65535.
    let rest = (total % 0xffff) as u16;
    !(if rest == 0 && total > 0 { 0xffff } else { rest })
}

fn sealed(mut bytes: Vec<u8>, at: usize, of: usize) -> Vec<u8> {
    bytes[at..at + 2].fill(0);
    let value = sum(&bytes[..of]);
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
    bytes
}

impl Table {
    fn serve(&self, number: usize) -> Result<(), Failure> {
        let mut buffer = vec![0; 70_000];
        loop {
            let Some((length, for_all)) = self.ports[number].next(&mut buffer)? else { continue };
            let content = &buffer[14..length];
            match buffer[12..14] {
                [8, 6] => self.arp(number, content)?,
                [8, 0] if !for_all => self.packet(number, content)?,
                _ => {}
            }
        }
    }

    fn arp(&self, number: usize, message: &[u8]) -> Result<(), Failure> {
        let port = &self.ports[number];
        if message.len() < 28 || message[..6] != [0, 1, 8, 0, 6, 4] {
            return Ok(());
        }
        let (mut mac, mut sender) = ([0; 6], [0; 4]);
        mac.copy_from_slice(&message[8..14]);
        sender.copy_from_slice(&message[14..18]);
        if message[6..8] == [0, 1] {
            if message[24..28] == port.address {
                let answer = [&message[..6], &[0, 2], &port.mac, &port.address, &mac, &sender].concat();
                port.send(mac, 0x0806, &answer)?;
            }
            return Ok(());
        }
        let mut neighbours = self.neighbours.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(neighbour) = neighbours.get_mut(&(number, sender)) {
            neighbour.mac = Some(mac);
            while let Some(packet) = neighbour.queue.pop_front() {
                port.send(mac, 0x0800, &packet)?;
            }
        }
        Ok(())
    }

    fn packet(&self, number: usize, content: &[u8]) -> Result<(), Failure> {
        if content.len() < 20 || content[0] >> 4 != 4 {
            return Ok(());
        }
        let header = usize::from(content[0] % 16) * 4;
        let total = usize::from(u16::from_be_bytes([content[2], content[3]]));
        if header < 20 || total < header || content.len() < total || sum(&content[..header]) != 0 {
            return Ok(());
        }
        let packet = &content[..total];
        let destination: Address = [packet[16], packet[17], packet[18], packet[19]];
        if destination[0] >= 224 {
            return Ok(());
        }
        if self.ports.iter().any(|port| port.address == destination) {
            return self.own(packet, header);
        }
        if packet[8] < 2 {
            return self.error(number, packet, header, 11);
        }
        if self.way(destination).is_none() {
            return self.error(number, packet, header, 3);
        }
        let mut packet = packet.to_vec();
        packet[8] -= 1;
        self.deliver(sealed(packet, 10, header))
    }

    fn way(&self, destination: Address) -> Option<(usize, Address)> {
        let mut best: Option<&(Prefix, usize, Option<Address>)> = None;
        for route in self.routes.iter().filter(|(prefix, ..)| prefix.has(destination)) {
            if best.is_none_or(|(other, ..)| other.length < route.0.length) {
                best = Some(route);
            }
        }
        best.map(|(_, port, gateway)| (*port, gateway.unwrap_or(destination)))
    }

    fn deliver(&self, packet: Vec<u8>) -> Result<(), Failure> {
        let Some((number, next)) = self.way([packet[16], packet[17], packet[18], packet[19]]) else { return Ok(()) };
        let port = &self.ports[number];
        let mut neighbours = self.neighbours.lock().unwrap_or_else(PoisonError::into_inner);
        let neighbour = neighbours.entry((number, next)).or_default();
        if let Some(mac) = neighbour.mac {
            return port.send(mac, 0x0800, &packet);
        }
        // Only the first packet asks.
        if neighbour.queue.is_empty() {
            let request = [&[0, 1, 8, 0, 6, 4, 0, 1], &port.mac[..], &port.address, &[0xff; 6], &next].concat();
            port.send([0xff; 6], 0x0806, &request)?;
        }
        neighbour.queue.push_back(packet);
        neighbour.queue.truncate(64);
        Ok(())
    }

    fn own(&self, packet: &[u8], header: usize) -> Result<(), Failure> {
        let message = &packet[header..];
        let fragmented = packet[6] & 0x3f != 0 || packet[7] != 0;
        if packet[9] != 1 || fragmented || message.len() < 8 || message[0] != 8 || sum(message) != 0 {
            return Ok(());
        }
        let mut answer = message.to_vec();
        answer[0] = 0;
        self.say(&packet[16..20], &packet[12..16], answer)
    }

    fn error(&self, number: usize, packet: &[u8], header: usize, kind: u8) -> Result<(), Failure> {
        let fragment = u16::from_be_bytes([packet[6], packet[7]]) % 0x2000;
        let error = packet[9] == 1 && !matches!(packet.get(header), Some(8 | 13 | 15 | 17));
        if fragment > 0 || error || matches!(packet[12], 0 | 127 | 224..) {
            return Ok(());
        }
        // More than 8 bytes, as far as they go: up to 576 in all.
        let quoted = &packet[..packet.len().min(548)];
        self.say(&self.ports[number].address, &packet[12..16], [&[kind, 0, 0, 0, 0, 0, 0, 0], quoted].concat())
    }

    fn say(&self, from: &[u8], to: &[u8], message: Vec<u8>) -> Result<(), Failure> {
        let length = message.len();
        let message = sealed(message, 2, length);
        let total = (20 + length) as u16;
        let head = [&[0x45, 0xc0], &total.to_be_bytes()[..], &[0, 0, 0x40, 0, 64, 1, 0, 0], from, to].concat();
        self.deliver([sealed(head, 10, 20), message].concat())
    }
}
