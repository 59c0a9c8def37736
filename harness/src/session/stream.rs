//! The harness's ends of a program's standard streams, never waited for.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::kernel::descriptor;

/// Most bytes moved in one go, so that one program's flood does not keep the session from its other work.
const MOST_AT_ONCE: usize = 256 << 10;

/// How many bytes have to come besides many times those that are kept, before an output counts as endless.
const ENDLESS: usize = 64 << 20;

/// What is given to standard input, as the pipe takes it.
pub struct Input {
    pipe: Option<OwnedFd>,
    waiting: VecDeque<u8>,
    ends: bool,
}

impl Input {
    /// These bytes and then the end; without bytes it stays open.
    pub fn new(pipe: OwnedFd, bytes: Option<Vec<u8>>) -> io::Result<Self> {
        descriptor::set_nonblocking(pipe.as_fd())?;
        let ends = bytes.is_some();
        let mut input = Self { pipe: Some(pipe), waiting: bytes.unwrap_or_default().into(), ends };
        input.pump()?;
        Ok(input)
    }

    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.waiting.extend(bytes);
    }

    /// How much the pipe has not taken.
    pub fn left(&self) -> usize {
        self.waiting.len()
    }

    /// The end comes once all is taken.
    pub fn end(&mut self) {
        self.ends = true;
    }

    /// Writes what the pipe takes; `true` if anything moved.
    pub fn pump(&mut self) -> io::Result<bool> {
        let Some(pipe) = &self.pipe else { return Ok(false) };
        let mut moved = false;
        while !self.waiting.is_empty() {
            match descriptor::write(pipe.as_fd(), self.waiting.as_slices().0) {
                Ok(length) => {
                    self.waiting.drain(..length);
                    moved = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(moved),
                // Nobody will read the rest.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    self.pipe = None;
                    return Ok(true);
                }
                Err(error) => return Err(error),
            }
        }
        if self.ends {
            self.pipe = None;
            moved = true;
        }
        Ok(moved)
    }
}

/// What came from standard output or standard error.
pub struct Output {
    pipe: Option<OwnedFd>,
    /// Whether it is a file instead: its end is only where it ends by now.
    grows: bool,
    /// The bytes, up to the limit.
    pub bytes: Vec<u8>,
    /// Whether bytes came after them.
    pub cut: bool,
    most: usize,
    /// How many came altogether.
    total: usize,
}

impl Output {
    /// Keeps at most so many bytes; what comes after them is read and dropped.
    pub fn new(pipe: OwnedFd, most: usize) -> io::Result<Self> {
        descriptor::set_nonblocking(pipe.as_fd())?;
        Ok(Self { pipe: Some(pipe), grows: false, bytes: Vec::new(), cut: false, most, total: 0 })
    }

    /// The same for a file that the program writes to.
    pub fn file(file: OwnedFd, most: usize) -> io::Result<Self> {
        Ok(Self { grows: true, ..Self::new(file, most)? })
    }

    /// Whether so much came that the rest is not waited for.
    pub fn is_endless(&self) -> bool {
        self.total > ENDLESS + 8 * self.most
    }

    /// Reads what is there; `true` if anything moved.
    pub fn pump(&mut self) -> io::Result<bool> {
        let Some(pipe) = &self.pipe else { return Ok(false) };
        let mut buffer = [0u8; 16 << 10];
        let mut total = 0;
        while total < MOST_AT_ONCE {
            match descriptor::read(pipe.as_fd(), &mut buffer) {
                Ok(0) if self.grows => break,
                Ok(0) => {
                    self.pipe = None;
                    break;
                }
                Ok(length) => {
                    total += length;
                    self.total += length;
                    let room = self.most.saturating_sub(self.bytes.len());
                    self.bytes.extend_from_slice(&buffer[..length.min(room)]);
                    self.cut |= length > room;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(total > 0)
    }
}
