//! One process and no thread: poll over the two sockets and all connections, each with the bytes that it still has to send.

use std::io::{self, Write};
use std::mem::zeroed;
use std::process::exit;

fn give_up(call: &str) -> ! {
    eprintln!("talkd: {call}: {}", io::Error::last_os_error());
    exit(1)
}

/// The result of a call; `None` where it would wait, or was interrupted: poll comes back to it.
fn now(call: &str, result: isize) -> Option<usize> {
    if result >= 0 {
        return Some(result as usize);
    }
    match io::Error::last_os_error().kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => None,
        _ => give_up(call),
    }
}

fn say(line: &str) {
    let mut out = io::stdout();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        give_up("write");
    }
}

const LENGTH: u32 = std::mem::size_of::<libc::sockaddr_in>() as u32;

fn shown(address: &libc::sockaddr_in) -> String {
    let [a, b, c, d] = u32::from_be(address.sin_addr.s_addr).to_be_bytes();
    format!("{a}.{b}.{c}.{d}:{}", u16::from_be(address.sin_port))
}

fn empty() -> libc::sockaddr_in {
    // SAFETY: a sockaddr_in of zeros is a value.
    unsafe { zeroed() }
}

fn socket(kind: i32, port: u16) -> i32 {
    // SAFETY: three numbers.
    let socket = unsafe { libc::socket(libc::AF_INET, kind | libc::SOCK_NONBLOCK, 0) };
    if socket == -1 {
        give_up("socket");
    }
    let mut address = empty();
    address.sin_family = libc::AF_INET as u16;
    address.sin_port = port.to_be();
    // SAFETY: the address is whole.
    if unsafe { libc::bind(socket, (&raw const address).cast(), LENGTH) } == -1 {
        give_up("bind");
    }
    socket
}

struct Client {
    socket: i32,
    rest: Vec<u8>,
    ended: bool,
}

impl Client {
    fn wants(&self) -> i16 {
        if self.rest.is_empty() { libc::POLLIN } else { libc::POLLOUT }
    }

    /// Goes on with it; `false` when it is done.
    fn goes_on(&mut self, buffer: &mut [u8]) -> bool {
        if self.rest.is_empty() {
            // SAFETY: the buffer is a slice.
            let came = unsafe { libc::recv(self.socket, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
            match now("recv", came) {
                Some(0) => self.ended = true,
                Some(came) => self.rest.extend_from_slice(&buffer[..came]),
                None => {}
            }
        } else {
            // SAFETY: what is left is a vector.
            let went = unsafe { libc::send(self.socket, self.rest.as_ptr().cast(), self.rest.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
            self.rest.drain(..now("send", went).unwrap_or(0));
        }
        !self.ended
    }
}

extern "C" fn leave(_: i32) {
    // SAFETY: it is allowed in a handler.
    unsafe { libc::_exit(0) }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port] = &words[..] else { wrong() };
    let port: u16 = port.parse().unwrap_or_else(|_| wrong());
    let handler: extern "C" fn(i32) = leave;
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the handler does what a handler may do.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
    let listener = socket(libc::SOCK_STREAM, port);
    // SAFETY: two numbers.
    if unsafe { libc::listen(listener, libc::SOMAXCONN) } == -1 {
        give_up("listen");
    }
    let (mut own, mut length) = (empty(), LENGTH);
    // SAFETY: the address has room for what `length` says.
    if unsafe { libc::getsockname(listener, (&raw mut own).cast(), &mut length) } == -1 {
        give_up("getsockname");
    }
    let port = u16::from_be(own.sin_port);
    let mailbox = socket(libc::SOCK_DGRAM, port);
    say(&format!("listening {port}"));
    let mut clients: Vec<Client> = Vec::new();
    let mut buffer = vec![0u8; 65_536];
    loop {
        let mut polled = vec![(listener, libc::POLLIN), (mailbox, libc::POLLIN)];
        polled.extend(clients.iter().map(|client| (client.socket, client.wants())));
        let mut polled: Vec<_> = polled.into_iter().map(|(fd, events)| libc::pollfd { fd, events, revents: 0 }).collect();
        // SAFETY: the entries are a vector's.
        if now("poll", unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as u64, -1) } as isize).is_none() {
            continue;
        }
        let mut ready = polled.iter().map(|one| one.revents != 0);
        let (connects, writes) = (ready.next() == Some(true), ready.next() == Some(true));
        clients.retain_mut(|client| {
            let stays = ready.next() != Some(true) || client.goes_on(&mut buffer);
            if !stays {
                // SAFETY: nobody uses it from here on.
                unsafe { libc::close(client.socket) };
            }
            stays
        });
        if connects {
            let (mut from, mut length) = (empty(), LENGTH);
            // SAFETY: the address has room for what `length` says.
            let came = unsafe { libc::accept(listener, (&raw mut from).cast(), &mut length) } as isize;
            if let Some(socket) = now("accept", came) {
                say(&format!("tcp {}", shown(&from)));
                clients.push(Client { socket: socket as i32, rest: Vec::new(), ended: false });
            }
        }
        if writes {
            let (mut from, mut length) = (empty(), LENGTH);
            // SAFETY: buffer and address have room for what is said of them.
            let came = unsafe { libc::recvfrom(mailbox, buffer.as_mut_ptr().cast(), buffer.len(), 0, (&raw mut from).cast(), &mut length) };
            if let Some(came) = now("recvfrom", came) {
                say(&format!("udp {} {came}", shown(&from)));
                loop {
                    // SAFETY: so many bytes of the buffer are filled, and the address is whole.
                    let went = unsafe { libc::sendto(mailbox, buffer.as_ptr().cast(), came, 0, (&raw const from).cast(), LENGTH) };
                    if now("sendto", went).is_some() {
                        break;
                    }
                }
            }
        }
    }
}

fn wrong() -> ! {
    eprintln!("usage: talkd PORT");
    exit(2)
}
