//! The harness's own sockets, as a peer of the program under check: non-blocking TCP and UDP on loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::checked;
use super::process::Pid;

/// A TCP socket; socket(2).
pub fn tcp() -> io::Result<OwnedFd> {
    of_type(libc::SOCK_STREAM)
}

/// A UDP socket; socket(2).
pub fn udp() -> io::Result<OwnedFd> {
    of_type(libc::SOCK_DGRAM)
}

fn of_type(socket_type: i32) -> io::Result<OwnedFd> {
    // SAFETY: no precondition.
    let descriptor = checked(unsafe { libc::socket(libc::AF_INET, socket_type | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) })?;
    // SAFETY: the call made this descriptor just now, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

fn address(host: Ipv4Addr, port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(host).to_be() },
        sin_zero: [0; 8],
    }
}

/// bind(2).
pub fn bind(socket: BorrowedFd<'_>, host: Ipv4Addr, port: u16) -> io::Result<()> {
    let address = address(host, port);
    // SAFETY: the length is that of the address structure.
    checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS_LENGTH) }).map(drop)
}

/// listen(2).
pub fn listen(socket: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    // SAFETY: no precondition.
    checked(unsafe { libc::listen(socket.as_raw_fd(), backlog) }).map(drop)
}

/// connect(2): `false` while the connection is under way.
pub fn connect(socket: BorrowedFd<'_>, host: Ipv4Addr, port: u16) -> io::Result<bool> {
    let address = address(host, port);
    // SAFETY: the length is that of the address structure.
    match checked(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS_LENGTH) }) {
        Ok(_) => Ok(true),
        Err(error) => match error.raw_os_error() {
            Some(libc::EINPROGRESS | libc::EALREADY | libc::EINTR) => Ok(false),
            Some(libc::EISCONN) => Ok(true),
            _ => Err(error),
        },
    }
}

/// accept(2): `None` while nobody has connected.
pub fn accept(socket: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    // SAFETY: the address is not asked for.
    match checked(unsafe { libc::accept4(socket.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) })
    {
        // SAFETY: the call made this descriptor just now, and nothing else owns it.
        Ok(descriptor) => Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor) })),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// The port that a socket is bound to; getsockname(2).
pub fn port(socket: BorrowedFd<'_>) -> io::Result<u16> {
    let mut address = address(Ipv4Addr::UNSPECIFIED, 0);
    let mut length = ADDRESS_LENGTH;
    // SAFETY: the structure has as many bytes as `length` says.
    checked(unsafe { libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut length) })?;
    Ok(u16::from_be(address.sin_port))
}

/// shutdown(2) of the writing half: the peer reads end-of-file.
pub fn shut_down_writing(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no precondition.
    checked(unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_WR) }).map(drop)
}

/// Sets an integer option; setsockopt(2).
pub fn set_option(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the length is that of the integer.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), size_of::<i32>() as libc::socklen_t) }).map(drop)
}

/// Closing this socket resets the connection instead of ending it (SO_LINGER with time 0); socket(7).
pub fn reset_on_close(socket: BorrowedFd<'_>) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the length is that of the structure.
    checked(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    })
    .map(drop)
}

/// send(2) without SIGPIPE.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are the slice's.
    checked(unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) }).map(isize::cast_unsigned)
}

/// sendto(2) of one datagram.
pub fn send_to(socket: BorrowedFd<'_>, bytes: &[u8], to: SocketAddrV4) -> io::Result<()> {
    let address = address(*to.ip(), to.port());
    // SAFETY: pointer and length are the slice's, and the other length is that of the address structure.
    checked(unsafe { libc::sendto(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0, (&raw const address).cast(), ADDRESS_LENGTH) }).map(drop)
}

/// recvfrom(2): the next datagram and where it came from; `None` while there is none.
pub fn receive_from(socket: BorrowedFd<'_>) -> io::Result<Option<(SocketAddrV4, Vec<u8>)>> {
    // No datagram of IPv4 is longer.
    let mut buffer = vec![0u8; 1 << 16];
    let mut sender = address(Ipv4Addr::UNSPECIFIED, 0);
    let mut sender_length = ADDRESS_LENGTH;
    // SAFETY: pointer and length are the vector's, and the structure has as many bytes as `sender_length` says.
    let received = checked(unsafe {
        libc::recvfrom(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0, (&raw mut sender).cast(), &raw mut sender_length)
    });
    match received {
        Ok(length) => {
            buffer.truncate(length.cast_unsigned());
            let host = Ipv4Addr::from(u32::from_be(sender.sin_addr.s_addr));
            Ok(Some((SocketAddrV4::new(host, u16::from_be(sender.sin_port)), buffer)))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// A descriptor of another process's socket, the same open socket: pidfd_open(2), pidfd_getfd(2). The process must be one that the caller may trace.
pub fn of_process(pid: Pid, descriptor: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers.
    let process = checked(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the call before made the descriptor, and nothing else owns it.
    let process = unsafe { OwnedFd::from_raw_fd(process as i32) };
    // SAFETY: pidfd_getfd takes three integers.
    let socket = checked(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0) })?;
    // SAFETY: the call before made the descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(socket as i32) })
}

/// Whether a socket keeps the bounds of messages and promises no more than that: SO_TYPE, socket(7).
pub fn is_for_datagrams(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let mut kind: i32 = 0;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the integer has as many bytes as `length` says.
    checked(unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TYPE, (&raw mut kind).cast(), &raw mut length) })?;
    Ok(kind == libc::SOCK_DGRAM)
}

/// sendto(2) with the bytes of an address, or with none for the one that the socket is connected to; never waits.
pub fn send_datagram(socket: BorrowedFd<'_>, bytes: &[u8], to: &[u8], flags: i32) -> io::Result<usize> {
    let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let address = if to.is_empty() { std::ptr::null() } else { to.as_ptr() };
    // SAFETY: pointers and lengths are the slices', and a null address has no length.
    checked(unsafe { libc::sendto(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags, address.cast(), to.len() as libc::socklen_t) })
        .map(isize::cast_unsigned)
}
