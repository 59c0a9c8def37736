//! Only a segment with SYN alone, or with SYN and ACK, begins a connection: one that asks for ECN has more flags, and prints nothing.

use std::ffi::CString;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::mem::{size_of, zeroed};
use std::process::exit;
use std::time::{SystemTime, UNIX_EPOCH};

use libc::c_int;
use memoffset::span_of;

/// More than the longest frame: an IPv4 packet has at most 65,535 bytes, a link header at most some dozens.
const BUFFER_SIZE: usize = 65_536 + 64;

/// What a packet socket says of a frame on its way out; packet(7). The crate libc does not have it.
const PACKET_OUTGOING: u8 = 4;

/// The beginning of an Ethernet frame, which frames on loopback have too.
#[allow(dead_code, reason = "it is there for its offsets")]
#[repr(C)]
struct EthernetHeader {
    destination: [u8; 6],
    source: [u8; 6],
    protocol: [u8; 2],
}

/// The fixed part of an IPv4 header; RFC 791.
#[allow(dead_code, reason = "it is there for its offsets")]
#[repr(C)]
struct IpHeader {
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

/// The fixed part of a TCP header; RFC 9293.
#[allow(dead_code, reason = "it is there for its offsets")]
#[repr(C)]
struct TcpHeader {
    source_port: [u8; 2],
    destination_port: [u8; 2],
    sequence: [u8; 4],
    acknowledgment: [u8; 4],
    /// Length of the header in words of four bytes, in the upper four bits.
    data_offset: u8,
    flags: u8,
    window: [u8; 2],
    checksum: [u8; 2],
    urgent: [u8; 2],
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["watch", interface] => watch(interface, None),
        ["watch", interface, "--pcap", file] => watch(interface, Some(file)),
        ["stat", host, port] => match (octets(host), port.parse()) {
            (Some(host), Ok(port)) if port != 0 => stat(host, port),
            _ => usage(),
        },
        _ => usage(),
    }
}

/// The four numbers of a dotted address, in the order in which they are written.
fn octets(host: &str) -> Option<[u8; 4]> {
    let numbers: Result<Vec<u8>, _> = host.split('.').map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

fn usage() -> ! {
    eprintln!("usage: handshake watch IFACE [--pcap FILE]");
    eprintln!("usage: handshake stat HOST PORT");
    exit(2);
}

/// Reports the call that has just failed, with the message for errno, and gives up.
fn fail(call: &str) -> ! {
    fail_with(call, &io::Error::last_os_error());
}

fn fail_with(call: &str, error: &io::Error) -> ! {
    eprintln!("handshake: {call}: {error}");
    exit(1);
}

/// Prints at once, whoever reads it.
fn print(line: &str) {
    let mut stdout = io::stdout();
    if let Err(error) = writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        fail_with("write", &error);
    }
}

fn watch(interface: &str, file: Option<&str>) {
    let signals = take_signals();
    let mut capture = file.map(Capture::create);
    let socket = packet_socket(interface);
    print(&format!("watching {interface}"));
    let mut connections = Vec::new();
    let mut buffer = vec![0; BUFFER_SIZE];
    while let Some((kept, length)) = next_frame(socket, signals, &mut buffer) {
        let frame = &buffer[..kept];
        let Some(packet) = ipv4_of(frame) else { continue };
        if let Some(capture) = &mut capture {
            capture.record(frame, length);
        }
        if let Some(line) = Segment::read(packet).and_then(|segment| line_for(&mut connections, &segment)) {
            print(&line);
        }
    }
}

/// From here on SIGTERM and SIGINT do not end the process: they can be read from the descriptor that this returns.
fn take_signals() -> c_int {
    // SAFETY: a sigset_t is an array of integers, for which all zeros is a value.
    let mut set: libc::sigset_t = unsafe { zeroed() };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the set is initialised: all zeros is the empty set.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    // SAFETY: the set is initialised, and a null old set is permitted.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) } == -1 {
        fail("sigprocmask");
    }
    // SAFETY: the set is initialised.
    let signals = unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC) };
    if signals == -1 {
        fail("signalfd");
    }
    signals
}

/// A socket that is given the frames of this interface, those that come in and those that go out.
fn packet_socket(interface: &str) -> c_int {
    let Ok(name) = CString::new(interface) else { usage() };
    // SAFETY: the name is a NUL-terminated string.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        fail("if_nametoindex");
    }
    // Protocol 0 receives nothing: no frame of another interface comes in before the socket is bound to this one.
    // SAFETY: has no memory-safety precondition.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
    if socket == -1 {
        fail("socket");
    }
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        // ETH_P_IP would be given what comes in, and nothing of what goes out.
        sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
        sll_ifindex: index as c_int,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the pointer and the length are those of a whole sockaddr_ll.
    if unsafe { libc::bind(socket, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) } == -1 {
        fail("bind");
    }
    socket
}

/// Waits for the next frame: how much of it is in the buffer, and how long it is. `None` when it is time to stop.
fn next_frame(socket: c_int, signals: c_int, buffer: &mut [u8]) -> Option<(usize, usize)> {
    loop {
        let mut polled = [signals, socket].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        // SAFETY: the pointer and the count are those of an array of pollfd.
        if unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) } == -1 {
            if errno() != libc::EINTR {
                fail("poll");
            }
            continue;
        }
        // First, so that a busy network does not keep the program from its end.
        if polled[0].revents != 0 {
            return None;
        }
        if let Some(lengths) = receive(socket, buffer) {
            return Some(lengths);
        }
    }
}

/// One frame, if it is not one to pass over.
fn receive(socket: c_int, buffer: &mut [u8]) -> Option<(usize, usize)> {
    // SAFETY: sockaddr_ll is a C structure of integers, for which all zeros is a value.
    let mut from: libc::sockaddr_ll = unsafe { zeroed() };
    let mut from_length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // With MSG_TRUNC the result is the frame's own length, also if the buffer is shorter.
    let flags = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
    // SAFETY: the buffer's pointer and length are a slice's, and `from_length` says how many bytes `from` has.
    let result = unsafe { libc::recvfrom(socket, buffer.as_mut_ptr().cast(), buffer.len(), flags, (&raw mut from).cast(), &mut from_length) };
    if result == -1 {
        match errno() {
            libc::EINTR | libc::EAGAIN => return None,
            _ => fail("recvfrom"),
        }
    }
    // What goes out on loopback comes in again: it would be seen twice.
    if from.sll_hatype == libc::ARPHRD_LOOPBACK && from.sll_pkttype == PACKET_OUTGOING {
        return None;
    }
    let length = result as usize;
    Some((length.min(buffer.len()), length))
}

/// What the link header of an IPv4 frame is followed by.
fn ipv4_of(frame: &[u8]) -> Option<&[u8]> {
    let protocol = number16(frame.get(span_of!(EthernetHeader, protocol))?);
    (i32::from(protocol) == libc::ETH_P_IP).then(|| &frame[size_of::<EthernetHeader>()..])
}

/// A number of two bytes, as the network has it: the most significant byte first.
fn number16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |number, byte| number << 8 | u16::from(*byte))
}

fn number32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// One end of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
struct End {
    address: [u8; 4],
    port: u16,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.address;
        write!(f, "{a}.{b}.{c}.{d}:{}", self.port)
    }
}

/// What a TCP segment says.
struct Segment {
    from: End,
    to: End,
    sequence: u32,
    acknowledgment: u32,
    flags: u8,
    mss: Option<u16>,
    /// Bytes of data that it carries.
    data: u32,
}

impl Segment {
    /// Reads an IPv4 packet that may be anything: `None` if it is no TCP segment, or shorter than it says itself.
    fn read(packet: &[u8]) -> Option<Self> {
        let ip = packet.get(..size_of::<IpHeader>())?;
        let header_length = usize::from(ip[0] & 0x0f) * 4;
        // What follows the packet in the frame is padding, and not data.
        let packet = packet.get(..usize::from(number16(&ip[span_of!(IpHeader, total_length)])))?;
        let fragment_offset = number16(&ip[span_of!(IpHeader, fragment)]) & 0x1fff;
        let protocol = number16(&ip[span_of!(IpHeader, protocol)]);
        if ip[0] >> 4 != 4 || header_length < size_of::<IpHeader>() || fragment_offset != 0 || i32::from(protocol) != libc::IPPROTO_TCP {
            return None;
        }
        let segment = packet.get(header_length..)?;
        let tcp = segment.get(..size_of::<TcpHeader>())?;
        let data_offset = usize::from(tcp[span_of!(TcpHeader, data_offset)][0] >> 4) * 4;
        let options = segment.get(size_of::<TcpHeader>()..data_offset)?;
        let end = |address: &[u8], port: &[u8]| {
            let mut end = End { address: [0; 4], port: number16(port) };
            end.address.copy_from_slice(address);
            end
        };
        Some(Self {
            from: end(&ip[span_of!(IpHeader, source)], &tcp[span_of!(TcpHeader, source_port)]),
            to: end(&ip[span_of!(IpHeader, destination)], &tcp[span_of!(TcpHeader, destination_port)]),
            sequence: number32(&tcp[span_of!(TcpHeader, sequence)]),
            acknowledgment: number32(&tcp[span_of!(TcpHeader, acknowledgment)]),
            flags: tcp[span_of!(TcpHeader, flags)][0],
            mss: mss_in(options),
            data: (segment.len() - data_offset) as u32,
        })
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The value of the option MSS. An option with a length that cannot be true is the last one that is looked at.
fn mss_in(mut options: &[u8]) -> Option<u16> {
    loop {
        match *options {
            // The end of the options, or a byte that fills a gap.
            [] | [0, ..] => return None,
            [1, ref rest @ ..] => options = rest,
            [2, 4, high, low, ..] => return Some(u16::from_be_bytes([high, low])),
            [_, length, ..] if length >= 2 => options = options.get(usize::from(length)..)?,
            _ => return None,
        }
    }
}

/// A connection whose SYN was seen.
struct Connection {
    client: End,
    server: End,
    client_syn: u32,
    /// The sequence number of the SYN-ACK, once it was seen.
    server_syn: Option<u32>,
    /// Whether the third segment of the handshake was seen.
    complete: bool,
    client_fin: bool,
    server_fin: bool,
}

/// The line that this segment is worth, if any; what is known of its connection is brought up to date.
fn line_for(connections: &mut Vec<Connection>, segment: &Segment) -> Option<String> {
    let between = |known: &Connection| {
        let ends = (known.client, known.server);
        ends == (segment.from, segment.to) || ends == (segment.to, segment.from)
    };
    let place = connections.iter().position(between);
    if segment.has(SYN) && segment.flags & !(SYN | ACK) != 0 {
        return None;
    }
    if segment.has(RST) {
        connections.swap_remove(place?);
        return Some(line("RST", segment, ""));
    }
    if segment.has(SYN) && !segment.has(ACK) {
        let again = place.is_some_and(|place| connections[place].client == segment.from && connections[place].client_syn == segment.sequence);
        if !again {
            if let Some(place) = place {
                connections.swap_remove(place);
            }
            connections.push(Connection {
                client: segment.from,
                server: segment.to,
                client_syn: segment.sequence,
                server_syn: None,
                complete: false,
                client_fin: false,
                server_fin: false,
            });
        }
        return Some(line("SYN", segment, if again { " again" } else { "" }));
    }
    let known = &mut connections[place?];
    let from_client = segment.from == known.client;
    // Sequence numbers go round: after 4,294,967,295 comes 0.
    let after_client_syn = known.client_syn.wrapping_add(1);
    if segment.has(SYN) {
        if from_client || segment.acknowledgment != after_client_syn {
            return None;
        }
        let again = known.server_syn.replace(segment.sequence) == Some(segment.sequence);
        return Some(line("SYN-ACK", segment, if again { " again" } else { "" }));
    }
    let after_server_syn = known.server_syn.map(|sequence| sequence.wrapping_add(1));
    if segment.has(FIN) {
        let first = if from_client { after_client_syn } else { after_server_syn? };
        let sent = segment.sequence.wrapping_add(segment.data).wrapping_sub(first);
        let fin = if from_client { &mut known.client_fin } else { &mut known.server_fin };
        let again = std::mem::replace(fin, true);
        return Some(line("FIN", segment, &format!(" bytes {sent}{}", if again { " again" } else { "" })));
    }
    let completes = segment.has(ACK) && from_client && segment.sequence == after_client_syn && Some(segment.acknowledgment) == after_server_syn;
    if !completes || std::mem::replace(&mut known.complete, true) {
        return None;
    }
    Some(line("ACK", segment, ""))
}

fn line(name: &str, segment: &Segment, end: &str) -> String {
    let mut line = format!("{name} {} > {} seq {}", segment.from, segment.to, segment.sequence);
    // Writing to a String cannot fail.
    if segment.has(ACK) {
        // Without the flag the field means nothing.
        let _ = write!(line, " ack {}", segment.acknowledgment);
    }
    if let Some(mss) = segment.mss.filter(|_| segment.has(SYN)) {
        let _ = write!(line, " mss {mss}");
    }
    line + end
}

/// A file of frames in the format of libpcap.
struct Capture {
    file: File,
}

impl Capture {
    /// Makes the file anew, with its header.
    fn create(path: &str) -> Self {
        let file = File::create(path).unwrap_or_else(|error| fail_with("open", &error));
        let mut capture = Self { file };
        let mut header = Vec::new();
        header.extend(0xa1b2_c3d4_u32.to_ne_bytes()); // tells the byte order, and that times are in microseconds
        header.extend(2_u16.to_ne_bytes()); // version 2.4
        header.extend(4_u16.to_ne_bytes());
        header.extend([0; 8]); // time zone and accuracy, both unused
        header.extend((BUFFER_SIZE as u32).to_ne_bytes()); // most bytes kept of a frame
        header.extend(1_u32.to_ne_bytes()); // Ethernet
        capture.write(&header);
        capture
    }

    /// Adds the part of a frame that was kept. In one write: whenever the program ends, the last record is whole.
    fn record(&mut self, kept: &[u8], length: usize) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut record = Vec::with_capacity(16 + kept.len());
        for number in [now.as_secs() as u32, now.subsec_micros(), kept.len() as u32, length as u32] {
            record.extend(number.to_ne_bytes());
        }
        record.extend(kept);
        self.write(&record);
    }

    /// Writes all of it, whether the system takes it at once or not.
    fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.file.write_all(bytes) {
            fail_with("write", &error);
        }
    }
}

fn stat(host: [u8; 4], port: u16) {
    let socket = connect_to(host, port);
    let info = tcp_info(socket);
    print(&description(&info));
    // SAFETY: the descriptor is this function's, and not used afterwards.
    if unsafe { libc::close(socket) } == -1 {
        fail("close");
    }
}

/// A socket that is connected to the server.
fn connect_to(host: [u8; 4], port: u16) -> c_int {
    // SAFETY: has no memory-safety precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    if socket == -1 {
        fail("socket");
    }
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        // The octets lie in memory in the order in which they go over the network.
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(host) },
        sin_zero: [0; 8],
    };
    // SAFETY: the pointer and the length are those of a whole sockaddr_in.
    if unsafe { libc::connect(socket, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) } == -1 {
        fail("connect");
    }
    socket
}

/// What the kernel knows of the connection.
fn tcp_info(socket: c_int) -> libc::tcp_info {
    // SAFETY: tcp_info is a C structure of integers, for which all zeros is a value.
    let mut info: libc::tcp_info = unsafe { zeroed() };
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: `length` says how many bytes may be written at the structure's address.
    if unsafe { libc::getsockopt(socket, libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &mut length) } == -1 {
        fail("getsockopt");
    }
    info
}

/// The lines of `handshake stat`, the last one without its end.
fn description(info: &libc::tcp_info) -> String {
    /// The states by their numbers, from 1; the kernel's `TCP_ESTABLISHED` and its followers.
    const STATES: [&str; 12] = [
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
        "NEW_SYN_RECV",
    ];
    let state = STATES.get(usize::from(info.tcpi_state).wrapping_sub(1)).unwrap_or(&"UNKNOWN");
    let known = [(1, "timestamps"), (2, "sack"), (4, "wscale")];
    let mut options: Vec<&str> = known.iter().filter(|(bit, _)| info.tcpi_options & bit != 0).map(|(_, name)| *name).collect();
    if options.is_empty() {
        options.push("none");
    }
    // A C compiler fills a byte with bit-fields from its low end where the lowest byte of a number comes first.
    let (low, high) = (info.tcpi_snd_rcv_wscale & 0x0f, info.tcpi_snd_rcv_wscale >> 4);
    let (sending, receiving) = if cfg!(target_endian = "little") { (low, high) } else { (high, low) };
    format!(
        "state {state}\nsnd_mss {}\noptions {}\nsnd_wscale {sending}\nrcv_wscale {receiving}\nrtt {}",
        info.tcpi_snd_mss,
        options.join(" "),
        info.tcpi_rtt,
    )
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
