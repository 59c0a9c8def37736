//! The objects that descriptors refer to, each known once, with a name for messages.

use std::collections::HashMap;

use crate::procfs::Identity;

/// What kind of object a descriptor refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// An unnamed pipe.
    Pipe,
    /// A named pipe.
    Fifo,
    /// A TCP socket over IPv4 or IPv6.
    Tcp,
    /// A UDP socket.
    Udp,
    /// A Unix socket.
    Unix,
    /// A socket of another family or type.
    Socket,
    /// A POSIX message queue.
    Queue,
    /// A regular file, directory or device.
    File,
    /// One of the three standard streams that the program was started with.
    Standard,
    /// Something else: eventfd, signalfd, epoll …
    Other,
}

impl Kind {
    /// The kind of what a path names, by its type of file (`S_IFIFO`, `S_IFREG` …).
    #[must_use]
    pub fn of_named(file_type: u32) -> Self {
        match file_type {
            libc::S_IFIFO => Self::Fifo,
            libc::S_IFSOCK => Self::Unix,
            _ => Self::File,
        }
    }

    /// Whether processes talk through it.
    #[must_use]
    pub fn is_between_processes(self) -> bool {
        !matches!(self, Self::File | Self::Standard | Self::Other)
    }
}

/// The index of an object in [`Objects`].
pub type ObjectId = usize;

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its name in messages: `pipe A`, `FIFO seqd`, `queue /jobs`, `standard output`.
    pub name: String,
    /// The event that made it or first opened it, where the trace saw that.
    pub made_by: Option<usize>,
    /// Whether a receive or send time-out was set on it: waiting for it is then limited.
    pub has_time_limit: bool,
}

/// All objects of a run, in the order in which they were first seen.
#[derive(Debug, Default)]
pub struct Objects {
    all: Vec<Object>,
    known: HashMap<Identity, ObjectId>,
    counts: HashMap<Kind, usize>,
}

impl Objects {
    /// The object with this identity, if it is known.
    #[must_use]
    pub fn find(&self, identity: Identity) -> Option<ObjectId> {
        self.known.get(&identity).copied()
    }

    /// Makes an object known (again: an inode's number may come back) under a name.
    pub fn add(&mut self, identity: Identity, kind: Kind, name: String) -> ObjectId {
        let id = self.all.len();
        self.all.push(Object { kind, name, made_by: None, has_time_limit: false });
        self.known.insert(identity, id);
        id
    }

    /// Makes an object known that has no name of its own: it gets a letter, in the order of appearance.
    pub fn add_unnamed(&mut self, identity: Identity, kind: Kind) -> ObjectId {
        let count = self.counts.entry(kind).or_insert(0);
        let letter = letters(*count);
        *count += 1;
        let word = match kind {
            Kind::Pipe => "pipe",
            Kind::Tcp => "TCP socket",
            Kind::Udp => "UDP socket",
            Kind::Unix => "Unix socket",
            _ => "socket",
        };
        self.add(identity, kind, format!("{word} {letter}"))
    }

    /// The object with this index.
    #[must_use]
    pub fn get(&self, id: ObjectId) -> &Object {
        &self.all[id]
    }

    /// Remembers the event that made an object, unless an earlier one is known.
    pub fn note_origin(&mut self, id: ObjectId, event: usize) {
        self.all[id].made_by.get_or_insert(event);
    }

    /// Remembers that waiting for this object is limited.
    pub fn limit(&mut self, id: ObjectId) {
        self.all[id].has_time_limit = true;
    }
}

/// A, B … Z, AA, AB …
fn letters(mut index: usize) -> String {
    let mut text = String::new();
    loop {
        text.insert(0, char::from(b'A' + (index % 26) as u8));
        if index < 26 {
            return text;
        }
        index = index / 26 - 1;
    }
}
