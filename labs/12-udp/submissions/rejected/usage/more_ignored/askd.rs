//! Only the first argument is looked at: more of them are no error.

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
    let [port, ..] = &words[..] else { usage() };
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
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: sigaction is a C structure of integers and an optional pointer, for which all zeros is a value.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = stop as *const () as libc::sighandler_t;
        // SAFETY: `action` is initialised, a null old action is permitted, and the handler is async-signal-safe.
        if unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) } == -1 {
            fail("sigaction");
        }
    }
}

/// Ends the process on the spot. A flag that the loop looks at would come too late if the signal arrived between the
/// look and recvfrom.
extern "C" fn stop(_signal: c_int) {
    // SAFETY: _exit is async-signal-safe and has no precondition; nothing is buffered or left to remove.
    unsafe { libc::_exit(0) };
}

/// A socket that takes datagrams for `port`, at all of this machine's IPv4 addresses.
fn bind_to(port: u16) -> c_int {
    // SAFETY: has no memory-safety precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0) };
    if socket == -1 {
        fail("socket");
    }
    let mut address = no_address();
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = libc::INADDR_ANY.to_be();
    // SAFETY: the pointer and the length are those of a whole sockaddr_in.
    if unsafe { libc::bind(socket, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) } == -1 {
        fail("bind");
    }
    socket
}

/// An address to be filled in.
fn no_address() -> libc::sockaddr_in {
    libc::sockaddr_in { sin_family: libc::AF_INET as libc::sa_family_t, sin_port: 0, sin_addr: libc::in_addr { s_addr: 0 }, sin_zero: [0; 8] }
}

/// The port that the kernel has bound the socket to, in host byte order.
fn bound_port(socket: c_int) -> u16 {
    let mut address = no_address();
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `length` says how many bytes may be written at the address given.
    if unsafe { libc::getsockname(socket, (&raw mut address).cast(), &mut length) } == -1 {
        fail("getsockname");
    }
    u16::from_be(address.sin_port)
}

/// Answers one question after the other, for ever.
fn serve(socket: c_int) -> ! {
    let mut memory = Memory::default();
    let mut buffer = [0; size_of::<Question>()];
    loop {
        let (length, client) = receive(socket, &mut buffer);
        // Too short or too long is no question. An empty datagram is nothing but too short: there is no end-of-file.
        if (offset_of!(Question, text)..=buffer.len()).contains(&length) {
            let id: [u8; 4] = buffer[span_of!(Question, id)].try_into().expect("four bytes");
            let number = memory.number_of(&client, id);
            send(socket, &answer(id, number, &buffer[offset_of!(Question, text)..length]), &client);
        }
    }
}

/// Waits for a datagram. Returns its length, which may be more than the buffer has, and where it came from.
fn receive(socket: c_int, buffer: &mut [u8]) -> (usize, libc::sockaddr_in) {
    let mut client = no_address();
    loop {
        let mut length = size_of_val(&client) as libc::socklen_t;
        // With MSG_TRUNC the result is the datagram's length, also if not all of it fits.
        // SAFETY: the pointers and lengths are those of a slice and of a sockaddr_in, which may both be written.
        let count =
            unsafe { libc::recvfrom(socket, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_TRUNC, (&raw mut client).cast(), &mut length) };
        if count != -1 {
            return (count as usize, client);
        }
        if errno() != libc::EINTR {
            fail("recvfrom");
        }
    }
}

impl Memory {
    /// The number of the question with this id that came from there: a new one, unless it is known.
    fn number_of(&mut self, client: &libc::sockaddr_in, id: [u8; 4]) -> u32 {
        let (address, port) = (client.sin_addr.s_addr, client.sin_port);
        let same = |known: &&Known| (known.address, known.port, known.id) == (address, port, id);
        if let Some(known) = self.questions.iter().find(same) {
            return known.number;
        }
        self.count += 1;
        if self.questions.len() == REMEMBERED {
            self.questions.pop_front();
        }
        self.questions.push_back(Known { address, port, id, number: self.count });
        self.count
    }
}

/// The answer to a question, as it goes over the network.
fn answer(id: [u8; 4], number: u32, text: &[u8]) -> Vec<u8> {
    let mut answer = vec![0; offset_of!(Answer, text)];
    answer[span_of!(Answer, id)].copy_from_slice(&id);
    answer[span_of!(Answer, number)].copy_from_slice(&number.to_be_bytes());
    answer.extend(text.iter().rev());
    answer
}

/// Sends a datagram. Where that fails it is lost, as it could be on its way: the client will ask again.
fn send(socket: c_int, bytes: &[u8], client: &libc::sockaddr_in) {
    let length = size_of_val(client) as libc::socklen_t;
    loop {
        // SAFETY: the pointers and lengths are those of a slice and of a whole sockaddr_in.
        let count = unsafe { libc::sendto(socket, bytes.as_ptr().cast(), bytes.len(), 0, (&raw const *client).cast(), length) };
        if count != -1 {
            return;
        }
        if errno() != libc::EINTR {
            eprintln!("askd: sendto: {}", io::Error::last_os_error());
            return;
        }
    }
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
