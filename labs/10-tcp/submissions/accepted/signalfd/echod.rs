//! echod that takes its signals as data: SIGTERM, SIGINT and SIGCHLD stay blocked and are read from a signalfd, which
//! poll watches beside the sockets. At the end the children that still serve are stopped too.

use std::io;
use std::process::exit;

use libc::{c_int, pid_t};

struct Server {
    listener: c_int,
    signals: c_int,
    forking: bool,
    children: Vec<pid_t>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (forking, port) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [port] => (false, port.parse::<u16>()),
        ["--fork", port] => (true, port.parse::<u16>()),
        _ => usage(),
    };
    let Ok(port) = port else { usage() };
    let signals = take_signals();
    let listener = listener(port);
    Server { listener, signals, forking, children: Vec::new() }.run();
}

fn usage() -> ! {
    eprintln!("usage: echod [--fork] PORT");
    exit(2);
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// The result, or the end of the program if it is -1.
fn must(call: &str, result: c_int) -> c_int {
    if result == -1 {
        eprintln!("echod: {call}: {}", io::Error::last_os_error());
        exit(1);
    }
    result
}

fn close(fd: c_int) {
    // SAFETY: the caller does not use `fd` afterwards.
    unsafe { libc::close(fd) };
}

fn take_signals() -> c_int {
    // SAFETY: sigset_t is a C structure of integers.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` may be written.
    unsafe { libc::sigemptyset(&mut set) };
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGCHLD] {
        // SAFETY: `set` is initialised.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    // SAFETY: `set` is initialised, a null old set is permitted.
    must("sigprocmask", unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) });
    // SAFETY: `set` is initialised.
    must("signalfd", unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC) })
}

fn listener(port: u16) -> c_int {
    // Non-blocking, since a client can be gone again between poll and accept.
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no precondition.
    let listener = must("socket", unsafe { libc::socket(libc::AF_INET, kind, 0) });
    let on: c_int = 1;
    let on_size = size_of_val(&on) as libc::socklen_t;
    // SAFETY: pointer and length are those of `on`.
    must("setsockopt", unsafe {
        libc::setsockopt(listener, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), on_size)
    });
    // SAFETY: sockaddr_in is a C structure of integers.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = libc::htons(port);
    let mut size = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length are those of `address`.
    must("bind", unsafe { libc::bind(listener, (&raw const address).cast(), size) });
    // SAFETY: no precondition.
    must("listen", unsafe { libc::listen(listener, 64) });
    // SAFETY: pointer and length are those of `address`, which may be written.
    must("getsockname", unsafe { libc::getsockname(listener, (&raw mut address).cast(), &mut size) });
    println!("listening {}", libc::ntohs(address.sin_port));
    listener
}

impl Server {
    fn run(&mut self) -> ! {
        loop {
            self.wait_for(self.listener, libc::POLLIN);
            // SAFETY: null pointers say that the client's address is not wanted.
            let client = unsafe { libc::accept(self.listener, std::ptr::null_mut(), std::ptr::null_mut()) };
            if client == -1 && matches!(errno(), libc::EINTR | libc::ECONNABORTED | libc::EAGAIN) {
                continue;
            }
            must("accept", client);
            if self.forking {
                self.start_child(client);
            } else {
                self.serve(client);
            }
            close(client);
        }
    }

    fn start_child(&mut self, client: c_int) {
        // SAFETY: there is one thread.
        match must("fork", unsafe { libc::fork() }) {
            0 => {
                close(self.listener);
                // A signalfd delivers the signals of the process that reads it: the child can go on using it.
                self.children.clear();
                self.serve(client);
                exit(0);
            }
            pid => self.children.push(pid),
        }
    }

    fn serve(&mut self, client: c_int) {
        let mut buffer = vec![0u8; 16384];
        loop {
            self.wait_for(client, libc::POLLIN);
            // SAFETY: pointer and length are those of the buffer.
            let count = unsafe { libc::recv(client, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
            match count {
                0 => return,
                -1 if matches!(errno(), libc::EINTR | libc::EAGAIN) => {}
                -1 => return, // the client is gone
                _ => {
                    if !self.send_all(client, &buffer[..count as usize]) {
                        return;
                    }
                }
            }
        }
    }

    fn send_all(&mut self, client: c_int, bytes: &[u8]) -> bool {
        let mut sent = 0;
        while sent < bytes.len() {
            self.wait_for(client, libc::POLLOUT);
            let rest = &bytes[sent..];
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: pointer and length are those of the rest.
            match unsafe { libc::send(client, rest.as_ptr().cast(), rest.len(), flags) } {
                -1 if matches!(errno(), libc::EINTR | libc::EAGAIN) => {}
                -1 => return false,
                count => sent += count as usize,
            }
        }
        true
    }

    /// Waits until the socket is ready, and meanwhile does what the signals ask for.
    fn wait_for(&mut self, socket: c_int, events: libc::c_short) {
        loop {
            let mut polled = [
                libc::pollfd { fd: self.signals, events: libc::POLLIN, revents: 0 },
                libc::pollfd { fd: socket, events, revents: 0 },
            ];
            // SAFETY: two pollfds, as said.
            let result = unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) };
            if result == -1 && errno() == libc::EINTR {
                continue;
            }
            must("poll", result);
            if polled[0].revents != 0 {
                self.take_signal();
            }
            if polled[1].revents != 0 {
                return;
            }
        }
    }

    fn take_signal(&mut self) {
        // SAFETY: signalfd_siginfo is a C structure of integers.
        let mut information: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
        let size = size_of_val(&information);
        // SAFETY: pointer and length are those of `information`.
        let count = unsafe { libc::read(self.signals, (&raw mut information).cast(), size) };
        if count == -1 && errno() == libc::EINTR {
            return; // it is still there, and poll says so again
        }
        must("read", count as c_int);
        if information.ssi_signo == libc::SIGCHLD as u32 {
            self.reap(libc::WNOHANG);
            return;
        }
        for &child in &self.children {
            // SAFETY: `child` has not been waited for, so the number is still its own.
            unsafe { libc::kill(child, libc::SIGTERM) };
        }
        self.reap(0);
        exit(0);
    }

    fn reap(&mut self, options: c_int) {
        while !self.children.is_empty() {
            // SAFETY: a null status pointer is permitted.
            let pid = unsafe { libc::waitpid(-1, std::ptr::null_mut(), options) };
            match pid {
                -1 if errno() == libc::EINTR => {}
                0 | -1 => return,
                _ => self.children.retain(|&child| child != pid),
            }
        }
    }
}
