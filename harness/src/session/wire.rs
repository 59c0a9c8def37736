//! The check at the wire: whole frames sent on an interface of the run, and all that pass there seen.
//!
//! Theory of operation: a packet socket on loopback gets its own frames back, in the same moment as everyone else who listens there. So [`Wire::send`] returns
//! once the frame has come back, and on a cable once it has come in at the other end: whoever is to see it has it by then, however busy the machine is, and a program that still sleeps has not been woken by it.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::{Session, TICK};
use crate::kernel::{descriptor, named, packet, process};
use crate::network::Node;
use crate::verdict::Unpassed;

/// Milliseconds for a frame to pass an interface of the run: the last resort.
const PASSES_WITHIN: u64 = 10_000;
/// More than the longest frame: 64 KiB of IP and a link header.
const LONGEST: usize = 66 << 10;

/// A packet socket of the check's own.
pub struct Wire {
    socket: OwnedFd,
    /// Where frames that were sent come in, if not at the socket itself.
    far: Far,
    seen: Vec<Vec<u8>>,
}

/// What tells that a frame which was sent has come in.
enum Far {
    /// The wire's own socket: the interface is loopback.
    Itself,
    /// A packet socket at the only other end.
    End(OwnedFd),
    /// Nobody: whoever is to get it is one of several.
    Unknown,
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
        Ok(Wire { socket, far: Far::Itself, seen: Vec::new() })
    }

    /// From now on the check sees every frame on this LAN of [`Session::build_network`] that a member sends, and can send there itself, as one more member.
    ///
    /// # Errors
    /// Broken, if there is no such LAN.
    pub fn tap(&mut self, lan: &str) -> Result<Wire, Unpassed> {
        let hosts = self.hosts()?;
        let topology = hosts.topology();
        let unknown = || Unpassed::Broken(format!("the network has no LAN `{lan}`"));
        let number = topology.lans.iter().position(|known| known.name == lan).ok_or_else(unknown)?;
        let switch = hosts.switch(number);
        let open = || {
            let socket = packet::open(&switch)?;
            packet::take_all(socket.as_fd(), &switch)?;
            Ok(socket)
        };
        let named = |error: io::Error| named(&format!("a packet socket on the LAN {lan}"), &error);
        let socket = hosts.inside(hosts.between(), open)?.map_err(named)?;
        let members: Vec<_> = topology.members(number).collect();
        let far = match members[..] {
            [(node, interface)] => {
                let interface = CString::new(Node::interface_name(interface)).unwrap_or_default();
                let namespace = hosts.namespace(&node.name).ok_or_else(unknown)?;
                Far::End(hosts.inside(namespace, || packet::open(&interface))?.map_err(named)?)
            }
            _ => Far::Unknown,
        };
        Ok(Wire { socket, far, seen: Vec::new() })
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
        if let Far::End(end) = &self.far {
            // What came in there by itself is not looked at.
            take_in(end, &mut Vec::new())?;
        }
        let before = self.seen.len();
        descriptor::write(self.socket.as_fd(), frame).map_err(|error| named("send on a packet socket", &error))?;
        match &self.far {
            Far::Itself => self.wait("the frame that was sent", |seen| seen[before..].iter().any(|one| one == frame).then_some(())),
            Far::End(end) => {
                let mut came = Vec::new();
                wait_until("the frame that was sent", || {
                    take_in(end, &mut came)?;
                    // The wire fills up short frames.
                    Ok(came.iter().any(|one| one.starts_with(frame)).then_some(()))
                })
            }
            Far::Unknown => Ok(()),
        }
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

    /// The frames that have come in so far and were not taken, and none of them from then on.
    ///
    /// # Errors
    /// Broken, if the socket cannot be read.
    pub fn take(&mut self) -> Result<Vec<Vec<u8>>, Unpassed> {
        self.look()?;
        Ok(std::mem::take(&mut self.seen))
    }

    fn wait<T>(&mut self, what: &str, found: impl Fn(&[Vec<u8>]) -> Option<T>) -> Result<T, Unpassed> {
        wait_until(what, || {
            self.look()?;
            Ok(found(&self.seen))
        })
    }

    /// Takes in what is there.
    fn look(&mut self) -> io::Result<()> {
        take_in(&self.socket, &mut self.seen)
    }
}

fn wait_until<T>(what: &str, mut found: impl FnMut() -> io::Result<Option<T>>) -> Result<T, Unpassed> {
    let until = process::ticks() + PASSES_WITHIN / TICK as u64;
    loop {
        if let Some(value) = found()? {
            return Ok(value);
        }
        if process::ticks() > until {
            return Err(Unpassed::Broken(format!("{what} did not come in on the interface")));
        }
        // The next tick ends this.
        process::wait_for_signal();
    }
}

/// Reads the frames that a packet socket has.
fn take_in(socket: &OwnedFd, frames: &mut Vec<Vec<u8>>) -> io::Result<()> {
    let mut buffer = vec![0; LONGEST];
    loop {
        match descriptor::read(socket.as_fd(), &mut buffer) {
            Ok(length) => frames.push(buffer[..length].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
