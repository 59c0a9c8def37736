//! As one would write it in C: one packet socket for all interfaces, tables of a fixed size, and the checksum mended in place as in RFC 1624. Whoever asks this
//! router for its address is remembered, so that not everybody must be asked.

use std::ffi::CString;
use std::io::{self, Write};
use std::mem::{size_of, zeroed};
use std::process::exit;

const MAX: usize = 16;
const HELD: usize = 4;

#[derive(Clone, Copy, Default)]
struct Iface {
    index: i32,
    addr: u32,
    mask: u32,
    mac: [u8; 6],
}

#[derive(Clone, Copy, Default)]
struct Route {
    net: u32,
    mask: u32,
    gateway: u32,
    iface: usize,
}

#[derive(Clone, Default)]
struct Neighbour {
    used: bool,
    known: bool,
    iface: usize,
    addr: u32,
    mac: [u8; 6],
    held: [Vec<u8>; HELD],
    count: usize,
}

struct State {
    fd: i32,
    ifaces: [Iface; MAX],
    n_ifaces: usize,
    routes: [Route; 2 * MAX],
    n_routes: usize,
    neighbours: Vec<Neighbour>,
}

fn die(call: &str) -> ! {
    eprintln!("router: {call}: {}", io::Error::last_os_error());
    exit(1)
}

fn usage() -> ! {
    eprintln!("usage: router IFACE=ADDRESS/LENGTH… [NETWORK/LENGTH=GATEWAY…]");
    exit(2)
}

extern "C" fn on_signal(_signo: libc::c_int) {
    // SAFETY: _exit is async-signal-safe.
    unsafe { libc::_exit(0) }
}

fn aton(s: &str) -> u32 {
    let mut addr = 0u32;
    let mut n = 0;
    for part in s.split('.') {
        addr = addr << 8 | u32::from(part.parse::<u8>().unwrap_or_else(|_| usage()));
        n += 1;
    }
    if n != 4 {
        usage();
    }
    addr
}

fn to_mask(s: &str) -> u32 {
    match s.parse::<u32>() {
        Ok(0) => 0,
        Ok(n) if n <= 32 => !0 << (32 - n),
        _ => usage(),
    }
}

fn get16(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

fn get32(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

fn put16(b: &mut [u8], at: usize, value: u16) {
    b[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

fn put32(b: &mut [u8], at: usize, value: u32) {
    b[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

fn in_cksum(b: &[u8]) -> u16 {
    let mut sum = 0u32;
    let mut i = 0;
    while i + 1 < b.len() {
        sum += u32::from(get16(b, i));
        i += 2;
    }
    if i < b.len() {
        sum += u32::from(b[i]) << 8;
    }
    sum = (sum >> 16) + (sum & 0xffff);
    sum += sum >> 16;
    !(sum as u16)
}

fn main() {
    let argv: Vec<String> = std::env::args().collect();
    // SAFETY: all fields of sockaddr_ll are integers.
    let mut sll: libc::sockaddr_ll = unsafe { zeroed() };
    let mut st = State {
        fd: -1,
        ifaces: [Iface::default(); MAX],
        n_ifaces: 0,
        routes: [Route::default(); 2 * MAX],
        n_routes: 0,
        neighbours: vec![Neighbour::default(); 64],
    };
    let mut names = Vec::new();
    for arg in &argv[1..] {
        let Some((left, right)) = arg.split_once('=') else { usage() };
        if let Some((net, len)) = left.split_once('/') {
            let (mask, gateway) = (to_mask(len), aton(right));
            let mut i = 0;
            while i < st.n_ifaces && (st.ifaces[i].addr ^ gateway) & st.ifaces[i].mask != 0 {
                i += 1;
            }
            if i == st.n_ifaces {
                usage();
            }
            st.routes[st.n_routes] = Route { net: aton(net) & mask, mask, gateway, iface: i };
        } else {
            let Some((addr, len)) = right.split_once('/') else { usage() };
            let (addr, mask) = (aton(addr), to_mask(len));
            st.ifaces[st.n_ifaces] = Iface { addr, mask, ..Iface::default() };
            st.routes[st.n_routes] = Route { net: addr & mask, mask, gateway: 0, iface: st.n_ifaces };
            names.push(left);
            st.n_ifaces += 1;
        }
        st.n_routes += 1;
    }
    if st.n_ifaces == 0 {
        usage();
    }

    // SAFETY: all fields of sigaction are integers or pointers that may be null.
    let mut sa: libc::sigaction = unsafe { zeroed() };
    let handler: extern "C" fn(libc::c_int) = on_signal;
    sa.sa_sigaction = handler as usize;
    for signo in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the structure is initialised.
        if unsafe { libc::sigaction(signo, &raw const sa, std::ptr::null_mut()) } == -1 {
            die("sigaction");
        }
    }

    // SAFETY: takes three integers.
    st.fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from((libc::ETH_P_ALL as u16).to_be())) };
    if st.fd == -1 {
        die("socket");
    }
    for (i, name) in names.iter().enumerate() {
        let name = CString::new(*name).unwrap_or_else(|_| usage());
        if name.as_bytes().len() >= libc::IFNAMSIZ {
            usage();
        }
        // SAFETY: all fields of ifreq are plain data.
        let mut ifr: libc::ifreq = unsafe { zeroed() };
        for (to, from) in ifr.ifr_name.iter_mut().zip(name.as_bytes()) {
            *to = *from as libc::c_char;
        }
        // SAFETY: SIOCGIFINDEX fills an ifreq.
        if unsafe { libc::ioctl(st.fd, libc::SIOCGIFINDEX, &raw mut ifr) } == -1 {
            die("ioctl SIOCGIFINDEX");
        }
        // SAFETY: the call has filled this field.
        st.ifaces[i].index = unsafe { ifr.ifr_ifru.ifru_ifindex };
        // SAFETY: SIOCGIFHWADDR fills an ifreq.
        if unsafe { libc::ioctl(st.fd, libc::SIOCGIFHWADDR, &raw mut ifr) } == -1 {
            die("ioctl SIOCGIFHWADDR");
        }
        // SAFETY: the call has filled this field.
        let hardware = unsafe { ifr.ifr_ifru.ifru_hwaddr };
        for k in 0..6 {
            st.ifaces[i].mac[k] = hardware.sa_data[k] as u8;
        }
    }
    if writeln!(io::stdout(), "routing").is_err() {
        die("write");
    }

    let mut buf = vec![0u8; 66_000];
    loop {
        let mut len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the buffer and the address have the lengths that are given.
        let n = unsafe { libc::recvfrom(st.fd, buf.as_mut_ptr().cast(), buf.len(), 0, (&raw mut sll).cast(), &mut len) };
        if n == -1 {
            if io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) {
                continue;
            }
            die("recvfrom");
        }
        // 0: for this host. 1: for all.
        if n < 14 || sll.sll_pkttype > 1 {
            continue;
        }
        let mut i = 0;
        while i < st.n_ifaces && st.ifaces[i].index != sll.sll_ifindex {
            i += 1;
        }
        if i == st.n_ifaces {
            continue;
        }
        let frame = &mut buf[..n as usize];
        match get16(frame, 12) {
            0x0806 => arp_input(&mut st, i, &frame[14..]),
            0x0800 if sll.sll_pkttype == 0 => ip_input(&mut st, i, &mut frame[14..]),
            _ => {}
        }
    }
}

fn output(st: &State, iface: usize, dst: [u8; 6], proto: u16, data: &[u8]) {
    let mut frame = vec![0u8; 14 + data.len()];
    frame[..6].copy_from_slice(&dst);
    frame[6..12].copy_from_slice(&st.ifaces[iface].mac);
    put16(&mut frame, 12, proto);
    frame[14..].copy_from_slice(data);
    // SAFETY: all fields of sockaddr_ll are integers.
    let mut sll: libc::sockaddr_ll = unsafe { zeroed() };
    sll.sll_family = libc::AF_PACKET as u16;
    sll.sll_ifindex = st.ifaces[iface].index;
    let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    loop {
        // SAFETY: the frame and the address have the lengths that are given.
        if unsafe { libc::sendto(st.fd, frame.as_ptr().cast(), frame.len(), 0, (&raw const sll).cast(), len) } != -1 {
            break;
        }
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            die("sendto");
        }
    }
}

fn find(st: &mut State, iface: usize, addr: u32) -> usize {
    let mut spare = 0;
    for (i, neighbour) in st.neighbours.iter().enumerate() {
        if neighbour.used && neighbour.iface == iface && neighbour.addr == addr {
            return i;
        }
        if !neighbour.used {
            spare = i;
        }
    }
    st.neighbours[spare] = Neighbour { used: true, iface, addr, ..Neighbour::default() };
    spare
}

fn arp_input(st: &mut State, iface: usize, arp: &[u8]) {
    if arp.len() < 28 || arp[..6] != [0, 1, 8, 0, 6, 4] {
        return;
    }
    let own = st.ifaces[iface];
    let (sender, target) = (get32(arp, 14), get32(arp, 24));
    let mut mac = [0; 6];
    mac.copy_from_slice(&arp[8..14]);
    let asks_us = get16(arp, 6) == 1 && target == own.addr;
    let known = st.neighbours.iter().any(|neighbour| neighbour.used && neighbour.iface == iface && neighbour.addr == sender);
    if asks_us || known {
        let i = find(st, iface, sender);
        st.neighbours[i].known = true;
        st.neighbours[i].mac = mac;
        for k in 0..st.neighbours[i].count {
            let packet = std::mem::take(&mut st.neighbours[i].held[k]);
            output(st, iface, mac, 0x0800, &packet);
        }
        st.neighbours[i].count = 0;
    }
    if asks_us {
        let mut reply = arp[..28].to_vec();
        put16(&mut reply, 6, 2);
        reply[8..14].copy_from_slice(&own.mac);
        put32(&mut reply, 14, own.addr);
        reply[18..24].copy_from_slice(&mac);
        put32(&mut reply, 24, sender);
        output(st, iface, mac, 0x0806, &reply);
    }
}

fn lookup(st: &State, dst: u32) -> Option<Route> {
    let mut best: Option<Route> = None;
    for route in &st.routes[..st.n_routes] {
        if dst & route.mask == route.net && best.is_none_or(|b| route.mask > b.mask) {
            best = Some(*route);
        }
    }
    best
}

fn ip_output(st: &mut State, packet: &[u8]) {
    let dst = get32(packet, 16);
    let Some(route) = lookup(st, dst) else { return };
    let hop = if route.gateway != 0 { route.gateway } else { dst };
    let i = find(st, route.iface, hop);
    if st.neighbours[i].known {
        output(st, route.iface, st.neighbours[i].mac, 0x0800, packet);
        return;
    }
    if st.neighbours[i].count < HELD {
        let at = st.neighbours[i].count;
        st.neighbours[i].held[at] = packet.to_vec();
        st.neighbours[i].count += 1;
    }
    let mut request = vec![0, 1, 8, 0, 6, 4, 0, 1];
    request.extend(st.ifaces[route.iface].mac);
    request.extend(st.ifaces[route.iface].addr.to_be_bytes());
    request.extend([0; 6]);
    request.extend(hop.to_be_bytes());
    output(st, route.iface, [0xff; 6], 0x0806, &request);
}

fn icmp_output(st: &mut State, src: u32, dst: u32, icmp: &[u8]) {
    let mut packet = vec![0u8; 20 + icmp.len()];
    packet[0] = 0x45;
    let total = packet.len() as u16;
    put16(&mut packet, 2, total);
    packet[8] = 64;
    packet[9] = 1;
    put32(&mut packet, 12, src);
    put32(&mut packet, 16, dst);
    let sum = in_cksum(&packet[..20]);
    put16(&mut packet, 10, sum);
    packet[20..].copy_from_slice(icmp);
    put16(&mut packet, 22, 0);
    let sum = in_cksum(&packet[20..]);
    put16(&mut packet, 22, sum);
    ip_output(st, &packet);
}

fn icmp_error(st: &mut State, iface: usize, packet: &[u8], hlen: usize, kind: u8) {
    let src = get32(packet, 12);
    if get16(packet, 6) & 0x1fff != 0 || src >> 24 == 0 || src >> 24 == 127 || src >= 0xe000_0000 {
        return;
    }
    if packet[9] == 1 && (packet.len() == hlen || [3, 4, 5, 11, 12].contains(&packet[hlen])) {
        return;
    }
    let mut icmp = vec![0u8; 8];
    icmp[0] = kind;
    icmp.extend(&packet[..packet.len().min(hlen + 8)]);
    icmp_output(st, st.ifaces[iface].addr, src, &icmp);
}

fn ip_input(st: &mut State, iface: usize, data: &mut [u8]) {
    if data.len() < 20 {
        return;
    }
    let hlen = usize::from(data[0] & 15) << 2;
    let total = usize::from(get16(data, 2));
    if data[0] >> 4 != 4 || hlen < 20 || hlen > total || total > data.len() || in_cksum(&data[..hlen]) != 0 {
        return;
    }
    let packet = &mut data[..total];
    let dst = get32(packet, 16);
    if dst >= 0xe000_0000 {
        return;
    }
    if st.ifaces[..st.n_ifaces].iter().any(|own| own.addr == dst) {
        let whole = get16(packet, 6) & 0x3fff == 0;
        if packet[9] == 1 && whole && total >= hlen + 8 && packet[hlen] == 8 && in_cksum(&packet[hlen..]) == 0 {
            packet[hlen] = 0;
            let icmp = packet[hlen..].to_vec();
            icmp_output(st, dst, get32(packet, 12), &icmp);
        } else if packet[9] == 17 {
            // Nobody is at any port here.
            unreachable_port(st, iface, packet, hlen);
        }
        return;
    }
    if packet[8] <= 1 {
        icmp_error(st, iface, packet, hlen, 11);
        return;
    }
    if lookup(st, dst).is_none() {
        icmp_error(st, iface, packet, hlen, 3);
        return;
    }
    // HC' = ~(~HC + ~m + m')
    let old = get16(packet, 8);
    packet[8] -= 1;
    let mut sum = u32::from(!get16(packet, 10)) + u32::from(!old) + u32::from(get16(packet, 8));
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(packet, 10, !(sum as u16));
    ip_output(st, packet);
}

fn unreachable_port(st: &mut State, iface: usize, packet: &[u8], hlen: usize) {
    if get16(packet, 6) & 0x1fff != 0 {
        return;
    }
    let mut icmp = vec![3, 3, 0, 0, 0, 0, 0, 0];
    icmp.extend(&packet[..packet.len().min(hlen + 8)]);
    icmp_output(st, st.ifaces[iface].addr, get32(packet, 12), &icmp);
}
