//! echod whose signals are taken by a thread in sigwait, and whose children the kernel reaps: SIGCHLD is ignored.

use std::io;
use std::process::exit;
use std::thread;

use libc::c_int;

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let forking = arguments.first().is_some_and(|first| first == "--fork");
    if forking {
        arguments.remove(0);
    }
    if arguments.len() != 1 {
        usage();
    }
    let Ok(port) = arguments[0].parse::<u16>() else { usage() };

    let stop = stop_signals();
    // SAFETY: `stop` is initialised, a null old set is permitted.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &stop, std::ptr::null_mut()) };
    thread::spawn(move || {
        let mut signal = 0;
        // SAFETY: both pointers are to initialised variables that outlive the call.
        unsafe { libc::sigwait(&stop, &mut signal) };
        // SAFETY: no precondition.
        unsafe { libc::_exit(0) };
    });
    if forking {
        // SAFETY: SIG_IGN is a valid disposition of SIGCHLD: children leave no zombie.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    }

    let listener = listener(port);
    loop {
        // SAFETY: null pointers say that the client's address is not wanted.
        let client = unsafe { libc::accept(listener, std::ptr::null_mut(), std::ptr::null_mut()) };
        if client == -1 && matches!(errno(), libc::EINTR | libc::ECONNABORTED) {
            continue;
        }
        check("accept", client as isize);
        if !forking {
            serve(client);
            close(client);
            continue;
        }
        // SAFETY: the child makes system calls only, and needs no lock that the other thread could hold.
        let pid = unsafe { libc::fork() };
        check("fork", pid as isize);
        if pid == 0 {
            // The waiting thread is not in the child, so there the signals do their usual work again.
            // SAFETY: `stop` is initialised, a null old set is permitted.
            unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &stop, std::ptr::null_mut()) };
            close(listener);
            serve(client);
            // SAFETY: no precondition.
            unsafe { libc::_exit(0) };
        }
        close(client);
    }
}

fn usage() -> ! {
    eprintln!("usage: echod [--fork] PORT");
    exit(2);
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("echod: {call}: {}", io::Error::last_os_error());
        exit(1);
    }
}

fn close(fd: c_int) {
    // SAFETY: the caller does not use `fd` afterwards.
    unsafe { libc::close(fd) };
}

fn stop_signals() -> libc::sigset_t {
    // SAFETY: sigset_t is a C structure of integers.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` may be written.
    unsafe { libc::sigemptyset(&mut set) };
    // SAFETY: `set` is initialised.
    unsafe { libc::sigaddset(&mut set, libc::SIGTERM) };
    // SAFETY: `set` is initialised.
    unsafe { libc::sigaddset(&mut set, libc::SIGINT) };
    set
}

fn listener(port: u16) -> c_int {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    check("socket", socket as isize);
    let one: c_int = 1;
    let one_size = size_of_val(&one) as libc::socklen_t;
    // SAFETY: pointer and length are those of `one`.
    let result = unsafe {
        libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const one).cast(), one_size)
    };
    check("setsockopt", result as isize);
    // SAFETY: sockaddr_in is a C structure of integers.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    let mut size = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length are those of `address`.
    check("bind", unsafe { libc::bind(socket, (&raw const address).cast(), size) } as isize);
    // SAFETY: no precondition.
    check("listen", unsafe { libc::listen(socket, libc::SOMAXCONN) } as isize);
    // SAFETY: pointer and length are those of `address`, which may be written.
    check("getsockname", unsafe { libc::getsockname(socket, (&raw mut address).cast(), &mut size) } as isize);
    println!("listening {}", u16::from_be(address.sin_port));
    socket
}

fn serve(client: c_int) {
    let mut buffer = [0u8; 8192];
    loop {
        // SAFETY: pointer and length are those of the buffer.
        let count = unsafe { libc::read(client, buffer.as_mut_ptr().cast(), buffer.len()) };
        match count {
            -1 if errno() == libc::EINTR => continue,
            ..=0 => return, // the client has finished, or it is gone
            _ => {}
        }
        let mut done = 0;
        while done < count as usize {
            let rest = &buffer[done..count as usize];
            // SAFETY: pointer and length are those of the rest of what was read. Rust's runtime ignores SIGPIPE.
            match unsafe { libc::write(client, rest.as_ptr().cast(), rest.len()) } {
                -1 if errno() == libc::EINTR => {}
                -1 => return,
                written => done += written as usize,
            }
        }
    }
}
