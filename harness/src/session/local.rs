//! The check as a peer on Unix sockets: it connects or listens at a path of the run, and sends and receives bytes and descriptors, always without waiting.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::Session;
use super::peer::End;
use crate::finding::Finding;
use crate::kernel::{local, socket};
use crate::verdict::Unpassed;

/// How many may wait to be accepted by the check.
const BACKLOG: i32 = 8;

/// A connection on a Unix socket that the check holds.
pub struct LocalConnection {
    socket: OwnedFd,
    /// Bytes that came in and were not asked for yet.
    received: Vec<u8>,
    /// How many bytes came in altogether.
    count: usize,
    /// The descriptors that came in and were not taken yet.
    pub attached: Vec<Attached>,
    ended: Option<End>,
}

/// A descriptor that the other side has passed.
pub struct Attached {
    /// The check's own descriptor of what was passed.
    pub descriptor: OwnedFd,
    /// Which byte of all that were received it came with, counted from 0.
    pub with_byte: usize,
}

/// A Unix socket on which the check waits for connections.
pub struct LocalListener {
    socket: OwnedFd,
}

impl LocalConnection {
    fn new(socket: OwnedFd) -> Self {
        Self { socket, received: Vec::new(), count: 0, attached: Vec::new(), ended: None }
    }

    /// Takes in what is there, byte by byte: a descriptor comes with the first byte of its message.
    fn pump(&mut self) -> io::Result<()> {
        while self.ended.is_none() {
            let mut byte = [0];
            match local::receive(self.socket.as_fd(), &mut byte) {
                Ok((0, _)) => self.ended = Some(End::Fin),
                Ok((_, descriptors)) => {
                    self.attached.extend(descriptors.into_iter().map(|descriptor| Attached { descriptor, with_byte: self.count }));
                    self.received.extend_from_slice(&byte);
                    self.count += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.ended = Some(End::Reset),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends the sending direction and goes on reading.
    ///
    /// # Errors
    /// Broken, if shutdown(2) fails.
    pub fn end_sending(&self) -> Result<(), Unpassed> {
        Ok(socket::shut_down_writing(self.socket.as_fd())?)
    }
}

impl Session {
    /// Connects to the Unix socket at a path of the run.
    ///
    /// # Errors
    /// Fail, if there is none at which somebody listens.
    pub fn connect_local(&mut self, path: &str) -> Result<LocalConnection, Unpassed> {
        let socket = local::stream()?;
        let goal = "the program listens on the socket at the path that it was given";
        let refused = |error: &io::Error| matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound);
        let outcome = self.until(goal, |_| match local::connect(socket.as_fd(), Path::new(path)) {
            Ok(connected) => Ok(connected.then_some(Ok(()))),
            Err(error) if refused(&error) => Ok(Some(Err(error))),
            Err(error) => Err(error),
        })?;
        outcome.map_err(|error| {
            let observed = match error.kind() {
                io::ErrorKind::NotFound => "there is nothing at that path".to_owned(),
                kind => format!("connecting to it failed: {kind}"),
            };
            let next = "see which address and which length bind is given, and call listen; unix(7), bind(2)";
            self.with_all_last_words(Finding::new("connection", goal, observed, next))
        })?;
        Ok(LocalConnection::new(socket))
    }

    /// Waits for connections at a path of the run.
    ///
    /// # Errors
    /// Broken, if the socket cannot be made there.
    pub fn listen_local(&mut self, path: &str) -> Result<LocalListener, Unpassed> {
        let socket = local::stream()?;
        local::bind(socket.as_fd(), Path::new(path))?;
        socket::listen(socket.as_fd(), BACKLOG)?;
        Ok(LocalListener { socket })
    }

    /// Takes a connection.
    ///
    /// # Errors
    /// Fail, if nobody connects.
    pub fn accept_local(&mut self, listener: &LocalListener) -> Result<LocalConnection, Unpassed> {
        self.until("a connection to the check's socket", |_| socket::accept(listener.socket.as_fd())).map(LocalConnection::new)
    }

    /// Sends all these bytes, waiting for room where there is none; the descriptors go with the first of them.
    ///
    /// # Errors
    /// Fail, if the other side closes or never reads.
    pub fn send_local(&mut self, connection: &mut LocalConnection, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Unpassed> {
        let goal = "the other side reads what the check sends";
        let (mut sent, mut descriptors) = (0, descriptors);
        while sent < bytes.len() {
            let socket = &connection.socket;
            let result = self.until(goal, |_| match local::send(socket.as_fd(), &bytes[sent..], descriptors) {
                Ok(length) => Ok(Some(Ok(length))),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
                Err(error) => Ok(Some(Err(error))),
            })?;
            sent += result.map_err(|error| self.sending_failed(goal, &error))?;
            descriptors = &[];
        }
        Ok(())
    }

    /// The next `length` bytes from the other side; fewer if it ends the connection first. Descriptors that come with them are in `attached`.
    ///
    /// # Errors
    /// Fail, if they never come.
    pub fn receive_local(&mut self, connection: &mut LocalConnection, length: usize) -> Result<Vec<u8>, Unpassed> {
        self.until(&format!("{length} bytes from the other side"), |_| {
            connection.pump()?;
            let enough = connection.received.len() >= length || connection.ended.is_some();
            let length = length.min(connection.received.len());
            Ok(enough.then(|| connection.received.drain(..length).collect()))
        })
    }

    /// All that comes until the other side ends the connection, and how it does.
    ///
    /// # Errors
    /// Fail, if it never ends it.
    pub fn receive_all_local(&mut self, connection: &mut LocalConnection) -> Result<(Vec<u8>, End), Unpassed> {
        self.until("the other side ends the connection", |_| {
            connection.pump()?;
            Ok(connection.ended.map(|end| (std::mem::take(&mut connection.received), end)))
        })
    }

    /// What has come so far and was not asked for, and whether the other side has ended the connection.
    ///
    /// # Errors
    /// Broken, if the socket cannot be read.
    pub fn received_local(&mut self, connection: &mut LocalConnection) -> Result<(Vec<u8>, Option<End>), Unpassed> {
        connection.pump()?;
        Ok((std::mem::take(&mut connection.received), connection.ended))
    }
}
