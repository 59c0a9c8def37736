//! Packet sockets: whole frames of one interface; packet(7).

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::checked;

/// `PACKET_IGNORE_OUTGOING`, which the crate libc does not have; Linux 4.20.
const IGNORE_OUTGOING: i32 = 23;

/// A socket that is given every frame that comes in on this interface, and through which whole frames, link header included, go out there. What goes out on
/// loopback comes in again.
pub fn open(interface: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: the name is NUL-terminated.
    let index = unsafe { libc::if_nametoindex(interface.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: no precondition. With protocol 0 nothing comes in before the socket is bound.
    let descriptor = checked(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) })?;
    // SAFETY: the call made this descriptor just now, and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    super::socket::set_option(std::os::fd::AsFd::as_fd(&socket), libc::SOL_PACKET, IGNORE_OUTGOING, 1)?;
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
        sll_ifindex: index.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the length is that of the address structure.
    checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) })?;
    Ok(socket)
}

/// Asks for the frames to others too that pass this interface: it is promiscuous as long as the socket is open; packet(7), PACKET_ADD_MEMBERSHIP.
pub fn take_all(socket: BorrowedFd<'_>, interface: &CStr) -> io::Result<()> {
    // SAFETY: the name is NUL-terminated.
    let index = unsafe { libc::if_nametoindex(interface.as_ptr()) };
    let request = libc::packet_mreq { mr_ifindex: index.cast_signed(), mr_type: libc::PACKET_MR_PROMISC as u16, mr_alen: 0, mr_address: [0; 8] };
    let length = size_of_val(&request) as libc::socklen_t;
    // SAFETY: the length is that of the structure.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, (&raw const request).cast(), length) })
        .map(drop)
}
