//! askd: a UDP server that answers each question with its number and its text backwards.
//!
//! It shows a server without connections: socket, bind, and then recvfrom and sendto on that one socket, whoever asks.
//! A question that comes a second time is known by where it came from and by its id.
//!
//! ```text
//! askd 0                    prints "listening 40213" and answers until SIGTERM or SIGINT
//! askd 7007                 the same on port 7007
//! ```

use std::collections::VecDeque;
use std::io::{self, Write};
use std::process::exit;

use libc::c_int;
use memoffset::{offset_of, span_of};

/// Most bytes of a text.
const TEXT_MAX: usize = 512;

/// A question on the network. Only its layout is used.
#[repr(C)]
#[allow(dead_code)]
struct Question {
    id: [u8; 4],
    text: [u8; TEXT_MAX],
}

/// An answer on the network. Only its layout is used.
#[repr(C)]
#[allow(dead_code)]
struct Answer {
    id: [u8; 4],
    /// Most significant byte first.
    number: [u8; 4],
    text: [u8; TEXT_MAX],
}

/// How many questions the server remembers, to know them when they come again.
const REMEMBERED: usize = 64;

/// The questions that were counted last.
#[derive(Default)]
struct Memory {
    questions: VecDeque<Known>,
    /// The number of the last question.
    count: u32,
}

/// What makes a question itself, and its number. Address and port are as the network has them.
struct Known {
    address: u32,
    port: u16,
    id: [u8; 4],
    number: u32,
}

fn main() {
    let port = arguments();
    install_handlers();
    let socket = bind_to(port);
    announce(bound_port(socket));
    serve(socket);
}

/// The command line: `PORT`.
fn arguments() -> u16 {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let [port] = &words[..] else { usage() };
    match port.to_str().and_then(|port| port.parse().ok()) {
        Some(port) => port,
        None => usage(),
    }
}

fn usage() -> ! {
    eprintln!("usage: askd PORT");
    exit(2);
}

/// Reports the call that has just failed, with the message for errno, and gives up.
fn fail(call: &str) -> ! {
    eprintln!("askd: {call}: {}", io::Error::last_os_error());
    exit(1);
}

/// Tells whoever started the server that questions may come, and to which port.
fn announce(port: u16) {
    let mut stdout = io::stdout();
    if writeln!(stdout, "listening {port}").and_then(|()| stdout.flush()).is_err() {
        fail("write");
    }
}

/// From here on SIGTERM and SIGINT end the server with status 0.
fn install_handlers() {
    extern "C" fn stop(_: c_int) {
        unsafe { libc::_exit(0) }
    }
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = stop as extern "C" fn(c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } == -1 {
            fail("sigaction");
        }
    }
}

const SIZE: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

fn bind_to(port: u16) -> c_int {
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket == -1 {
        fail("socket");
    }
    let mut a: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    a.sin_family = libc::AF_INET as u16;
    a.sin_port = port.to_be();
    if unsafe { libc::bind(socket, (&raw const a).cast(), SIZE) } == -1 {
        fail("bind");
    }
    socket
}

fn bound_port(socket: c_int) -> u16 {
    let mut a: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    let mut size = SIZE;
    if unsafe { libc::getsockname(socket, (&raw mut a).cast(), &raw mut size) } == -1 {
        fail("getsockname");
    }
    u16::from_be(a.sin_port)
}

fn serve(socket: c_int) -> ! {
    let mut memory = Memory::default();
    let mut buffer = [0u8; 517];
    loop {
        let mut from: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        let mut size = SIZE;
        let n = unsafe {
            libc::recvfrom(socket, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_TRUNC, (&raw mut from).cast(), &raw mut size)
        };
        if n == -1 {
            if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
                continue;
            }
            fail("recvfrom");
        }
        let n = n as usize;
        if n < 4 || n > 516 {
            continue;
        }
        let id = [buffer[0], buffer[1], buffer[2], buffer[3]];
        let number = memory.number_of(&from, id);
        let mut answer = id.to_vec();
        answer.extend_from_slice(&number.to_be_bytes());
        answer.extend(buffer[4..n].iter().rev());
        send(socket, &answer, &from);
    }
}

impl Memory {
    fn number_of(&mut self, client: &libc::sockaddr_in, id: [u8; 4]) -> u32 {
        let (address, port) = (client.sin_addr.s_addr, client.sin_port);
        if let Some(known) = self.questions.iter().find(|k| k.id == id && k.address == address && k.port == port) {
            return known.number;
        }
        if self.questions.len() == 63 {
            self.questions.pop_front();
        }
        self.count += 1;
        self.questions.push_back(Known { address, port, id, number: self.count });
        self.count
    }
}

fn send(socket: c_int, bytes: &[u8], client: &libc::sockaddr_in) {
    loop {
        if unsafe { libc::sendto(socket, bytes.as_ptr().cast(), bytes.len(), 0, (&raw const *client).cast(), SIZE) } != -1 {
            return;
        }
        let e = io::Error::last_os_error();
        if e.kind() != io::ErrorKind::Interrupted {
            eprintln!("askd: an answer is lost: {e}");
            return;
        }
    }
}
