//! As one would write it in C: a socket for ETH_P_IP that is given packets without their link header, handlers that set a flag and ppoll, a table that grows,
//! open and write for FILE, all its numbers in network byte order and its times in nanoseconds.

use std::ffi::CString;
use std::io::{self, Error};
use std::mem::zeroed;
use std::process::exit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, c_void};

const TH_FIN: u8 = 1;
const TH_SYN: u8 = 2;
const TH_RST: u8 = 4;
const TH_ACK: u8 = 16;

const MOST: usize = 70_000;

#[derive(Clone, Copy, PartialEq)]
struct Ends {
    saddr: [u8; 4],
    daddr: [u8; 4],
    sport: u16,
    dport: u16,
}

impl Ends {
    fn reversed(&self) -> Ends {
        Ends { saddr: self.daddr, daddr: self.saddr, sport: self.dport, dport: self.sport }
    }
}

#[derive(Clone, Copy)]
struct Entry {
    used: bool,
    ends: Ends,
    isn: u32,
    peer_isn: u32,
    answered: bool,
    acked: bool,
    fins: [bool; 2],
}

static QUIT: AtomicBool = AtomicBool::new(false);

extern "C" fn on_signal(_: c_int) {
    QUIT.store(true, Ordering::SeqCst);
}

fn die(call: &str) -> ! {
    let error = Error::last_os_error();
    eprintln!("handshake: {call}: {error}");
    exit(1)
}

fn usage() -> ! {
    eprintln!("usage: handshake watch IFACE [--pcap FILE] | stat HOST PORT");
    exit(2)
}

fn main() {
    let argv: Vec<String> = std::env::args().collect();
    match argv.len() {
        3 if argv[1] == "watch" => watch(&argv[2], ""),
        5 if argv[1] == "watch" && argv[3] == "--pcap" => watch(&argv[2], &argv[4]),
        4 if argv[1] == "stat" => {
            let port: u16 = argv[3].parse().unwrap_or(0);
            let mut host = [0u8; 4];
            let mut count = 0;
            for number in argv[2].split('.') {
                match number.parse() {
                    Ok(byte) if count < 4 => host[count] = byte,
                    _ => usage(),
                }
                count += 1;
            }
            if count != 4 || port == 0 {
                usage();
            }
            stat(host, port);
        }
        _ => usage(),
    }
}

fn put(fd: c_int, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: pointer and length are the slice's.
        let n = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        if n >= 0 {
            bytes = &bytes[n as usize..];
        } else if Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            die("write");
        }
    }
}

fn put_line(text: String) {
    put(1, (text + "\n").as_bytes());
}

fn watch(iface: &str, file: &str) {
    // SAFETY: an array of integers, for which zeros are a value.
    let mut blocked: libc::sigset_t = unsafe { zeroed() };
    // SAFETY: an array of integers, for which zeros are a value.
    let mut before: libc::sigset_t = unsafe { zeroed() };
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: integers and an optional pointer, for which zeros are a value.
        let mut action: libc::sigaction = unsafe { zeroed() };
        action.sa_sigaction = on_signal as *const () as usize;
        // SAFETY: the structure is whole, and the handler only stores to an atomic.
        if unsafe { libc::sigaction(signal, &action, null_mut()) } != 0 {
            die("sigaction");
        }
        // SAFETY: the set is initialised.
        unsafe { libc::sigaddset(&mut blocked, signal) };
    }
    // SAFETY: both sets are initialised.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &blocked, &mut before) } != 0 {
        die("sigprocmask");
    }
    let mut out = -1;
    if !file.is_empty() {
        let path = CString::new(file).expect("no NUL in an argument");
        // SAFETY: the path ends with a NUL.
        out = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC, 0o644 as libc::c_uint) };
        if out == -1 {
            die("open");
        }
        let mut header = Vec::new();
        for word in [0xa1b2_3c4d_u32, 0x0002_0004, 0, 0, MOST as u32, 228] {
            header.extend_from_slice(&word.to_be_bytes());
        }
        put(out, &header);
    }
    let name = CString::new(iface).expect("no NUL in an argument");
    // SAFETY: the name ends with a NUL.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        die("if_nametoindex");
    }
    let protocol = (libc::ETH_P_IP as u16).to_be();
    // SAFETY: no precondition.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM, c_int::from(protocol)) };
    if fd == -1 {
        die("socket");
    }
    // SAFETY: integers, for which zeros are a value.
    let mut sll: libc::sockaddr_ll = unsafe { zeroed() };
    sll.sll_family = libc::AF_PACKET as u16;
    sll.sll_protocol = protocol;
    sll.sll_ifindex = index as c_int;
    // SAFETY: pointer and length are those of `sll`.
    if unsafe { libc::bind(fd, (&raw const sll).cast(), size_of_val(&sll) as u32) } != 0 {
        die("bind");
    }
    put_line(format!("watching {iface}"));

    let mut packet = vec![0u8; MOST];
    let mut table: Vec<Entry> = Vec::new();
    while !QUIT.load(Ordering::SeqCst) {
        let mut wait = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, no time limit, and an initialised set.
        if unsafe { libc::ppoll(&mut wait, 1, std::ptr::null(), &before) } == -1 {
            if Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                die("ppoll");
            }
            continue;
        }
        // SAFETY: pointer and length are those of the buffer.
        let n = unsafe { libc::recv(fd, packet.as_mut_ptr().cast::<c_void>(), MOST, libc::MSG_DONTWAIT) };
        if n == -1 {
            match Error::last_os_error().raw_os_error() {
                Some(libc::EINTR | libc::EAGAIN) => continue,
                _ => die("recv"),
            }
        }
        let n = n as usize;
        if out != -1 {
            // SAFETY: integers, for which zeros are a value.
            let mut now: libc::timespec = unsafe { zeroed() };
            // SAFETY: the pointer is that of a timespec.
            if unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut now) } != 0 {
                die("clock_gettime");
            }
            let mut record = Vec::with_capacity(16 + n);
            for word in [now.tv_sec as u32, now.tv_nsec as u32, n as u32, n as u32] {
                record.extend_from_slice(&word.to_be_bytes());
            }
            record.extend_from_slice(&packet[..n]);
            put(out, &record);
        }
        look(&packet[..n], &mut table);
    }
}

fn get16(p: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([p[at], p[at + 1]])
}

fn get32(p: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([p[at], p[at + 1], p[at + 2], p[at + 3]])
}

fn look(p: &[u8], table: &mut Vec<Entry>) {
    if p.len() < 20 || p[0] >> 4 != 4 {
        return;
    }
    let ihl = (p[0] & 15) as usize * 4;
    let total = get16(p, 2) as usize;
    if ihl < 20 || total > p.len() || total < ihl + 20 || p[9] != 6 || get16(p, 6) & 0x1fff != 0 {
        return;
    }
    let doff = (p[ihl + 12] >> 4) as usize * 4;
    if doff < 20 || ihl + doff > total {
        return;
    }
    let tcp = &p[ihl..total];
    let ends = Ends { saddr: [p[12], p[13], p[14], p[15]], daddr: [p[16], p[17], p[18], p[19]], sport: get16(tcp, 0), dport: get16(tcp, 2) };
    let (seq, ack, flags) = (get32(tcp, 4), get32(tcp, 8), tcp[13]);
    let data = (tcp.len() - doff) as u32;

    // The entry, and whether the segment is from the client's side.
    let mut at = usize::MAX;
    let mut client = false;
    for (i, entry) in table.iter().enumerate() {
        if entry.used && (entry.ends == ends || entry.ends == ends.reversed()) {
            at = i;
            client = entry.ends == ends;
        }
    }
    let known = at != usize::MAX;
    let [a, b, c, d] = ends.saddr;
    let [e, f, g, h] = ends.daddr;
    let mut text = format!("{a}.{b}.{c}.{d}:{} > {e}.{f}.{g}.{h}:{} seq {seq}", ends.sport, ends.dport);
    if flags & TH_ACK != 0 {
        text = format!("{text} ack {ack}");
    }
    let mss = find_mss(&tcp[20..doff]);

    if flags & TH_RST != 0 {
        if known {
            table[at].used = false;
            put_line(format!("RST {text}"));
        }
    } else if flags & (TH_SYN | TH_ACK) == TH_SYN {
        if known && client && table[at].isn == seq {
            put_line(format!("SYN {text}{mss} again"));
            return;
        }
        if known {
            table[at].used = false;
        }
        let new = Entry { used: true, ends, isn: seq, peer_isn: 0, answered: false, acked: false, fins: [false; 2] };
        match table.iter().position(|entry| !entry.used) {
            Some(free) => table[free] = new,
            None => table.push(new),
        }
        put_line(format!("SYN {text}{mss}"));
    } else if flags & TH_SYN != 0 {
        if known && !client && ack == table[at].isn.wrapping_add(1) {
            let again = table[at].answered && table[at].peer_isn == seq;
            table[at].answered = true;
            table[at].peer_isn = seq;
            put_line(format!("SYN-ACK {text}{mss}{}", if again { " again" } else { "" }));
        }
    } else if flags & TH_FIN != 0 {
        if known && (client || table[at].answered) {
            let isn = if client { table[at].isn } else { table[at].peer_isn };
            let bytes = seq.wrapping_sub(isn).wrapping_sub(1).wrapping_add(data);
            let again = if table[at].fins[usize::from(client)] { " again" } else { "" };
            table[at].fins[usize::from(client)] = true;
            put_line(format!("FIN {text} bytes {bytes}{again}"));
        }
    } else if flags & TH_ACK != 0 && known && client && table[at].answered && !table[at].acked {
        let entry = &mut table[at];
        if seq.wrapping_sub(entry.isn) == 1 && ack.wrapping_sub(entry.peer_isn) == 1 {
            entry.acked = true;
            put_line(format!("ACK {text}"));
        }
    }
}

fn find_mss(options: &[u8]) -> String {
    let mut i = 0;
    while i < options.len() && options[i] != 0 {
        if options[i] == 1 {
            i += 1;
            continue;
        }
        if i + 1 >= options.len() {
            break;
        }
        let length = options[i + 1] as usize;
        if length < 2 || i + length > options.len() {
            break;
        }
        if options[i] == 2 && length == 4 {
            return format!(" mss {}", get16(options, i + 2));
        }
        i += length;
    }
    String::new()
}

fn stat(host: [u8; 4], port: u16) {
    // SAFETY: no precondition.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP) };
    if fd == -1 {
        die("socket");
    }
    // SAFETY: integers, for which zeros are a value.
    let mut sin: libc::sockaddr_in = unsafe { zeroed() };
    sin.sin_family = libc::AF_INET as u16;
    sin.sin_port = port.to_be();
    sin.sin_addr.s_addr = u32::from_be_bytes(host).to_be();
    // SAFETY: pointer and length are those of `sin`.
    if unsafe { libc::connect(fd, (&raw const sin).cast(), size_of_val(&sin) as u32) } != 0 {
        die("connect");
    }
    // SAFETY: integers, for which zeros are a value.
    let mut info: libc::tcp_info = unsafe { zeroed() };
    let mut length = size_of_val(&info) as u32;
    // SAFETY: `length` is that of `info`.
    if unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &mut length) } != 0 {
        die("getsockopt");
    }
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
    put_line(format!("state {state}"));
    put_line(format!("snd_mss {}", info.tcpi_snd_mss));
    let mut options = String::new();
    for (bit, name) in [(1, " timestamps"), (2, " sack"), (4, " wscale")] {
        if info.tcpi_options & bit != 0 {
            options += name;
        }
    }
    put_line(format!("options{}", if options.is_empty() { " none" } else { &options }));
    put_line(format!("snd_wscale {}", info.tcpi_snd_rcv_wscale & 15));
    put_line(format!("rcv_wscale {}", info.tcpi_snd_rcv_wscale >> 4));
    put_line(format!("rtt {}", info.tcpi_rtt));
}
