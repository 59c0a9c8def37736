//! The check as a peer on System V message queues, always without waiting, so that the programs can be watched meanwhile.

use std::io;

use super::Session;
use crate::kernel::message::{self, MessageQueueState};
use crate::kernel::{descriptor, named};
use crate::verdict::Unpassed;

/// A System V message queue, by its id. It stays when this value goes; what the check itself made goes with the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageQueue(i32);

impl Session {
    /// The queue of the key that ftok(3) makes of a file of the run and a project's letter; `None` if there is none.
    ///
    /// # Errors
    /// Broken, if the file is not there.
    pub fn message_queue(&mut self, keyfile: &str, project: u8) -> Result<Option<MessageQueue>, Unpassed> {
        match message::open(key_of(keyfile, project)?) {
            Ok(id) => Ok(Some(MessageQueue(id))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named("msgget", &error).into()),
        }
    }

    /// Makes the queue of such a key, with mode 0600.
    ///
    /// # Errors
    /// Broken, if it cannot be made, for instance since it is there.
    pub fn make_message_queue(&mut self, keyfile: &str, project: u8) -> Result<MessageQueue, Unpassed> {
        self.make_with_key(key_of(keyfile, project)?)
    }

    /// Makes a queue without a key, with mode 0600.
    ///
    /// # Errors
    /// Broken, if it cannot be made.
    pub fn make_private_message_queue(&mut self) -> Result<MessageQueue, Unpassed> {
        self.make_with_key(libc::IPC_PRIVATE)
    }

    fn make_with_key(&mut self, key: libc::key_t) -> Result<MessageQueue, Unpassed> {
        let id = message::create(key).map_err(|error| named("msgget", &error))?;
        self.message_queues.insert(id);
        Ok(MessageQueue(id))
    }
}

fn key_of(keyfile: &str, project: u8) -> Result<libc::key_t, Unpassed> {
    Ok(message::key(&descriptor::c_path(keyfile.as_ref())?, project).map_err(|error| named("ftok", &error))?)
}

impl MessageQueue {
    /// The queue with this id, which may not exist.
    #[must_use]
    pub fn with_id(id: i32) -> Self {
        Self(id)
    }

    /// Its id.
    #[must_use]
    pub fn id(self) -> i32 {
        self.0
    }

    /// Fill and permissions; `None` if there is no such queue.
    ///
    /// # Errors
    /// Broken, if msgctl(2) fails otherwise.
    pub fn state(self) -> Result<Option<MessageQueueState>, Unpassed> {
        match message::state(self.0) {
            Ok(state) => Ok(Some(state)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(named("msgctl IPC_STAT", &error).into()),
        }
    }

    /// Sends a message of this type; `false` where the queue is full or gone.
    ///
    /// # Errors
    /// Broken, if msgsnd(2) fails otherwise.
    pub fn send(self, kind: i64, text: &[u8]) -> Result<bool, Unpassed> {
        match message::send(self.0, kind, text) {
            Ok(()) => Ok(true),
            Err(error) if is_gone(&error) && kind > 0 || error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(named("msgsnd", &error).into()),
        }
    }

    /// The first message with its type; `None` where the queue is empty or gone.
    ///
    /// # Errors
    /// Broken, if msgrcv(2) fails otherwise.
    pub fn receive(self) -> Result<Option<(i64, Vec<u8>)>, Unpassed> {
        match message::receive(self.0) {
            Ok(message) => Ok(Some(message)),
            Err(error) if is_gone(&error) || error.raw_os_error() == Some(libc::ENOMSG) => Ok(None),
            Err(error) => Err(named("msgrcv", &error).into()),
        }
    }

    /// Removes it; one that is gone already is no error.
    ///
    /// # Errors
    /// Broken, if msgctl(2) fails otherwise.
    pub fn remove(self) -> Result<(), Unpassed> {
        match message::remove(self.0) {
            Err(error) if !is_gone(&error) => Err(named("msgctl IPC_RMID", &error).into()),
            _ => Ok(()),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EIDRM))
}
