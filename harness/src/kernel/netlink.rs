//! The kernel's network configuration: links, addresses and routes; netlink(7), rtnetlink(7).
//!
//! A message is a header, a structure of its family and attributes, each with its length and kind before its value. All numbers are in the machine's byte
//! order but addresses, which are as on the wire. Every request asks for an acknowledgment, so that an error is known where it was made.

use std::cell::Cell;
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{checked, descriptor, retried};

/// An address of Ethernet.
pub type Mac = [u8; 6];

/// `SIOCGSKNS`, which the crate libc does not have: a descriptor of the network namespace that a socket is in; ioctl_ns(2).
const NAMESPACE_OF_SOCKET: libc::Ioctl = 0x894c;
/// `SIOCETHTOOL`, which it does not have either; netdevice(7).
const SIOCETHTOOL: libc::Ioctl = 0x8946;
/// The attribute of a veth's data that describes the other end, and the one of a bridge that lets it ask who listens to which group; rtnetlink(7).
const VETH_INFO_PEER: u16 = 1;
const IFLA_BR_MCAST_SNOOPING: u16 = 23;
/// `IF_OPER_UP`: the link carries packets; RFC 2863.
const CARRIES: u8 = 6;
/// Bytes of the header, and of the structures of links, addresses and routes.
const HEADER: usize = 16;
const LINK: usize = 16;

/// What the kernel says of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Whether it carries packets by now.
    pub carries: bool,
}

/// A socket through which one network namespace is configured: the one in which it was opened.
pub struct Netlink {
    socket: OwnedFd,
    sequence: Cell<u32>,
}

impl Netlink {
    /// Opens it in this process's network namespace.
    pub fn open() -> io::Result<Self> {
        // SAFETY: no precondition.
        let descriptor = checked(unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) })?;
        // SAFETY: the call made this descriptor just now, and nothing else owns it.
        Ok(Self { socket: unsafe { OwnedFd::from_raw_fd(descriptor) }, sequence: Cell::new(0) })
    }

    /// The network namespace that it configures.
    pub fn namespace(&self) -> io::Result<OwnedFd> {
        // SAFETY: the command takes no argument.
        let descriptor = checked(unsafe { libc::ioctl(self.socket.as_raw_fd(), NAMESPACE_OF_SOCKET) })?;
        // SAFETY: the call made this descriptor just now, and nothing else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }

    /// Makes a cable: one end here, the other in another namespace; veth(4).
    pub fn add_cable(&self, here: (&CStr, Mac), there: (&CStr, Mac), namespace: BorrowedFd<'_>) -> io::Result<()> {
        let end = |(name, mac): (&CStr, Mac)| [attribute(libc::IFLA_IFNAME, name.to_bytes_with_nul()), attribute(libc::IFLA_ADDRESS, &mac)].concat();
        let in_namespace = attribute(libc::IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
        let peer = attribute(VETH_INFO_PEER, &[link(0, 0), end(there), in_namespace].concat());
        let kind = [attribute(libc::IFLA_INFO_KIND, b"veth"), attribute(libc::IFLA_INFO_DATA, &peer)].concat();
        self.add(libc::RTM_NEWLINK, &[link(0, 0), end(here), attribute(libc::IFLA_LINKINFO, &kind)].concat())
    }

    /// Makes a switch: a bridge that asks nobody anything by itself.
    pub fn add_bridge(&self, name: &CStr) -> io::Result<()> {
        let quiet = attribute(IFLA_BR_MCAST_SNOOPING, &[0]);
        let kind = [attribute(libc::IFLA_INFO_KIND, b"bridge"), attribute(libc::IFLA_INFO_DATA, &quiet)].concat();
        let name = attribute(libc::IFLA_IFNAME, name.to_bytes_with_nul());
        self.add(libc::RTM_NEWLINK, &[link(0, 0), name, attribute(libc::IFLA_LINKINFO, &kind)].concat())
    }

    /// Makes a link a port of a bridge.
    pub fn put_into(&self, name: &CStr, bridge: &CStr) -> io::Result<()> {
        let (name, bridge) = (self.link(name)?.index, self.link(bridge)?.index);
        self.change(&[link(name, 0), attribute(libc::IFLA_MASTER, &bridge.to_ne_bytes())].concat())
    }

    /// Switches a link on.
    pub fn switch_on(&self, name: &CStr) -> io::Result<()> {
        self.change(&link(self.link(name)?.index, libc::IFF_UP as u32))
    }

    /// Lets the kernel finish every frame before it goes out on this link: its checksums, and no frame longer than the link takes. Otherwise a packet socket
    /// at the other end is given frames that only a network card would finish; ethtool(8), `-K`.
    pub fn finish_frames(&self, name: &CStr) -> io::Result<()> {
        // ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_SSG, ETHTOOL_STXCSUM; linux/ethtool.h.
        for command in [0x1f_u32, 0x24, 0x2c, 0x19, 0x17] {
            let mut value = [command, 0];
            let mut request = MaybeUninit::<libc::ifreq>::zeroed();
            // SAFETY: zeroed plain data is a valid value of this structure.
            let request = unsafe { request.assume_init_mut() };
            for (place, byte) in request.ifr_name.iter_mut().zip(name.to_bytes_with_nul()) {
                *place = *byte as libc::c_char;
            }
            request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
            // SAFETY: SIOCETHTOOL reads a `struct ifreq`, and these commands a `struct ethtool_value`, two numbers of 32 bits, behind its pointer.
            checked(unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCETHTOOL, &raw const *request) })?;
        }
        Ok(())
    }

    /// Gives a link an address, and with it the route to its network.
    pub fn add_address(&self, name: &CStr, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let mut body = vec![libc::AF_INET as u8, prefix, 0, libc::RT_SCOPE_UNIVERSE];
        body.extend(self.link(name)?.index.to_ne_bytes());
        body.extend(attribute(libc::IFA_LOCAL, &address.octets()));
        body.extend(attribute(libc::IFA_ADDRESS, &address.octets()));
        self.add(libc::RTM_NEWADDR, &body)
    }

    /// Adds a route through a gateway.
    pub fn add_route(&self, to: Ipv4Addr, prefix: u8, via: Ipv4Addr) -> io::Result<()> {
        let mut body =
            vec![libc::AF_INET as u8, prefix, 0, 0, libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST, 0, 0, 0, 0];
        if prefix > 0 {
            body.extend(attribute(libc::RTA_DST, &to.octets()));
        }
        body.extend(attribute(libc::RTA_GATEWAY, &via.octets()));
        self.add(libc::RTM_NEWROUTE, &body)
    }

    /// What the kernel says of a link.
    pub fn link(&self, name: &CStr) -> io::Result<Link> {
        let body = [link(0, 0), attribute(libc::IFLA_IFNAME, name.to_bytes_with_nul())].concat();
        let answer = self.request(libc::RTM_GETLINK, 0, &body)?;
        let index = answer.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
        let index = index.ok_or_else(|| io::Error::other("an answer that is too short"))?;
        let state = attributes(answer.get(LINK..).unwrap_or_default()).find(|(kind, _)| *kind == libc::IFLA_OPERSTATE);
        Ok(Link { index, carries: state.is_some_and(|(_, value)| value.first() == Some(&CARRIES)) })
    }

    fn add(&self, kind: u16, body: &[u8]) -> io::Result<()> {
        let flags = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.request(kind, flags as u16, body).map(drop)
    }

    fn change(&self, body: &[u8]) -> io::Result<()> {
        self.request(libc::RTM_SETLINK, libc::NLM_F_ACK as u16, body).map(drop)
    }

    /// Sends a request and returns what the answer has behind its header.
    fn request(&self, kind: u16, flags: u16, body: &[u8]) -> io::Result<Vec<u8>> {
        self.sequence.set(self.sequence.get() + 1);
        let mut message = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend((flags | libc::NLM_F_REQUEST as u16).to_ne_bytes());
        message.extend(self.sequence.get().to_ne_bytes());
        message.extend([0; 4]);
        message.extend(body);
        // SAFETY: pointer and length are the vector's.
        retried(|| unsafe { libc::send(self.socket.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) })?;
        let mut buffer = vec![0; 32 << 10];
        let length = descriptor::read(self.socket.as_fd(), &mut buffer)?;
        let number = |at: usize| buffer[at..at + 4].try_into().map_or(0, u32::from_ne_bytes);
        if length < HEADER + 4 || number(8) != self.sequence.get() {
            return Err(io::Error::other("an answer of rtnetlink that belongs to no request"));
        }
        let end = (number(0) as usize).clamp(HEADER, length);
        // NLMSG_ERROR carries a negative errno, or 0 as the acknowledgment.
        match (u16::from_ne_bytes([buffer[4], buffer[5]]), number(HEADER).cast_signed()) {
            (2, 0) => Ok(Vec::new()),
            (2, error) => Err(io::Error::from_raw_os_error(-error)),
            _ => Ok(buffer[HEADER..end].to_vec()),
        }
    }
}

/// `struct ifinfomsg` of a link, with the flags to set.
fn link(index: u32, flags: u32) -> Vec<u8> {
    [0u32, index, flags, flags].iter().flat_map(|number| number.to_ne_bytes()).collect()
}

/// An attribute: length, kind, value, and bytes that fill it up to a multiple of four.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The attributes of an answer, each with its kind and value.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]));
        let kind = u16::from_ne_bytes([*bytes.get(2)?, *bytes.get(3)?]);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_written_and_read_alike() {
        let bytes = [attribute(3, b"eth0\0"), attribute(16, &[6])].concat();
        assert_eq!(bytes.len(), 12 + 8);
        assert_eq!(attributes(&bytes).collect::<Vec<_>>(), [(3, &b"eth0\0"[..]), (16, &[6][..])]);
        assert_eq!(attributes(&bytes[..7]).count(), 0, "one that is cut off is none");
    }
}
