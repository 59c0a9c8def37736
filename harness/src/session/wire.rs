//! The check at the wire: whole frames sent on an interface of the run, and all that pass there seen.
//!
//! Theory of operation: a packet socket on loopback gets its own frames back, in the same moment as everyone else who listens there. So [`Wire::send`] returns
//! once the frame has come back: whoever is to see it has it by then, however busy the machine is, and a program that still sleeps has not been woken by it.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::{Session, TICK};
use crate::kernel::{descriptor, named, packet, process};
use crate::verdict::Unpassed;

/// Milliseconds for a frame to pass an interface of the run: the last resort.
const PASSES_WITHIN: u64 = 10_000;
/// More than the longest frame: 64 KiB of IP and a link header.
const LONGEST: usize = 66 << 10;

/// A packet socket of the check's own.
pub struct Wire {
    socket: OwnedFd,
    seen: Vec<Vec<u8>>,
}

impl Session {
    /// From now on the check sees what comes in on this interface, and can send there. Opens a packet socket in the run's own network namespace.
    ///
    /// # Errors
    /// Skipped without namespaces; broken, if there is no such interface.
    pub fn wire(&mut self, interface: &str) -> Result<Wire, Unpassed> {
        self.needs_namespaces()?;
        let name = CString::new(interface).map_err(|_| Unpassed::Broken("an interface's name with a NUL byte".into()))?;
        let socket = packet::open(&name).map_err(|error| named(&format!("a packet socket on {interface}"), &error))?;
        Ok(Wire { socket, seen: Vec::new() })
    }

    /// Whether some packet socket of the run holds frames that its program has not received.
    ///
    /// # Errors
    /// Broken, if `/proc` cannot be read.
    pub fn frames_wait(&self, wire: &mut Wire) -> Result<bool, Unpassed> {
        /// The column `Rmem`: the memory that received frames take; 0 without any.
        const MEMORY: usize = 6;
        wire.look()?;
        let table = self.tracer.proc.table("self/net/packet")?;
        Ok(table.lines().skip(1).any(|line| line.split_whitespace().nth(MEMORY).is_some_and(|bytes| bytes != "0")))
    }
}

impl Wire {
    /// Sends a frame, link header included, and waits until it has come in on the interface. What it holds can be anything; where it is IPv4 to an address of
    /// the run's, the kernel answers as it would answer anyone.
    ///
    /// # Errors
    /// Broken, if the kernel does not take it or it does not come.
    pub fn send(&mut self, frame: &[u8]) -> Result<(), Unpassed> {
        self.look()?;
        let before = self.seen.len();
        descriptor::write(self.socket.as_fd(), frame).map_err(|error| named("send on a packet socket", &error))?;
        self.wait("the frame that was sent", |seen| seen[before..].iter().any(|one| one == frame).then_some(()))
    }

    /// All frames that have come in so far, link header included, in their order.
    ///
    /// # Errors
    /// Broken, if the socket cannot be read.
    pub fn frames(&mut self) -> Result<&[Vec<u8>], Unpassed> {
        self.look()?;
        Ok(&self.seen)
    }

    /// Waits for a frame that is so, and returns the first one of all that have come in.
    ///
    /// # Errors
    /// Broken, if none comes.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, Unpassed> {
        self.wait(what, |seen| seen.iter().find(|frame| is_so(frame)).cloned())
    }

    fn wait<T>(&mut self, what: &str, found: impl Fn(&[Vec<u8>]) -> Option<T>) -> Result<T, Unpassed> {
        let until = process::ticks() + PASSES_WITHIN / TICK as u64;
        loop {
            self.look()?;
            if let Some(value) = found(&self.seen) {
                return Ok(value);
            }
            if process::ticks() > until {
                return Err(Unpassed::Broken(format!("{what} did not come in on the interface")));
            }
            // The next tick ends this.
            process::wait_for_signal();
        }
    }

    /// Takes in what is there.
    fn look(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; LONGEST];
        loop {
            match descriptor::read(self.socket.as_fd(), &mut buffer) {
                Ok(length) => self.seen.push(buffer[..length].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}
