//! Failures are values, descriptors have owners, and headers are read by a cursor. epoll waits for the socket and a signalfd; frames come by read, and on
//! loopback the kernel is asked to leave out those that go out. Closed connections stay in a map that is asked by both ends in order.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

enum Trouble {
    Usage,
    Call(&'static str, io::Error),
}

type Outcome<T> = Result<T, Trouble>;

/// The result of a call that returns -1 for an error.
fn checked(call: &'static str, result: i32) -> Outcome<i32> {
    if result == -1 { Err(Trouble::Call(call, io::Error::last_os_error())) } else { Ok(result) }
}

fn owned(call: &'static str, result: i32) -> Outcome<OwnedFd> {
    let fd = checked(call, result)?;
    // SAFETY: the call has just opened it, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Trouble::Usage) => {
            eprintln!("usage: handshake watch IFACE [--pcap FILE] | stat HOST PORT");
            ExitCode::from(2)
        }
        Err(Trouble::Call(call, error)) => {
            eprintln!("handshake: {call}: {error}");
            ExitCode::from(1)
        }
    }
}

fn command(arguments: &[&str]) -> Outcome<()> {
    match *arguments {
        ["watch", interface] => watch(interface, None),
        ["watch", interface, "--pcap", file] => watch(interface, Some(Trace::new(file)?)),
        ["stat", host, port] => {
            let mut numbers = host.split('.').map(str::parse::<u8>);
            let mut number = || numbers.next().and_then(Result::ok).ok_or(Trouble::Usage);
            let host = [number()?, number()?, number()?, number()?];
            let port = port.parse::<u16>().ok().filter(|port| *port != 0).ok_or(Trouble::Usage)?;
            if numbers.next().is_some() {
                return Err(Trouble::Usage);
            }
            stat(host, port)
        }
        _ => Err(Trouble::Usage),
    }
}

fn print(line: fmt::Arguments<'_>) -> Outcome<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(|error| Trouble::Call("write", error))
}

fn watch(interface: &str, mut trace: Option<Trace>) -> Outcome<()> {
    let (socket, signals) = (packet_socket(interface)?, signals()?);
    // SAFETY: no precondition.
    let epoll = owned("epoll_create1", unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    for fd in [socket.as_raw_fd(), signals.as_raw_fd()] {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: fd as u64 };
        // SAFETY: the event is read during the call only.
        checked("epoll_ctl", unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) })?;
    }
    print(format_args!("watching {interface}"))?;
    let mut seen = Connections::default();
    let mut buffer = vec![0; 66_000];
    while let Some(frame) = next(&epoll, &socket, &signals, &mut buffer)? {
        let Some([0x08, 0x00]) = frame.get(12..14) else { continue };
        if let Some(trace) = &mut trace {
            trace.add(frame)?;
        }
        if let Some(line) = Segment::parse(&frame[14..]).and_then(|segment| seen.line(&segment)) {
            print(format_args!("{line}"))?;
        }
    }
    Ok(())
}

fn packet_socket(interface: &str) -> Outcome<OwnedFd> {
    const IGNORE_OUTGOING: i32 = 23;
    let name = CString::new(interface).map_err(|_| Trouble::Usage)?;
    // SAFETY: the name ends with a NUL.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(Trouble::Call("if_nametoindex", io::Error::last_os_error()));
    }
    // SAFETY: no precondition.
    let socket = owned("socket", unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: an ifreq is integers and pointers, for which zeros are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.as_bytes()) {
        *to = *from as libc::c_char;
    }
    // SAFETY: SIOCGIFFLAGS reads the name from an ifreq and writes the flags into it.
    checked("ioctl", unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) })?;
    // SAFETY: the call has filled this field of the union.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    let loopback = i32::from(i32::from(flags) & libc::IFF_LOOPBACK != 0);
    // SAFETY: pointer and length are those of an integer.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, IGNORE_OUTGOING, (&raw const loopback).cast(), 4) };
    checked("setsockopt", result)?;
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: u16::from_ne_bytes([0, libc::ETH_P_ALL as u8]),
        sll_ifindex: index as i32,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length are those of the address.
    checked("bind", unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(socket)
}

/// A descriptor that can be read when SIGTERM or SIGINT has come.
fn signals() -> Outcome<OwnedFd> {
    // SAFETY: a sigset_t is integers, for which zeros are a value.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the set is initialised.
        checked("sigaddset", unsafe { libc::sigaddset(&mut set, signal) })?;
    }
    // SAFETY: the set is initialised, and the old one is not asked for.
    checked("sigprocmask", unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) })?;
    // SAFETY: the set is initialised.
    owned("signalfd", unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) })
}

/// The next frame; none when a signal has come.
fn next<'buffer>(epoll: &OwnedFd, socket: &OwnedFd, signals: &OwnedFd, buffer: &'buffer mut [u8]) -> Outcome<Option<&'buffer [u8]>> {
    let mut ready = [libc::epoll_event { events: 0, u64: 0 }; 2];
    loop {
        // SAFETY: pointer and count are those of the array.
        let count = unsafe { libc::epoll_wait(epoll.as_raw_fd(), ready.as_mut_ptr(), 2, -1) };
        let count = match checked("epoll_wait", count) {
            Err(Trouble::Call(_, error)) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count? as usize,
        };
        if ready[..count].iter().any(|event| event.u64 as RawFd == signals.as_raw_fd()) {
            return Ok(None);
        }
        // SAFETY: pointer and length are those of a slice that may be written.
        let length = unsafe { libc::read(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        match checked("read", length as i32) {
            Err(Trouble::Call(_, error)) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            length => return Ok(Some(&buffer[..length? as usize])),
        }
    }
}

/// Takes numbers from the beginning of a slice, the most significant byte first.
struct Cursor<'bytes>(&'bytes [u8]);

impl<'bytes> Cursor<'bytes> {
    fn take(&mut self, count: usize) -> Option<&'bytes [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number<const SIZE: usize>(&mut self) -> Option<u32> {
        self.take(SIZE).map(|bytes| bytes.iter().fold(0, |number, byte| number * 256 + u32::from(*byte)))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    address: u32,
    port: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.address.to_be_bytes();
        write!(f, "{a}.{b}.{c}.{d}:{}", self.port)
    }
}

struct Segment {
    source: Place,
    destination: Place,
    sequence: u32,
    acknowledgment: u32,
    flags: u32,
    mss: Option<u32>,
    data: u32,
}

const FIN: u32 = 1;
const SYN: u32 = 2;
const RST: u32 = 4;
const ACK: u32 = 16;

impl Segment {
    fn parse(packet: &[u8]) -> Option<Self> {
        let mut ip = Cursor(packet);
        let first = ip.number::<1>()?;
        ip.take(1)?;
        let total = ip.number::<2>()? as usize;
        ip.take(2)?;
        let offset = ip.number::<2>()? % (1 << 13);
        ip.take(1)?;
        let protocol = ip.number::<1>()?;
        ip.take(2)?;
        let (source, destination) = (ip.number::<4>()?, ip.number::<4>()?);
        let header = (first % 16) as usize * 4;
        if first / 16 != 4 || header < 20 || offset != 0 || protocol != 6 {
            return None;
        }
        let mut whole = Cursor(packet.get(..total)?);
        whole.take(header)?;
        let length = whole.0.len();
        let mut tcp = whole;
        let (source_port, destination_port) = (tcp.number::<2>()?, tcp.number::<2>()?);
        let (sequence, acknowledgment) = (tcp.number::<4>()?, tcp.number::<4>()?);
        let offset_and_flags = tcp.number::<2>()?;
        tcp.take(6)?;
        let header = (offset_and_flags >> 12) as usize * 4;
        let options = tcp.take(header.checked_sub(20)?)?;
        Some(Self {
            source: Place { address: source, port: source_port },
            destination: Place { address: destination, port: destination_port },
            sequence,
            acknowledgment,
            flags: offset_and_flags & 0x3f,
            mss: mss(options),
            data: (length - header) as u32,
        })
    }

    fn is(&self, set: u32, unset: u32) -> bool {
        self.flags & (set | unset) == set
    }

    fn line(&self, name: &str) -> String {
        let mut line = format!("{name} {} > {} seq {}", self.source, self.destination, self.sequence);
        if self.is(ACK, 0) {
            line.push_str(&format!(" ack {}", self.acknowledgment));
        }
        match self.mss {
            Some(mss) if self.is(SYN, 0) => line + &format!(" mss {mss}"),
            _ => line,
        }
    }
}

fn mss(options: &[u8]) -> Option<u32> {
    let mut options = Cursor(options);
    loop {
        match options.number::<1>()? {
            0 => return None,
            1 => {}
            kind => {
                let length = options.number::<1>()?;
                let mut value = Cursor(options.take(length.checked_sub(2)? as usize)?);
                if (kind, length) == (2, 4) {
                    return value.number::<2>();
                }
            }
        }
    }
}

/// What is known of a connection: each end's first number behind its SYN, and what was printed.
#[derive(Default)]
struct Known {
    client: Option<Place>,
    first_of_client: u32,
    first_of_server: Option<u32>,
    acknowledged: bool,
    ended: Vec<Place>,
}

#[derive(Default)]
struct Connections(BTreeMap<(Place, Place), Known>);

impl Connections {
    fn line(&mut self, segment: &Segment) -> Option<String> {
        let ends = (segment.source.min(segment.destination), segment.source.max(segment.destination));
        let follower = segment.sequence.wrapping_add(1);
        if segment.is(RST, 0) {
            return self.0.remove(&ends).map(|_| segment.line("RST"));
        }
        if segment.is(SYN, ACK) {
            let again = self.0.get(&ends).is_some_and(|known| known.client == Some(segment.source) && known.first_of_client == follower);
            if again {
                return Some(segment.line("SYN") + " again");
            }
            self.0.insert(ends, Known { client: Some(segment.source), first_of_client: follower, ..Known::default() });
            return Some(segment.line("SYN"));
        }
        let known = self.0.get_mut(&ends)?;
        let from_client = known.client == Some(segment.source);
        if segment.is(SYN, 0) {
            if from_client || segment.acknowledgment != known.first_of_client {
                return None;
            }
            let before = known.first_of_server.replace(follower);
            return Some(segment.line("SYN-ACK") + if before == Some(follower) { " again" } else { "" });
        }
        if segment.is(FIN, 0) {
            let first = if from_client { known.first_of_client } else { known.first_of_server? };
            let bytes = segment.sequence.wrapping_add(segment.data).wrapping_sub(first);
            let again = known.ended.contains(&segment.source);
            known.ended.push(segment.source);
            return Some(format!("{} bytes {bytes}{}", segment.line("FIN"), if again { " again" } else { "" }));
        }
        let numbers = (Some(segment.acknowledgment), segment.sequence) == (known.first_of_server, known.first_of_client);
        let third = segment.is(ACK, 0) && from_client && numbers && !known.acknowledged;
        known.acknowledged |= third;
        third.then(|| segment.line("ACK"))
    }
}

struct Trace(std::fs::File);

impl Trace {
    fn new(path: &str) -> Outcome<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(|error| Trouble::Call("open", error))?;
        file.set_len(0).map_err(|error| Trouble::Call("ftruncate", error))?;
        let mut trace = Self(file);
        let (magic, version, snaplen, link) = (0xa1b2_c3d4_u32, [2_u16, 4], 66_000_u32, 1_u32);
        let version: Vec<u8> = version.iter().flat_map(|number| number.to_be_bytes()).collect();
        let header = [&magic.to_be_bytes()[..], &version, &[0; 8], &snaplen.to_be_bytes(), &link.to_be_bytes()].concat();
        trace.write(&header)?;
        Ok(trace)
    }

    fn add(&mut self, frame: &[u8]) -> Outcome<()> {
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO);
        let length = (frame.len() as u32).to_be_bytes();
        let record = [&(time.as_secs() as u32).to_be_bytes()[..], &time.subsec_micros().to_be_bytes(), &length, &length, frame].concat();
        self.write(&record)
    }

    fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.0.write_all(bytes).map_err(|error| Trouble::Call("write", error))
    }
}

fn stat(host: [u8; 4], port: u16) -> Outcome<()> {
    // SAFETY: no precondition.
    let socket = owned("socket", unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(host) },
        sin_zero: [0; 8],
    };
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length are those of the address.
    checked("connect", unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    // SAFETY: a tcp_info is integers, for which zeros are a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: `length` is that of the structure.
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_TCP, libc::TCP_INFO, (&raw mut info).cast(), &raw mut length) };
    checked("getsockopt", result)?;
    let state = match info.tcpi_state {
        1 => "ESTABLISHED",
        2 => "SYN_SENT",
        3 => "SYN_RECV",
        4 => "FIN_WAIT1",
        5 => "FIN_WAIT2",
        6 => "TIME_WAIT",
        7 => "CLOSE",
        8 => "CLOSE_WAIT",
        9 => "LAST_ACK",
        10 => "LISTEN",
        11 => "CLOSING",
        _ => "UNKNOWN",
    };
    print(format_args!("state {state}"))?;
    print(format_args!("snd_mss {}", info.tcpi_snd_mss))?;
    let bits = ["timestamps", "sack", "wscale"].iter().zip([1, 2, 4]);
    let options: Vec<&str> = bits.filter(|(_, bit)| info.tcpi_options & bit != 0).map(|(name, _)| *name).collect();
    print(format_args!("options {}", if options.is_empty() { "none".to_owned() } else { options.join(" ") }))?;
    print(format_args!("snd_wscale {}", info.tcpi_snd_rcv_wscale & 0xf))?;
    print(format_args!("rcv_wscale {}", info.tcpi_snd_rcv_wscale >> 4))?;
    print(format_args!("rtt {}", info.tcpi_rtt))
}
