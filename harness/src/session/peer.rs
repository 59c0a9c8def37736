//! The check as a peer: TCP on loopback, FIFOs and POSIX queues, always without waiting, so that the programs can be watched meanwhile.

use std::ffi::CString;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};

use super::Session;
use crate::finding::Finding;
use crate::kernel::{descriptor, ipc, named, socket};
use crate::verdict::Unpassed;

/// A connection that the check holds.
pub struct Connection {
    socket: OwnedFd,
    /// Bytes that came in and were not asked for yet.
    received: Vec<u8>,
    ended: Option<End>,
}

/// How the other side of a connection ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With FIN: end-of-file.
    Fin,
    /// With RST.
    Reset,
}

/// A socket on which the check waits for connections.
pub struct Listener {
    socket: OwnedFd,
    /// The port.
    pub port: u16,
}

impl Listener {
    /// Sets an integer option, which the connections take over; setsockopt(2).
    ///
    /// # Errors
    /// Broken, if setsockopt(2) fails.
    pub fn set_option(&self, level: i32, option: i32, value: i32) -> Result<(), Unpassed> {
        Ok(socket::set_option(self.socket.as_fd(), level, option, value).map_err(|error| named("setsockopt", &error))?)
    }
}

impl Connection {
    fn new(socket: OwnedFd) -> Self {
        Self { socket, received: Vec::new(), ended: None }
    }

    /// Takes in what is there.
    fn pump(&mut self) -> io::Result<()> {
        let mut buffer = [0u8; 64 << 10];
        while self.ended.is_none() {
            match descriptor::read(self.socket.as_fd(), &mut buffer) {
                Ok(0) => self.ended = Some(End::Fin),
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.ended = Some(End::Reset),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes with RST instead of FIN.
    ///
    /// # Errors
    /// Broken, if setsockopt(2) fails.
    pub fn reset(self) -> Result<(), Unpassed> {
        Ok(socket::reset_on_close(self.socket.as_fd())?)
    }

    /// Sends FIN and goes on reading: a half-close.
    ///
    /// # Errors
    /// Broken, if shutdown(2) fails.
    pub fn end_sending(&self) -> Result<(), Unpassed> {
        match socket::shut_down_writing(self.socket.as_fd()) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => Ok(result?),
        }
    }
}

impl Session {
    /// Connects to a port on 127.0.0.1.
    ///
    /// # Errors
    /// Fail, if nobody listens there.
    pub fn connect(&mut self, port: u16) -> Result<Connection, Unpassed> {
        self.connect_to(Ipv4Addr::LOCALHOST, port)
    }

    /// Connects to a port on an address of the machine, for instance any of 127.0.0.0/8.
    ///
    /// # Errors
    /// Fail, if nobody listens there.
    pub fn connect_to(&mut self, host: Ipv4Addr, port: u16) -> Result<Connection, Unpassed> {
        let socket = socket::tcp()?;
        self.connect_socket(socket, host, port)
    }

    /// Connects with a small receive buffer: the other side's writes come up short soon when nothing is read.
    ///
    /// # Errors
    /// Fail, if nobody listens there.
    pub fn connect_with_small_buffer(&mut self, port: u16) -> Result<Connection, Unpassed> {
        let socket = socket::tcp()?;
        socket::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 2048)?;
        self.connect_socket(socket, Ipv4Addr::LOCALHOST, port)
    }

    fn connect_socket(&mut self, socket: OwnedFd, host: Ipv4Addr, port: u16) -> Result<Connection, Unpassed> {
        let goal = "the program listens on the port that it printed";
        // Without waiting, connect(2) says at the second call what came of the first: that nobody listens, too.
        let outcome = self.until(goal, |_| match socket::connect(socket.as_fd(), host, port) {
            Ok(connected) => Ok(connected.then_some(Ok(()))),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Some(Err(error))),
            Err(error) => Err(error),
        })?;
        outcome.map_err(|error| {
            let observed = format!("connecting to it failed: {}", error.kind());
            let next = "bind the port in network byte order, listen, and only then print it; bind(2), listen(2)";
            let finding = Finding::new("connection", goal, observed, next);
            let finding = if self.listens_on(port.swap_bytes()) { finding.explained_by("byte-order") } else { finding };
            self.with_all_last_words(finding)
        })?;
        Ok(Connection::new(socket))
    }

    /// Waits for connections on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Broken, if the socket cannot be made.
    pub fn listen(&mut self) -> Result<Listener, Unpassed> {
        self.listen_at(Ipv4Addr::LOCALHOST)
    }

    /// Waits for connections on a free port of an address of the machine, for instance any of 127.0.0.0/8.
    ///
    /// # Errors
    /// Broken, if the socket cannot be made.
    pub fn listen_at(&mut self, host: Ipv4Addr) -> Result<Listener, Unpassed> {
        let socket = socket::tcp()?;
        socket::bind(socket.as_fd(), host, 0)?;
        socket::listen(socket.as_fd(), 8)?;
        let port = socket::port(socket.as_fd())?;
        Ok(Listener { socket, port })
    }

    /// A port of 127.0.0.1 on which nobody listens.
    ///
    /// # Errors
    /// Broken, if the socket cannot be made.
    pub fn free_port(&mut self) -> Result<u16, Unpassed> {
        let socket = socket::tcp()?;
        socket::bind(socket.as_fd(), Ipv4Addr::LOCALHOST, 0)?;
        Ok(socket::port(socket.as_fd())?)
    }

    /// Takes a connection.
    ///
    /// # Errors
    /// Fail, if nobody connects.
    pub fn accept(&mut self, listener: &Listener) -> Result<Connection, Unpassed> {
        self.until("a connection to the check's server", |_| socket::accept(listener.socket.as_fd())).map(Connection::new)
    }

    /// Sends all these bytes, waiting for room where there is none.
    ///
    /// # Errors
    /// Fail, if the other side closes or never reads.
    pub fn send(&mut self, connection: &mut Connection, bytes: &[u8]) -> Result<(), Unpassed> {
        let mut sent = 0;
        let goal = "the other side reads what the check sends";
        while sent < bytes.len() {
            let socket = &connection.socket;
            let result = self.until(goal, |_| match socket::send(socket.as_fd(), &bytes[sent..]) {
                Ok(length) => Ok(Some(Ok(length))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) => Ok(Some(Err(error))),
            })?;
            sent += result.map_err(|error| self.sending_failed(goal, &error))?;
        }
        Ok(())
    }

    /// The other side of a connection is gone before it should be.
    pub(super) fn sending_failed(&mut self, goal: &str, error: &io::Error) -> Unpassed {
        let observed = format!("sending failed: {}", error.kind());
        self.with_all_last_words(Finding::new("connection", goal, observed, "see who closes the connection, and when; close(2)"))
    }

    /// Sends what there is room for, and says how much that was.
    ///
    /// # Errors
    /// Fail, if the other side has closed.
    pub fn send_what_fits(&mut self, connection: &mut Connection, bytes: &[u8]) -> Result<usize, Unpassed> {
        let mut sent = 0;
        while sent < bytes.len() {
            match socket::send(connection.socket.as_fd(), &bytes[sent..]) {
                Ok(length) => sent += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(self.sending_failed("the connection stays open", &error)),
            }
        }
        Ok(sent)
    }

    /// The next `length` bytes from the other side; fewer if it ends the connection first.
    ///
    /// # Errors
    /// Fail, if they never come.
    pub fn receive(&mut self, connection: &mut Connection, length: usize) -> Result<Vec<u8>, Unpassed> {
        self.until(&format!("{length} bytes from the other side"), |_| {
            connection.pump()?;
            if connection.received.len() >= length || connection.ended.is_some() {
                let length = length.min(connection.received.len());
                return Ok(Some(connection.received.drain(..length).collect()));
            }
            Ok(None)
        })
    }

    /// All that comes until the other side ends the connection, and how it does.
    ///
    /// # Errors
    /// Fail, if it never ends it.
    pub fn receive_all(&mut self, connection: &mut Connection) -> Result<(Vec<u8>, End), Unpassed> {
        self.until("the other side ends the connection", |_| {
            connection.pump()?;
            Ok(connection.ended.map(|end| (std::mem::take(&mut connection.received), end)))
        })
    }

    /// What has come so far and was not asked for, and whether the other side has ended the connection.
    ///
    /// # Errors
    /// Broken, if the socket cannot be read.
    pub fn received(&mut self, connection: &mut Connection) -> Result<(Vec<u8>, Option<End>), Unpassed> {
        connection.pump()?;
        Ok((std::mem::take(&mut connection.received), connection.ended))
    }

    /// Opens an existing POSIX queue.
    ///
    /// # Errors
    /// Fail, if there is no such queue.
    pub fn queue(&mut self, name: &str) -> Result<Queue, Unpassed> {
        let text = queue_name(name)?;
        match ipc::queue_open(&text) {
            Ok(queue) => {
                self.queues.insert(text);
                Ok(Queue(queue))
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let observed = "opening it failed: permission denied (EACCES)";
                Err(Finding::new(
                    "queue",
                    format!("its owner can open the queue {name}"),
                    observed,
                    "see the mode that mq_open is given, and in which base; mq_open(3)",
                )
                .into())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Finding::new(
                "queue",
                format!("the queue {name} is there"),
                "there is no such queue",
                "make it with mq_open and O_CREAT; mq_open(3)",
            )
            .into()),
            Err(error) => Err(named("mq_open", &error).into()),
        }
    }

    /// Makes a POSIX queue for the run.
    ///
    /// # Errors
    /// Broken, if it cannot be made.
    pub fn make_queue(&mut self, name: &str, max_messages: i64, message_size: i64) -> Result<Queue, Unpassed> {
        let text = queue_name(name)?;
        let queue = ipc::queue_create(&text, max_messages, message_size).map_err(|error| named("mq_open", &error))?;
        self.queues.insert(text);
        Ok(Queue(queue))
    }

    /// Whether there is a POSIX queue of this name.
    ///
    /// # Errors
    /// Broken, if it cannot be told.
    pub fn has_queue(&mut self, name: &str) -> Result<bool, Unpassed> {
        match ipc::queue_open(&queue_name(name)?) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(named("mq_open", &error).into()),
        }
    }

    /// Removes a POSIX queue that the check made.
    ///
    /// # Errors
    /// Broken, if there is none.
    pub fn remove_queue(&mut self, name: &str) -> Result<(), Unpassed> {
        Ok(ipc::queue_unlink(&queue_name(name)?)?)
    }

    /// Makes a FIFO of the run.
    ///
    /// # Errors
    /// Broken, if it cannot be made.
    pub fn make_fifo(&mut self, name: &str) -> Result<String, Unpassed> {
        ipc::make_fifo(&descriptor::c_path(&self.path(name))?, 0o666)?;
        Ok(self.path_text(name))
    }

    /// Opens a FIFO for reading and writing, without waiting; what the check holds this way keeps the FIFO open on both sides.
    ///
    /// # Errors
    /// Broken, if it is not there.
    pub fn open_fifo(&mut self, path: &str) -> Result<OwnedFd, Unpassed> {
        Ok(descriptor::open_at(None, &CString::new(path).unwrap_or_default(), libc::O_RDWR | libc::O_NONBLOCK, 0)?)
    }

    /// Writes to a descriptor that the check holds.
    ///
    /// # Errors
    /// Broken, if it does not take all at once.
    pub fn write(&mut self, descriptor: &OwnedFd, bytes: &[u8]) -> Result<(), Unpassed> {
        let written = descriptor::write(descriptor.as_fd(), bytes)?;
        if written == bytes.len() { Ok(()) } else { Err(Unpassed::Broken("the FIFO is full".into())) }
    }
}

fn queue_name(name: &str) -> Result<CString, Unpassed> {
    CString::new(name).map_err(|_| Unpassed::Broken("a queue's name with a NUL byte".into()))
}

/// A POSIX queue that the check has open, non-blocking.
pub struct Queue(OwnedFd);

impl Queue {
    /// Attributes and number of messages.
    ///
    /// # Errors
    /// Broken, if mq_getattr(3) fails.
    pub fn state(&self) -> Result<ipc::QueueState, Unpassed> {
        Ok(ipc::queue_state(self.0.as_fd())?)
    }

    /// The permission bits of its mode; mq_open(3).
    ///
    /// # Errors
    /// Broken, if fstat(2) fails.
    pub fn mode(&self) -> Result<u32, Unpassed> {
        Ok(descriptor::status_of(self.0.as_fd())?.mode & 0o7777)
    }

    /// Whether some process is registered for notification; mq_notify(3).
    ///
    /// # Errors
    /// Broken, if mq_notify(3) fails.
    pub fn is_watched(&self) -> Result<bool, Unpassed> {
        Ok(ipc::queue_is_watched(self.0.as_fd()).map_err(|error| named("mq_notify", &error))?)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Broken, if the queue is full.
    pub fn send(&self, message: &[u8], priority: u32) -> Result<(), Unpassed> {
        Ok(ipc::queue_send(self.0.as_fd(), message, priority).map_err(|error| named("mq_send", &error))?)
    }

    /// The first message and its priority; `None` if the queue is empty.
    ///
    /// # Errors
    /// Broken, if mq_receive(3) fails.
    pub fn receive(&self) -> Result<Option<(Vec<u8>, u32)>, Unpassed> {
        match ipc::queue_receive(self.0.as_fd()) {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(named("mq_receive", &error).into()),
        }
    }
}
