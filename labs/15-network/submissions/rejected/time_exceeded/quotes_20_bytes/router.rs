//! The message quotes 28 bytes of the packet: with options in its header that is less than the 8 bytes after it.

use std::collections::HashMap;
use std::ffi::CString;
use std::io::{self, Write};
use std::mem::{size_of, zeroed};
use std::process::exit;

use libc::c_int;
use memoffset::{offset_of, span_of};

/// More than the longest packet, and the header of its frame.
const BUFFER_SIZE: usize = 65_536 + 64;
/// Most packets that wait for the Ethernet address of one next hop.
const MOST_WAITING: usize = 16;
/// The time to live of the router's own packets.
const TIME_TO_LIVE: u8 = 64;

/// What a packet socket says of a frame: for this host, for all, and so on; packet(7). The crate libc does not have them.
const PACKET_HOST: u8 = 0;
const PACKET_BROADCAST: u8 = 1;

const TO_ALL: [u8; 6] = [0xff; 6];
const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const ECHO_REQUEST: u8 = 8;
const TIME_EXCEEDED: u8 = 11;

/// The beginning of a frame.
#[allow(dead_code, reason = "it is there for its offsets")]
#[repr(C)]
struct Ethernet {
    destination: [u8; 6],
    source: [u8; 6],
    protocol: [u8; 2],
}

/// The fixed part of an IPv4 header; RFC 791.
#[allow(dead_code, reason = "it is there for its offsets")]
#[repr(C)]
struct Ip {
    /// Version in the upper four bits, length of the header in words of four bytes in the lower.
    version_and_length: u8,
    service: u8,
    total_length: [u8; 2],
    identification: [u8; 2],
    /// Three flags, and 13 bits of offset.
    fragment: [u8; 2],
    time_to_live: u8,
    protocol: u8,
    checksum: [u8; 2],
    source: [u8; 4],
    destination: [u8; 4],
}

/// A message of ARP for Ethernet and IPv4; RFC 826.
#[allow(dead_code, reason = "it is there for its offsets")]
#[repr(C)]
struct Arp {
    /// Kinds and lengths of the addresses: always the same here.
    kinds: [u8; 6],
    operation: [u8; 2],
    sender_mac: [u8; 6],
    sender: [u8; 4],
    target_mac: [u8; 6],
    target: [u8; 4],
}

/// Kinds and lengths for Ethernet and IPv4.
const ARP_KINDS: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: [u8; 2] = [0, 1];
const REPLY: [u8; 2] = [0, 2];

struct Interface {
    name: String,
    address: u32,
    /// How many bits of the address are the network's.
    length: u32,
    socket: c_int,
    mac: [u8; 6],
}

/// Where packets for these addresses go; without a gateway their destination is on the interface's own network.
struct Route {
    network: u32,
    length: u32,
    gateway: Option<u32>,
    interface: usize,
}

/// What is known of a next hop: its Ethernet address, or the packets that wait for it.
enum Neighbour {
    Known([u8; 6]),
    Asked(Vec<Vec<u8>>),
}

struct Router {
    interfaces: Vec<Interface>,
    routes: Vec<Route>,
    neighbours: HashMap<(usize, u32), Neighbour>,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut router = from_words(&words).unwrap_or_else(|| usage());
    stop_at_signals();
    for interface in &mut router.interfaces {
        open(interface);
    }
    print("routing");
    let mut buffer = vec![0; BUFFER_SIZE];
    loop {
        let mut polled: Vec<_> =
            router.interfaces.iter().map(|interface| libc::pollfd { fd: interface.socket, events: libc::POLLIN, revents: 0 }).collect();
        // SAFETY: the pointer and the count are those of a vector of pollfd.
        if unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) } == -1 {
            if errno() != libc::EINTR {
                fail("poll");
            }
            continue;
        }
        for (number, _) in polled.iter().enumerate().filter(|(_, one)| one.revents != 0) {
            if let Some((length, to_all)) = receive(router.interfaces[number].socket, &mut buffer) {
                router.handle(number, &buffer[..length], to_all);
            }
        }
    }
}

fn usage() -> ! {
    eprintln!("usage: router IFACE=ADDRESS/LENGTH… [NETWORK/LENGTH=GATEWAY…]");
    exit(2);
}

/// Reports the call that has just failed, with the message for errno, and gives up.
fn fail(call: &str) -> ! {
    eprintln!("router: {call}: {}", io::Error::last_os_error());
    exit(1);
}

/// Prints at once, whoever reads it.
fn print(line: &str) {
    let mut stdout = io::stdout();
    if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
        fail("write");
    }
}

/// Interfaces and routes from the command line; `None` where they make no sense.
fn from_words(words: &[String]) -> Option<Router> {
    let mut router = Router { interfaces: Vec::new(), routes: Vec::new(), neighbours: HashMap::new() };
    for word in words {
        let (left, right) = word.split_once('=')?;
        if left.contains('/') {
            let ((network, length), gateway) = (range(left)?, number(right)?);
            let near = |interface: &Interface| (interface.address ^ gateway) & mask(interface.length) == 0;
            let interface = router.interfaces.iter().position(near)?;
            router.routes.push(Route { network: network & mask(length), length, gateway: Some(gateway), interface });
        } else {
            let (address, length) = range(right)?;
            let interface = router.interfaces.len();
            router.routes.push(Route { network: address & mask(length), length, gateway: None, interface });
            router.interfaces.push(Interface { name: left.to_owned(), address, length, socket: -1, mac: [0; 6] });
        }
    }
    (!router.interfaces.is_empty()).then_some(router)
}

/// `10.0.1.0/24` as its two numbers.
fn range(text: &str) -> Option<(u32, u32)> {
    let (address, length) = text.split_once('/')?;
    let length = length.parse().ok()?;
    Some((number(address)?, if length > 32 { return None } else { length }))
}

/// `10.0.1.1` as a number.
fn number(address: &str) -> Option<u32> {
    let octets: Result<Vec<u8>, _> = address.split('.').map(str::parse).collect();
    octets.ok()?.try_into().ok().map(u32::from_be_bytes)
}

/// The bits of an address that are the network's.
fn mask(length: u32) -> u32 {
    u32::MAX.checked_shl(32 - length).unwrap_or(0)
}

/// From here on SIGTERM and SIGINT end the process with status 0, wherever it is.
fn stop_at_signals() {
    extern "C" fn stop(_signal: c_int) {
        // SAFETY: _exit may be called in a handler; nothing is left to be done.
        unsafe { libc::_exit(0) }
    }
    let handler: extern "C" fn(c_int) = stop;
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the handler has the type that the kernel calls, and does only what is allowed there.
        if unsafe { libc::signal(signal, handler as libc::sighandler_t) } == libc::SIG_ERR {
            fail("signal");
        }
    }
}

/// Opens a packet socket on the interface, and learns the interface's Ethernet address.
fn open(interface: &mut Interface) {
    let Ok(name) = CString::new(interface.name.as_str()) else { usage() };
    // SAFETY: the name is NUL-terminated.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        fail("if_nametoindex");
    }
    // With protocol 0 nothing comes in before the socket is bound to its interface.
    // SAFETY: has no memory-safety precondition.
    interface.socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
    if interface.socket == -1 {
        fail("socket");
    }
    // SAFETY: sockaddr_ll is a C structure of integers, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index as c_int;
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the pointer and the length are those of a whole sockaddr_ll.
    if unsafe { libc::bind(interface.socket, (&raw const address).cast(), length) } == -1 {
        fail("bind");
    }
    // SAFETY: `length` says how many bytes may be written at the structure's address.
    if unsafe { libc::getsockname(interface.socket, (&raw mut address).cast(), &mut length) } == -1 {
        fail("getsockname");
    }
    interface.mac.copy_from_slice(&address.sll_addr[..6]);
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// The next frame that is for this host or for all: its length, and whether it is for all.
fn receive(socket: c_int, buffer: &mut [u8]) -> Option<(usize, bool)> {
    // SAFETY: sockaddr_ll is a C structure of integers, for which all zeros is a value.
    let mut from: libc::sockaddr_ll = unsafe { zeroed() };
    let mut from_length = size_of_val(&from) as libc::socklen_t;
    // SAFETY: the buffer's pointer and length are a slice's, and `from_length` says how many bytes `from` has.
    let result =
        unsafe { libc::recvfrom(socket, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT, (&raw mut from).cast(), &mut from_length) };
    if result == -1 {
        match errno() {
            libc::EINTR | libc::EAGAIN => return None,
            _ => fail("recvfrom"),
        }
    }
    // What goes out here, or to others, is seen too.
    let for_us = from.sll_pkttype == PACKET_HOST || from.sll_pkttype == PACKET_BROADCAST;
    for_us.then_some((result as usize, from.sll_pkttype == PACKET_BROADCAST))
}

/// Sends a frame.
fn send(interface: &Interface, to: [u8; 6], protocol: c_int, content: &[u8]) {
    let mut frame = Vec::with_capacity(size_of::<Ethernet>() + content.len());
    frame.extend(to);
    frame.extend(interface.mac);
    frame.extend((protocol as u16).to_be_bytes());
    frame.extend(content);
    loop {
        // SAFETY: the pointer and the length are a vector's.
        if unsafe { libc::send(interface.socket, frame.as_ptr().cast(), frame.len(), 0) } != -1 {
            return;
        }
        if errno() != libc::EINTR {
            fail("send");
        }
    }
}

fn number16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |number, byte| number << 8 | u16::from(*byte))
}

fn number32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The checksum of the Internet: the complement of the sum of all words of two bytes; RFC 1071. Over something that has its checksum in it, it is 0.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

impl Router {
    /// Does what a frame asks for.
    fn handle(&mut self, number: usize, frame: &[u8], to_all: bool) {
        let Some(header) = frame.get(..size_of::<Ethernet>()) else { return };
        let content = &frame[size_of::<Ethernet>()..];
        match c_int::from(number16(&header[span_of!(Ethernet, protocol)])) {
            libc::ETH_P_ARP => self.handle_arp(number, content),
            // A packet for one host in a frame for all is a mistake of somebody's.
            libc::ETH_P_IP if !to_all => self.handle_packet(number, content),
            _ => {}
        }
    }

    /// Answers who asks for this router's address, and learns the addresses that were asked for.
    fn handle_arp(&mut self, number: usize, content: &[u8]) {
        let Some(message) = content.get(..size_of::<Arp>()) else { return };
        if message[span_of!(Arp, kinds)] != ARP_KINDS {
            return;
        }
        let interface = &self.interfaces[number];
        let sender = number32(&message[span_of!(Arp, sender)]);
        let mut mac = [0; 6];
        mac.copy_from_slice(&message[span_of!(Arp, sender_mac)]);
        if message[span_of!(Arp, operation)] == REQUEST && number32(&message[span_of!(Arp, target)]) == interface.address {
            send(interface, mac, libc::ETH_P_ARP, &arp(interface, REPLY, mac, sender));
        } else if message[span_of!(Arp, operation)] == REPLY
            && let Some(neighbour) = self.neighbours.get_mut(&(number, sender))
            && let Neighbour::Asked(waiting) = std::mem::replace(neighbour, Neighbour::Known(mac))
        {
            for packet in waiting {
                send(interface, mac, libc::ETH_P_IP, &packet);
            }
        }
    }

    /// Passes a packet on, answers it, or says why not.
    fn handle_packet(&mut self, number: usize, content: &[u8]) {
        let Some(first) = content.first() else { return };
        let header_length = usize::from(first & 0x0f) * 4;
        let Some(header) = content.get(..header_length).filter(|header| header.len() >= size_of::<Ip>()) else { return };
        let total = usize::from(number16(&header[span_of!(Ip, total_length)]));
        // What follows the packet in the frame is padding.
        let Some(packet) = content.get(..total).filter(|packet| packet.len() >= header_length) else { return };
        if first >> 4 != 4 || checksum(header) != 0 {
            return;
        }
        let destination = number32(&header[span_of!(Ip, destination)]);
        // From 224.0.0.0 on addresses are those of groups, or of all.
        if destination >= 0xe000_0000 {
            return;
        }
        if self.interfaces.iter().any(|interface| interface.address == destination) {
            self.answer_echo(packet, header_length);
            return;
        }
        if header[offset_of!(Ip, time_to_live)] <= 1 {
            self.complain(number, packet, header_length, TIME_EXCEEDED);
            return;
        }
        if self.route(destination).is_none() {
            self.complain(number, packet, header_length, UNREACHABLE);
            return;
        }
        let mut packet = packet.to_vec();
        packet[offset_of!(Ip, time_to_live)] -= 1;
        finish_header(&mut packet, header_length);
        self.send_packet(packet);
    }

    /// The route with the longest prefix that fits: its interface and its gateway.
    fn route(&self, destination: u32) -> Option<(usize, Option<u32>)> {
        let fitting = self.routes.iter().filter(|route| destination & mask(route.length) == route.network);
        fitting.max_by_key(|route| route.length).map(|route| (route.interface, route.gateway))
    }

    /// Sends a packet to its next hop, or lets it wait until the next hop's Ethernet address is known.
    fn send_packet(&mut self, packet: Vec<u8>) {
        let destination = number32(&packet[span_of!(Ip, destination)]);
        let Some((number, gateway)) = self.route(destination) else { return };
        let next = gateway.unwrap_or(destination);
        let interface = &self.interfaces[number];
        match self.neighbours.entry((number, next)).or_insert_with(|| Neighbour::Asked(Vec::new())) {
            Neighbour::Known(mac) => send(interface, *mac, libc::ETH_P_IP, &packet),
            Neighbour::Asked(waiting) => {
                if waiting.len() < MOST_WAITING {
                    waiting.push(packet);
                }
                send(interface, TO_ALL, libc::ETH_P_ARP, &arp(interface, REQUEST, [0; 6], next));
            }
        }
    }

    /// Sends the answer to an echo request; what else is for this host is left alone.
    fn answer_echo(&mut self, packet: &[u8], header_length: usize) {
        let message = &packet[header_length..];
        let is_fragment = number16(&packet[span_of!(Ip, fragment)]) & 0x3fff != 0;
        let is_icmp = c_int::from(packet[offset_of!(Ip, protocol)]) == libc::IPPROTO_ICMP;
        if !is_icmp || is_fragment || message.len() < 8 || message[0] != ECHO_REQUEST || checksum(message) != 0 {
            return;
        }
        let mut message = message.to_vec();
        message[0] = ECHO_REPLY;
        self.send_icmp(&packet[span_of!(Ip, destination)], &packet[span_of!(Ip, source)], message);
    }

    /// Tells the sender of a packet what became of it, where that is allowed; RFC 1122, 3.2.2.
    fn complain(&mut self, number: usize, packet: &[u8], header_length: usize, kind: u8) {
        let (header, content) = packet.split_at(header_length);
        let source = &header[span_of!(Ip, source)];
        let is_later_fragment = number16(&header[span_of!(Ip, fragment)]) & 0x1fff != 0;
        let is_icmp = c_int::from(header[offset_of!(Ip, protocol)]) == libc::IPPROTO_ICMP;
        // Only questions may be answered by an error; an error that is answered by an error never ends.
        let is_question = content.first().is_some_and(|kind| matches!(kind, 8 | 13 | 15 | 17));
        if is_later_fragment || (is_icmp && !is_question) || source[0] == 0 || source[0] == 127 || source[0] >= 224 {
            return;
        }
        let mut message = vec![kind, 0, 0, 0, 0, 0, 0, 0];
        message.extend(&packet[..packet.len().min(28)]);
        let from = self.interfaces[number].address.to_be_bytes();
        self.send_icmp(&from, source, message);
    }

    /// Sends a message of ICMP in a packet of the router's own.
    fn send_icmp(&mut self, from: &[u8], to: &[u8], mut message: Vec<u8>) {
        message[2..4].fill(0);
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut packet = vec![0; size_of::<Ip>()];
        packet[0] = 0x45;
        packet[span_of!(Ip, total_length)].copy_from_slice(&((size_of::<Ip>() + message.len()) as u16).to_be_bytes());
        packet[offset_of!(Ip, time_to_live)] = TIME_TO_LIVE;
        packet[offset_of!(Ip, protocol)] = libc::IPPROTO_ICMP as u8;
        packet[span_of!(Ip, source)].copy_from_slice(from);
        packet[span_of!(Ip, destination)].copy_from_slice(to);
        finish_header(&mut packet, size_of::<Ip>());
        packet.extend(message);
        self.send_packet(packet);
    }
}

/// A message of ARP from this interface.
fn arp(interface: &Interface, operation: [u8; 2], target_mac: [u8; 6], target: u32) -> Vec<u8> {
    let mut message = vec![0; size_of::<Arp>()];
    message[span_of!(Arp, kinds)].copy_from_slice(&ARP_KINDS);
    message[span_of!(Arp, operation)].copy_from_slice(&operation);
    message[span_of!(Arp, sender_mac)].copy_from_slice(&interface.mac);
    message[span_of!(Arp, sender)].copy_from_slice(&interface.address.to_be_bytes());
    message[span_of!(Arp, target_mac)].copy_from_slice(&target_mac);
    message[span_of!(Arp, target)].copy_from_slice(&target.to_be_bytes());
    message
}

/// Puts the checksum into a header that has changed.
fn finish_header(packet: &mut [u8], header_length: usize) {
    packet[span_of!(Ip, checksum)].fill(0);
    let sum = checksum(&packet[..header_length]);
    packet[span_of!(Ip, checksum)].copy_from_slice(&sum.to_be_bytes());
}
