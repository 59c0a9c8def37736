//! ask as one would write it in C: one function for the talk, select with the time that is left, the socket bound and not connected, everything in fixed buffers.

use std::ffi::OsString;
use std::io;
use std::mem::zeroed;
use std::os::unix::ffi::OsStrExt;
use std::process::exit;

use libc::{c_int, c_void, sockaddr, sockaddr_in, socklen_t, timeval};

fn main() {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let (mut ms, mut tries, mut i) = (250i64, 4i64, 1);
    while i < argv.len() && (argv[i] == "-t" || argv[i] == "-r") {
        let value = argv.get(i + 1).and_then(|word| word.to_str()?.parse::<i64>().ok()).unwrap_or(-1);
        let most = if argv[i] == "-t" { 1_000_000 } else { 1000 };
        if value < 1 || value > most {
            usage();
        }
        if argv[i] == "-t" {
            ms = value;
        } else {
            tries = value;
        }
        i += 2;
    }
    if argv.len() != i + 3 {
        usage();
    }
    let host: Vec<Option<u8>> = argv[i].to_string_lossy().split('.').map(|part| part.parse().ok()).collect();
    let &[Some(a), Some(b), Some(c), Some(d)] = &host[..] else { usage() };
    let port: u16 = argv[i + 1].to_string_lossy().parse().unwrap_or(0);
    let text = argv[i + 2].as_bytes();
    if port == 0 || text.len() > 512 {
        usage();
    }
    // SAFETY: sockaddr_in is a C structure of integers.
    let mut server: sockaddr_in = unsafe { zeroed() };
    server.sin_family = libc::AF_INET as libc::sa_family_t;
    server.sin_port = libc::htons(port);
    server.sin_addr.s_addr = libc::htonl((a as u32) << 24 | (b as u32) << 16 | (c as u32) << 8 | d as u32);
    talk(&server, text, ms * 1000, tries);
    eprintln!("ask: no answer");
    exit(1);
}

fn usage() -> ! {
    eprintln!("usage: ask [-t MS] [-r TRIES] HOST PORT TEXT");
    exit(2);
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn fail(call: &str) -> ! {
    eprintln!("ask: {call}: {}", io::Error::last_os_error());
    exit(1);
}

/// Microseconds since some moment.
fn now() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` may be written.
    if unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) } == -1 {
        fail("clock_gettime");
    }
    time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}

/// Returns when the last try has had no answer.
fn talk(server: &sockaddr_in, text: &[u8], limit: i64, tries: i64) {
    let size = size_of::<sockaddr_in>() as socklen_t;
    // SAFETY: no precondition.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0) };
    if fd == -1 {
        fail("socket");
    }
    // SAFETY: sockaddr_in is a C structure of integers.
    let mut own: sockaddr_in = unsafe { zeroed() };
    own.sin_family = libc::AF_INET as libc::sa_family_t;
    // SAFETY: pointer and length are those of `own`.
    if unsafe { libc::bind(fd, (&raw const own).cast::<sockaddr>(), size) } == -1 {
        fail("bind");
    }

    let mut question = [0u8; 516];
    question[..4].copy_from_slice(&(now() as u32 ^ std::process::id() << 20).to_ne_bytes());
    question[4..4 + text.len()].copy_from_slice(text);
    let mut answer = [0u8; 521];

    for _ in 0..tries {
        // SAFETY: pointers and lengths are those of the question and of the server's address.
        while unsafe { libc::sendto(fd, question.as_ptr().cast::<c_void>(), 4 + text.len(), 0, (&raw const *server).cast::<sockaddr>(), size) } == -1
        {
            if errno() != libc::EINTR {
                fail("sendto");
            }
        }
        let end = now() + limit;
        loop {
            let left = (end - now()).max(0);
            let mut left = timeval { tv_sec: left / 1_000_000, tv_usec: left % 1_000_000 };
            // SAFETY: fd_set is a C structure of integers.
            let mut set: libc::fd_set = unsafe { zeroed() };
            // SAFETY: `fd` is below FD_SETSIZE: it is one of the first descriptors of this process.
            unsafe { libc::FD_SET(fd, &mut set) };
            // SAFETY: the set and the time are initialised; null sets are permitted.
            let ready = unsafe { libc::select(fd + 1, &mut set, std::ptr::null_mut(), std::ptr::null_mut(), &mut left) };
            if ready == 0 {
                break;
            }
            if ready == -1 {
                if errno() != libc::EINTR {
                    fail("select");
                }
                continue;
            }
            // SAFETY: sockaddr_in is a C structure of integers.
            let mut from: sockaddr_in = unsafe { zeroed() };
            let mut from_size = size;
            // SAFETY: pointers and lengths are those of the answer's buffer and of `from`.
            let n = unsafe {
                libc::recvfrom(
                    fd,
                    answer.as_mut_ptr().cast::<c_void>(),
                    answer.len(),
                    libc::MSG_DONTWAIT,
                    (&raw mut from).cast::<sockaddr>(),
                    &mut from_size,
                )
            };
            if n == -1 {
                if errno() != libc::EINTR && errno() != libc::EAGAIN {
                    fail("recvfrom");
                }
                continue;
            }
            if from.sin_addr.s_addr != server.sin_addr.s_addr || from.sin_port != server.sin_port {
                continue;
            }
            if !(8..=520).contains(&n) || answer[..4] != question[..4] {
                continue;
            }
            finish(&answer[..n as usize]);
        }
    }
}

fn finish(answer: &[u8]) -> ! {
    let number = libc::ntohl(u32::from_ne_bytes([answer[4], answer[5], answer[6], answer[7]]));
    let mut line = format!("{number} ").into_bytes();
    line.extend_from_slice(&answer[8..]);
    line.push(b'\n');
    let mut done = 0;
    while done < line.len() {
        // SAFETY: the pointer and the length are those of the rest of the line.
        let n = unsafe { libc::write(1, line[done..].as_ptr().cast::<c_void>(), line.len() - done) };
        if n == -1 && errno() != libc::EINTR {
            fail("write");
        }
        done += n.max(0) as usize;
    }
    exit(0);
}
