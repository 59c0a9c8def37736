//! echoc with two threads: one sends standard input, the main thread prints what comes back. When the server ends,
//! the main thread's exit ends the other one, wherever it waits. HOST goes through getaddrinfo with AI_NUMERICHOST.

use std::ffi::CString;
use std::io;
use std::process::exit;
use std::thread;

use libc::c_int;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 3 {
        usage();
    }
    let Some(address) = resolve(&arguments[1]) else { usage() };
    let Ok(port @ 1..) = arguments[2].parse::<u16>() else { usage() };

    let socket = connect_to(libc::sockaddr_in { sin_port: port.to_be(), ..address });
    thread::spawn(move || {
        copy(libc::STDIN_FILENO, socket);
        // SAFETY: `socket` stays open until the process ends.
        check("shutdown", unsafe { libc::shutdown(socket, libc::SHUT_WR) } as isize);
    });
    copy(socket, libc::STDOUT_FILENO);
    exit(0);
}

fn usage() -> ! {
    eprintln!("usage: echoc HOST PORT");
    exit(2);
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("echoc: {call}: {}", io::Error::last_os_error());
        exit(1);
    }
}

fn interrupted(result: isize) -> bool {
    result == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

fn resolve(host: &str) -> Option<libc::sockaddr_in> {
    // getaddrinfo is more liberal than the usage: it also knows addresses such as 127.1.
    if host.split('.').count() != 4 {
        return None;
    }
    let host = CString::new(host).ok()?;
    // SAFETY: addrinfo is a C structure for which all zeros is a value.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = libc::AF_INET;
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_flags = libc::AI_NUMERICHOST;
    let mut list = std::ptr::null_mut();
    // SAFETY: `host` ends in NUL, a null service is permitted, `hints` and `list` outlive the call.
    if unsafe { libc::getaddrinfo(host.as_ptr(), std::ptr::null(), &hints, &mut list) } != 0 {
        return None;
    }
    // SAFETY: on success the list has at least one entry.
    let address = unsafe { (*list).ai_addr }.cast::<libc::sockaddr_in>();
    // SAFETY: with AF_INET the entry's address is a sockaddr_in.
    let address = unsafe { *address };
    // SAFETY: the list is getaddrinfo's, and it is not used afterwards.
    unsafe { libc::freeaddrinfo(list) };
    Some(address)
}

fn connect_to(address: libc::sockaddr_in) -> c_int {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    check("socket", socket as isize);
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length are those of `address`.
    let result = unsafe { libc::connect(socket, (&raw const address).cast(), length) };
    if interrupted(result as isize) {
        // An interrupted attempt is given up, and a new socket makes another.
        // SAFETY: `socket` is not used afterwards.
        check("close", unsafe { libc::close(socket) } as isize);
        return connect_to(address);
    }
    check("connect", result as isize);
    socket
}

fn copy(from: c_int, to: c_int) {
    let mut buffer = vec![0u8; 16384];
    loop {
        // SAFETY: pointer and length are those of the buffer.
        let count = unsafe { libc::read(from, buffer.as_mut_ptr().cast(), buffer.len()) };
        if interrupted(count) {
            continue;
        }
        check("read", count);
        if count == 0 {
            return;
        }
        let mut done = 0;
        while done < count as usize {
            let rest = &buffer[done..count as usize];
            // SAFETY: pointer and length are those of the rest of what was read.
            let written = unsafe { libc::write(to, rest.as_ptr().cast(), rest.len()) };
            if interrupted(written) {
                continue;
            }
            check("write", written);
            done += written as usize;
        }
    }
}
