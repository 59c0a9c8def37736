//! A thread for the datagrams, one for each connection, and none that waits for two things.

use std::io::{self, Write};
use std::process::exit;
use std::thread;

fn check(call: &str, result: i64) -> i64 {
    if result < 0 {
        eprintln!("talkd: {call}: {}", io::Error::last_os_error());
        exit(1);
    }
    result
}

fn check_unless_interrupted(call: &str, mut make: impl FnMut() -> i64) -> i64 {
    loop {
        let result = make();
        if result >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return check(call, result);
        }
    }
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        eprintln!("talkd: write: {error}");
        exit(1);
    }
}

fn name(address: &libc::sockaddr_in) -> String {
    let host = u32::from_be(address.sin_addr.s_addr).to_be_bytes().map(|octet| octet.to_string()).join(".");
    format!("{host}:{}", u16::from_be(address.sin_port))
}

const SIZE: u32 = std::mem::size_of::<libc::sockaddr_in>() as u32;

fn address(port: u16) -> libc::sockaddr_in {
    let any = libc::in_addr { s_addr: libc::INADDR_ANY };
    libc::sockaddr_in { sin_family: libc::AF_INET as u16, sin_port: port.to_be(), sin_addr: any, sin_zero: [0; 8] }
}

fn bound(kind: i32, port: u16) -> (i32, u16) {
    // SAFETY: the call takes three numbers.
    let socket = check("socket", i64::from(unsafe { libc::socket(libc::AF_INET, kind, 0) })) as i32;
    let mut address = address(port);
    let mut size = SIZE;
    // SAFETY: the structure is whole, and of this size.
    check("bind", i64::from(unsafe { libc::bind(socket, (&raw const address).cast(), size) }));
    // SAFETY: as above.
    check("getsockname", i64::from(unsafe { libc::getsockname(socket, (&raw mut address).cast(), &mut size) }));
    (socket, u16::from_be(address.sin_port))
}

extern "C" fn done(_: i32) {
    // SAFETY: _exit is async-signal-safe.
    unsafe { libc::_exit(0) };
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(port) = words.first().filter(|_| words.len() == 1).and_then(|word| word.parse().ok()) else {
        eprintln!("usage: talkd PORT");
        exit(2);
    };
    let handler: extern "C" fn(i32) = done;
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only calls what it may.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
    let (listener, port) = bound(libc::SOCK_STREAM, port);
    // SAFETY: the call takes two numbers.
    check("listen", i64::from(unsafe { libc::listen(listener, 5) }));
    let (mailbox, _) = bound(libc::SOCK_DGRAM, port);
    say(&format!("listening {port}"));
    thread::spawn(move || post(mailbox));
    loop {
        let (mut from, mut size) = (address(0), SIZE);
        // SAFETY: `size` says how many bytes the structure has.
        let client = check_unless_interrupted("accept", || i64::from(unsafe { libc::accept(listener, (&raw mut from).cast(), &mut size) })) as i32;
        say(&format!("tcp {}", name(&from)));
        thread::spawn(move || serve(client));
    }
}

fn post(mailbox: i32) {
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        let (mut from, mut size) = (address(0), SIZE);
        let (pointer, room) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: pointer and room are the vector's, and `size` says how many bytes the structure has.
        let came = check_unless_interrupted("recvfrom", || unsafe {
            libc::recvfrom(mailbox, pointer.cast(), room, 0, (&raw mut from).cast(), &mut size) as i64
        });
        // SAFETY: so many bytes were filled, and the structure is whole.
        check_unless_interrupted("sendto", || unsafe { libc::sendto(mailbox, pointer.cast(), came as usize, 0, (&raw const from).cast(), SIZE) as i64 });
        say(&format!("udp {} {came}", name(&from)));
    }
}

fn serve(client: i32) {
    let mut buffer = [0u8; 4096];
    loop {
        // SAFETY: the pointer and the length are the array's.
        let came = check_unless_interrupted("read", || unsafe { libc::read(client, buffer.as_mut_ptr().cast(), buffer.len()) as i64 }) as usize;
        let mut given = 0;
        while given < came {
            let rest = &buffer[given..came];
            // SAFETY: the pointer and the length are the slice's.
            given += check_unless_interrupted("write", || unsafe { libc::write(client, rest.as_ptr().cast(), rest.len()) as i64 }) as usize;
        }
        if came == 0 {
            // SAFETY: the descriptor is this thread's, and not used afterwards.
            unsafe { libc::close(client) };
            return;
        }
    }
}
