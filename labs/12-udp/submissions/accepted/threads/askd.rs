//! askd whose signals are taken by a thread in sigwait, which ends the process. The main thread never hears of them. It remembers all questions that ever came.

use std::collections::HashMap;
use std::io;
use std::process::exit;
use std::thread;

use libc::c_int;

fn main() {
    let arguments: Vec<_> = std::env::args_os().collect();
    if arguments.len() != 2 {
        usage();
    }
    let Some(Ok(port)) = arguments[1].to_str().map(str::parse::<u16>) else { usage() };

    let stop = stop_signals();
    // SAFETY: `stop` is initialised, a null old set is permitted. The thread that is made next inherits the mask.
    if unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &stop, std::ptr::null_mut()) } != 0 {
        fail("pthread_sigmask");
    }
    thread::spawn(move || {
        let mut signal = 0;
        // SAFETY: `stop` is initialised and `signal` may be written.
        unsafe { libc::sigwait(&stop, &mut signal) };
        exit(0);
    });

    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0) };
    if socket == -1 {
        fail("socket");
    }
    let mut address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: libc::INADDR_ANY },
        sin_zero: [0; 8],
    };
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length are those of `address`.
    if unsafe { libc::bind(socket, (&raw const address).cast(), length) } == -1 {
        fail("bind");
    }
    // SAFETY: pointer and length are those of `address`, which may be written.
    if unsafe { libc::getsockname(socket, (&raw mut address).cast(), &mut length) } == -1 {
        fail("getsockname");
    }
    println!("listening {}", u16::from_be(address.sin_port));

    let mut numbers: HashMap<([u8; 4], u32, u16), u32> = HashMap::new();
    let mut buffer = vec![0; 65536];
    loop {
        length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: pointers and lengths are those of the buffer and of `address`.
        let count = unsafe { libc::recvfrom(socket, buffer.as_mut_ptr().cast(), buffer.len(), 0, (&raw mut address).cast(), &mut length) };
        if count == -1 {
            if errno() == libc::EINTR {
                continue;
            }
            fail("recvfrom");
        }
        let datagram = &buffer[..count as usize];
        if datagram.len() < 4 || datagram.len() > 516 {
            continue;
        }
        let id = [datagram[0], datagram[1], datagram[2], datagram[3]];
        let next = numbers.len() as u32 + 1;
        let number = *numbers.entry((id, address.sin_addr.s_addr, address.sin_port)).or_insert(next);
        let mut answer = Vec::from(id);
        answer.extend(number.to_be_bytes());
        answer.extend(datagram[4..].iter().rev());
        loop {
            // SAFETY: pointers and lengths are those of the answer and of `address`.
            let sent = unsafe { libc::sendto(socket, answer.as_ptr().cast(), answer.len(), 0, (&raw const address).cast(), length) };
            if sent != -1 || errno() != libc::EINTR {
                break;
            }
        }
    }
}

fn usage() -> ! {
    eprintln!("usage: askd PORT");
    exit(2);
}

fn fail(call: &str) -> ! {
    eprintln!("askd: {call}: {}", io::Error::last_os_error());
    exit(1);
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn stop_signals() -> libc::sigset_t {
    // SAFETY: sigset_t is a C structure of integers.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` may be written.
    unsafe { libc::sigemptyset(&mut set) };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `set` is initialised.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    set
}
