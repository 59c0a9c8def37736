//! The check as a peer over UDP: a socket of its own, with which it plays the client, the server and the network between them.
//!
//! Theory of operation: the check gets every datagram itself and decides what becomes of it, by its number and never by chance. It does not answer (lost), sends
//! twice (doubled), or sends after something else (late, out of order). On loopback a datagram is in its receiver's queue when the call that sends it comes
//! back, so that when all processes sleep none is under way.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use super::Session;
use crate::kernel::{named, socket};
use crate::verdict::Unpassed;

/// A UDP socket that the check holds.
pub struct Mailbox {
    socket: OwnedFd,
    /// Where it is bound.
    pub address: SocketAddrV4,
}

/// A datagram that came to the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// What is in it; nothing at all is possible.
    pub bytes: Vec<u8>,
}

impl Mailbox {
    fn bound_to(host: Ipv4Addr, port: u16) -> io::Result<Self> {
        let socket = socket::udp()?;
        socket::bind(socket.as_fd(), host, port).map_err(|error| named("bind", &error))?;
        let port = socket::port(socket.as_fd())?;
        Ok(Self { socket, address: SocketAddrV4::new(host, port) })
    }

    fn next(&self) -> io::Result<Option<Datagram>> {
        Ok(socket::receive_from(self.socket.as_fd())?.map(|(from, bytes)| Datagram { from, bytes }))
    }

    /// Sends a datagram. Nobody need be there to take it.
    ///
    /// # Errors
    /// Broken, if sendto(2) fails.
    pub fn send(&self, to: SocketAddrV4, bytes: &[u8]) -> Result<(), Unpassed> {
        Ok(socket::send_to(self.socket.as_fd(), bytes, to).map_err(|error| named("sendto", &error))?)
    }
}

impl Session {
    /// A UDP socket on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Broken, if it cannot be made.
    pub fn mailbox(&mut self) -> Result<Mailbox, Unpassed> {
        self.mailbox_at(Ipv4Addr::LOCALHOST, 0)
    }

    /// A UDP socket on this port, or for 0 on a free one, of an address of the machine, for instance any of 127.0.0.0/8.
    ///
    /// # Errors
    /// Broken, if it cannot be made.
    pub fn mailbox_at(&mut self, host: Ipv4Addr, port: u16) -> Result<Mailbox, Unpassed> {
        Ok(Mailbox::bound_to(host, port)?)
    }

    /// Lets the run go on until a datagram comes.
    ///
    /// # Errors
    /// Fail, if none ever does.
    pub fn datagram(&mut self, mailbox: &Mailbox) -> Result<Datagram, Unpassed> {
        self.until("a datagram to the check's socket", |_| mailbox.next())
    }

    /// The datagrams that have come so far and were not asked for, in their order. [`Session::settle`] first: then no more will come by themselves.
    ///
    /// # Errors
    /// Broken, if the socket cannot be read.
    pub fn datagrams(&mut self, mailbox: &Mailbox) -> Result<Vec<Datagram>, Unpassed> {
        let mut came = Vec::new();
        while let Some(datagram) = mailbox.next()? {
            came.push(datagram);
        }
        Ok(came)
    }
}
