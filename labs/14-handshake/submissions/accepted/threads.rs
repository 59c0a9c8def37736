//! A thread receives, and the main thread waits for the signals with sigwait. FILE keeps the first 256 bytes of each frame and the kernel's own time stamp
//! (recvmsg, SO_TIMESTAMP); on loopback the copy on its way out is the one that counts.

use std::collections::HashMap;
use std::ffi::{CString, c_int};
use std::fs::File;
use std::io::{Error, Write};
use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Bytes that FILE keeps of a frame.
const SNAPLEN: usize = 256;
/// `PACKET_OUTGOING`, and what the type of interface is on loopback.
const OUTGOING: u8 = 4;

type End = ([u8; 4], u16);

#[derive(Debug, Default)]
struct Side {
    /// The number of its SYN, once that was seen.
    syn: Option<u32>,
    fin: bool,
}

#[derive(Debug)]
struct Connection {
    client: Side,
    server: Side,
    complete: bool,
}

#[derive(Debug)]
struct Segment {
    from: End,
    to: End,
    seq: u32,
    ack: Option<u32>,
    fin: bool,
    syn: bool,
    rst: bool,
    mss: Option<u16>,
    data: u32,
}

fn failed(call: &str, error: Error) -> ! {
    eprintln!("handshake: {call}: {error}");
    exit(1)
}

fn check(call: &str, result: impl Into<i64>) -> i64 {
    match result.into() {
        -1 => failed(call, Error::last_os_error()),
        result => result,
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = words.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    match (command, rest) {
        ("watch", [interface]) => watch(interface, None),
        ("watch", [interface, option, file]) if option == "--pcap" => watch(interface, Some(file)),
        ("stat", [host, port]) => {
            let numbers: Vec<u8> = host.split('.').filter_map(|number| number.parse().ok()).collect();
            match (<[u8; 4]>::try_from(numbers), port.parse::<u16>()) {
                (Ok(host), Ok(port)) if port > 0 && host.len() == rest[0].split('.').count() => stat(host, port),
                _ => usage(),
            }
        }
        _ => usage(),
    }
}

fn usage() -> ! {
    eprint!("usage: handshake watch IFACE [--pcap FILE]\n       handshake stat HOST PORT\n");
    exit(2)
}

fn watch(interface: &str, file: Option<&str>) {
    let mut signals = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set.
    unsafe { libc::sigemptyset(signals.as_mut_ptr()) };
    // SAFETY: it is initialised now.
    let mut signals = unsafe { signals.assume_init() };
    // SAFETY: the set is initialised.
    unsafe { libc::sigaddset(&mut signals, libc::SIGTERM) };
    // SAFETY: the set is initialised.
    unsafe { libc::sigaddset(&mut signals, libc::SIGINT) };
    // The thread that is made below inherits this.
    // SAFETY: the set is initialised, and the old one is not asked for.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &signals, std::ptr::null_mut()) };
    if error != 0 {
        failed("pthread_sigmask", Error::from_raw_os_error(error));
    }

    let file = file.map(|path| {
        let mut file = File::create(path).unwrap_or_else(|error| failed("open", error));
        let words = [0xa1b2_c3d4_u32, if cfg!(target_endian = "little") { 0x0004_0002 } else { 0x0002_0004 }, 0, 0, SNAPLEN as u32, 1];
        let header: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        file.write_all(&header).unwrap_or_else(|error| failed("write", error));
        file
    });
    // Held while a frame is dealt with: the end does not come in the middle of that.
    let at_work = Arc::new(Mutex::new(()));
    let socket = open(interface);
    say(&format!("watching {interface}"));
    let turn = Arc::clone(&at_work);
    thread::spawn(move || receive_for_ever(socket, file, &turn));

    let mut signal = 0;
    // SAFETY: the set is initialised, and the signal's number goes to an integer.
    let error = unsafe { libc::sigwait(&signals, &mut signal) };
    if error != 0 {
        failed("sigwait", Error::from_raw_os_error(error));
    }
    let _turn = at_work.lock().unwrap_or_else(PoisonError::into_inner);
    exit(0)
}

fn say(line: &str) {
    if let Err(error) = std::io::stdout().write_all(format!("{line}\n").as_bytes()) {
        failed("write", error);
    }
}

fn open(interface: &str) -> c_int {
    let name = CString::new(interface).unwrap_or_default();
    let everything = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: no precondition.
    let socket = check("socket", unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) }) as c_int;
    let on: c_int = 1;
    // SAFETY: pointer and length are those of an integer.
    check("setsockopt", unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMP, (&raw const on).cast(), 4) });
    // SAFETY: the name ends with a NUL.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        failed("if_nametoindex", Error::last_os_error());
    }
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: everything,
        sll_ifindex: index.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: pointer and length are those of the address.
    check("bind", unsafe { libc::bind(socket, (&raw const address).cast(), size_of_val(&address) as u32) });
    socket
}

/// A buffer for ancillary data, aligned as its header wants it.
#[repr(C, align(8))]
struct Control([u8; 128]);

fn receive_for_ever(socket: c_int, mut file: Option<File>, turn: &Mutex<()>) -> ! {
    let mut connections: HashMap<(End, End), Connection> = HashMap::new();
    let mut frame = vec![0u8; 1 << 17];
    loop {
        // SAFETY: integers, for which zeros are a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        let mut control = Control([0; 128]);
        let mut part = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
        // SAFETY: integers and pointers, for which zeros are a value.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_name = (&raw mut address).cast();
        message.msg_namelen = size_of_val(&address) as u32;
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control.0.len() as _;
        // SAFETY: all pointers of the message are to live buffers of the lengths given.
        let length = unsafe { libc::recvmsg(socket, &raw mut message, 0) };
        if length == -1 {
            match Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::EINTR) => continue,
                error => failed("recvmsg", error),
            }
        }
        let frame = &frame[..length as usize];
        let first_copy = address.sll_pkttype == OUTGOING || address.sll_hatype != libc::ARPHRD_LOOPBACK;
        if !first_copy || u16::from_be(address.sll_protocol) != libc::ETH_P_IP as u16 {
            continue;
        }
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut file {
            let (seconds, microseconds) = time_of(&message);
            let kept = &frame[..frame.len().min(SNAPLEN)];
            let words = [seconds, microseconds, kept.len() as u32, frame.len() as u32];
            let mut record: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            record.extend_from_slice(kept);
            file.write_all(&record).unwrap_or_else(|error| failed("write", error));
        }
        if let Some(line) = parse(frame).and_then(|segment| judge(&mut connections, &segment)) {
            say(&line);
        }
    }
}

/// When the kernel saw the frame.
fn time_of(message: &libc::msghdr) -> (u32, u32) {
    // SAFETY: the message is as recvmsg has left it.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so it is a header inside the control buffer.
        let found = unsafe { *header };
        if (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMP) {
            // SAFETY: as above.
            let data = unsafe { libc::CMSG_DATA(header) };
            // SAFETY: with this type a timeval follows, however it is aligned.
            let time = unsafe { data.cast::<libc::timeval>().read_unaligned() };
            return (time.tv_sec as u32, time.tv_usec as u32);
        }
        // SAFETY: the message is as recvmsg has left it, and the header is one of its own.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    (0, 0)
}

fn parse(frame: &[u8]) -> Option<Segment> {
    let (ip, rest) = frame.get(14..)?.split_at_checked(20)?;
    let total = usize::from(u16::from_be_bytes(ip[2..4].try_into().ok()?));
    let options = usize::from(ip[0] & 0xf).checked_sub(5)? * 4;
    let later_fragment = u16::from_be_bytes(ip[6..8].try_into().ok()?) << 3 != 0;
    if ip[0] & 0xf0 != 0x40 || ip[9] != 6 || later_fragment {
        return None;
    }
    let tcp = rest.get(..total.checked_sub(20)?)?.get(options..)?;
    let (fixed, rest) = tcp.split_at_checked(20)?;
    let (options, data) = rest.split_at_checked(usize::from(fixed[12] >> 4).checked_sub(5)? * 4)?;
    let word = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let flag = |bit: u8| fixed[13] >> bit & 1 == 1;
    Some(Segment {
        from: (ip[12..16].try_into().ok()?, (word(0) >> 16) as u16),
        to: (ip[16..20].try_into().ok()?, word(0) as u16),
        seq: word(4),
        ack: flag(4).then(|| word(8)),
        fin: flag(0),
        syn: flag(1),
        rst: flag(2),
        mss: mss(options),
        data: data.len() as u32,
    })
}

fn mss(options: &[u8]) -> Option<u16> {
    match options.split_first()? {
        (0, _) => None,
        (1, rest) => mss(rest),
        (kind, rest) => {
            let length = usize::from(*rest.first()?);
            let value = options.get(2..length)?;
            if *kind == 2 && length == 4 { Some(u16::from_be_bytes([value[0], value[1]])) } else { mss(&options[length..]) }
        }
    }
}

fn judge(connections: &mut HashMap<(End, End), Connection>, segment: &Segment) -> Option<String> {
    let (forwards, backwards) = ((segment.from, segment.to), (segment.to, segment.from));
    if segment.rst {
        connections.remove(&forwards).or_else(|| connections.remove(&backwards))?;
        return Some(line("RST", segment, None, false));
    }
    match (segment.syn, segment.ack) {
        (true, None) => {
            let again = connections.get(&forwards).is_some_and(|known| known.client.syn == Some(segment.seq));
            if !again {
                connections.remove(&backwards);
                let client = Side { syn: Some(segment.seq), fin: false };
                connections.insert(forwards, Connection { client, server: Side::default(), complete: false });
            }
            Some(line("SYN", segment, None, again))
        }
        (true, Some(ack)) => {
            let known = connections.get_mut(&backwards).filter(|known| known.client.syn.map(next) == Some(ack))?;
            let again = known.server.syn == Some(segment.seq);
            known.server.syn = Some(segment.seq);
            Some(line("SYN-ACK", segment, None, again))
        }
        (false, ack) => {
            let from_client = connections.contains_key(&forwards);
            let known = connections.get_mut(if from_client { &forwards } else { &backwards })?;
            if segment.fin {
                let side = if from_client { &mut known.client } else { &mut known.server };
                let bytes = segment.seq.wrapping_add(segment.data).wrapping_sub(next(side.syn?));
                let again = std::mem::replace(&mut side.fin, true);
                return Some(line("FIN", segment, Some(bytes), again));
            }
            let expected = (known.client.syn.map(next)?, known.server.syn.map(next)?);
            if !from_client || known.complete || (segment.seq, ack?) != expected {
                return None;
            }
            known.complete = true;
            Some(line("ACK", segment, None, false))
        }
    }
}

fn next(number: u32) -> u32 {
    number.wrapping_add(1)
}

fn line(name: &str, segment: &Segment, bytes: Option<u32>, again: bool) -> String {
    let end = |(address, port): End| format!("{}:{port}", address.map(|number| number.to_string()).join("."));
    let mut words = vec![name.to_owned(), end(segment.from), ">".to_owned(), end(segment.to), format!("seq {}", segment.seq)];
    words.extend(segment.ack.map(|ack| format!("ack {ack}")));
    words.extend(segment.mss.filter(|_| segment.syn).map(|mss| format!("mss {mss}")));
    words.extend(bytes.map(|bytes| format!("bytes {bytes}")));
    words.extend(again.then(|| "again".to_owned()));
    words.join(" ")
}

fn stat(host: [u8; 4], port: u16) {
    // SAFETY: no precondition.
    let socket = check("socket", unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) }) as c_int;
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(host) },
        sin_zero: [0; 8],
    };
    // SAFETY: pointer and length are those of the address.
    check("connect", unsafe { libc::connect(socket, (&raw const address).cast(), size_of_val(&address) as u32) });
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as u32;
    // SAFETY: `length` is that of the structure.
    check("getsockopt", unsafe { libc::getsockopt(socket, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut length) });
    // SAFETY: it was zeroed, and zeros are a value for what an older kernel does not fill.
    let info = unsafe { info.assume_init() };
    let names = "? ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING";
    say(&format!("state {}", names.split(' ').nth(info.tcpi_state.into()).unwrap_or("?")));
    say(&format!("snd_mss {}", info.tcpi_snd_mss));
    let options: Vec<&str> =
        ["timestamps", "sack", "wscale"].into_iter().enumerate().filter(|(bit, _)| info.tcpi_options >> bit & 1 == 1).map(|(_, name)| name).collect();
    say(&format!("options {}", if options.is_empty() { "none".to_owned() } else { options.join(" ") }));
    say(&format!("snd_wscale {}\nrcv_wscale {}", info.tcpi_snd_rcv_wscale % 16, info.tcpi_snd_rcv_wscale / 16));
    say(&format!("rtt {}", info.tcpi_rtt));
}
