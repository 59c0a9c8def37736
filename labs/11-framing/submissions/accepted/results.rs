//! Failures are values, the connection is a type with Read and Write, and std does the loops: read_exact and write_all go on
//! after short counts and after EINTR. Header and message are copied into one buffer, which send takes in one call.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;

use libc::{sockaddr_in, socklen_t};

const MOST: u32 = 1 << 16;

enum Failure {
    Call(&'static str, io::Error),
    Rule(String),
    Usage,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call, error) => write!(f, "frames: {call}: {error}"),
            Self::Rule(text) => write!(f, "frames: {text}"),
            Self::Usage => write!(f, "usage: frames send HOST PORT | frames recv PORT"),
        }
    }
}

trait Named<T> {
    fn named(self, call: &'static str) -> Result<T, Failure>;
}

impl<T> Named<T> for io::Result<T> {
    fn named(self, call: &'static str) -> Result<T, Failure> {
        self.map_err(|error| Failure::Call(call, error))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &arguments[..] {
        [task, host, port] if task == "send" => send(host, port),
        [task, port] if task == "recv" => receive(port),
        _ => Err(Failure::Usage),
    };
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    eprintln!("{failure}");
    ExitCode::from(if matches!(failure, Failure::Usage) { 2 } else { 1 })
}

/// The result of a call, with errno in place of -1.
fn checked(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

struct Socket(OwnedFd);

impl Socket {
    fn new() -> Result<Self, Failure> {
        // SAFETY: no precondition.
        let fd = checked(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) } as isize).named("socket")?;
        // SAFETY: the kernel has just opened it, and nobody else knows of it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    }

    fn fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: pointer and length are those of the buffer.
        checked(unsafe { libc::recv(self.fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) })
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: pointer and length are those of the slice.
        checked(unsafe { libc::send(self.fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const LENGTH: socklen_t = size_of::<sockaddr_in>() as socklen_t;

fn address(host: [u8; 4], port: u16) -> sockaddr_in {
    let sin_addr = libc::in_addr { s_addr: u32::from_ne_bytes(host) };
    sockaddr_in { sin_family: libc::AF_INET as libc::sa_family_t, sin_port: port.to_be(), sin_addr, sin_zero: [0; 8] }
}

fn parse(host: &str, port: &str) -> Option<sockaddr_in> {
    let mut numbers = host.split('.').map(|number| number.parse().ok());
    let host = [numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()??];
    let port = port.parse().ok().filter(|port| *port != 0)?;
    numbers.next().is_none().then(|| address(host, port))
}

fn send(host: &str, port: &str) -> Result<(), Failure> {
    let address = parse(host, port).ok_or(Failure::Usage)?;
    let mut socket = Socket::new()?;
    // SAFETY: pointer and length are those of the address.
    checked(unsafe { libc::connect(socket.fd(), (&raw const address).cast(), LENGTH) } as isize).named("connect")?;
    let mut input = io::stdin().lock();
    loop {
        // Room for the header comes first, and one byte more than the limit is read: for the newline, or to see that there is none.
        let mut frame = vec![0; 4];
        let count = input.by_ref().take(u64::from(MOST) + 1).read_until(b'\n', &mut frame).named("read")?;
        if count == 0 {
            return Ok(());
        }
        if frame.last() == Some(&b'\n') && count > 0 {
            frame.pop();
        }
        let length = (frame.len() - 4) as u32;
        if length > MOST {
            return Err(Failure::Rule(format!("a line has more than {MOST} bytes")));
        }
        frame[..4].copy_from_slice(&length.to_be_bytes());
        socket.write_all(&frame).named("send")?;
    }
}

fn receive(port: &str) -> Result<(), Failure> {
    let port = port.parse().map_err(|_| Failure::Usage)?;
    let mut connection = {
        let listener = listen(port)?;
        accept(&listener)?
    };
    let mut output = io::stdout().lock();
    let mut header = [0; 4];
    while fill(&mut connection, &mut header)? {
        let length = u32::from_be_bytes(header);
        if length > MOST {
            return Err(Failure::Rule(format!("{length} bytes are announced, which is more than {MOST}")));
        }
        let mut message = vec![0; length as usize];
        if length > 0 && !fill(&mut connection, &mut message)? {
            return Err(Failure::Rule("the message is missing".into()));
        }
        message.push(b'\n');
        output.write_all(&message).and_then(|()| output.flush()).named("write")?;
    }
    Ok(())
}

/// Fills the buffer; false if the stream ends before its first byte.
fn fill(connection: &mut Socket, buffer: &mut [u8]) -> Result<bool, Failure> {
    let (first, rest) = buffer.split_at_mut(1);
    let count = loop {
        match connection.read(first) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result.named("recv")?,
        }
    };
    if count == 0 {
        return Ok(false);
    }
    match connection.read_exact(rest) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Failure::Rule("the stream ends inside a frame".into())),
        result => result.named("recv").map(|()| true),
    }
}

fn listen(port: u16) -> Result<Socket, Failure> {
    let listener = Socket::new()?;
    let mut name = address([0; 4], port);
    // SAFETY: pointer and length are those of the address.
    checked(unsafe { libc::bind(listener.fd(), (&raw const name).cast(), LENGTH) } as isize).named("bind")?;
    // SAFETY: no precondition.
    checked(unsafe { libc::listen(listener.fd(), 5) } as isize).named("listen")?;
    let mut length = LENGTH;
    // SAFETY: `length` is the size of the address.
    checked(unsafe { libc::getsockname(listener.fd(), (&raw mut name).cast(), &mut length) } as isize).named("getsockname")?;
    let mut output = io::stdout();
    writeln!(output, "listening {}", u16::from_be(name.sin_port)).and_then(|()| output.flush()).named("write")?;
    Ok(listener)
}

fn accept(listener: &Socket) -> Result<Socket, Failure> {
    loop {
        // SAFETY: the address is not asked for.
        match checked(unsafe { libc::accept4(listener.fd(), std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC) } as isize) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // SAFETY: the kernel has just opened it, and nobody else knows of it.
            result => return result.map(|fd| Socket(unsafe { OwnedFd::from_raw_fd(fd as i32) })).named("accept4"),
        }
    }
}
