//! Calls that move data by vectors (readv, writev, recvmsg, sendmsg): where their buffers are, and how such a call is made to move less.
//!
//! A vector has no count of bytes that could be made smaller. It is cut instead: the call is told of fewer buffers, and the last of them is made shorter. Both
//! are put back when the call is done, before the program can look.

use crate::call::name_of;
use crate::kernel::process::Pid;
use crate::kernel::ptrace::read_memory;

/// Most buffers of one call: IOV_MAX; the kernel refuses more.
const MOST_BUFFERS: u64 = 1024;
/// The size of `struct iovec`: where a buffer begins and how long it is, each eight bytes; iovec(3type).
const ENTRY: u64 = 16;
/// In `struct msghdr`: where the vector is, and right after it how many buffers it has; recvmsg(2).
const VECTOR_IN_MESSAGE: u64 = 16;

/// The buffers of one call.
#[derive(Debug, PartialEq, Eq)]
pub struct Vector {
    /// Where the first entry is.
    at: u64,
    /// How many bytes each buffer has, and where.
    pub buffers: Vec<Buffer>,
    /// Where the kernel looks for the number of buffers.
    count: Count,
}

/// One buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Where it begins.
    pub at: u64,
    /// How many bytes it has.
    pub length: u64,
}

/// Where a call says how many buffers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// In its third argument.
    Argument,
    /// In memory, at this address.
    Memory(u64),
}

/// What a vector is changed into, so that it moves less.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where the number of buffers is, what it was, and what it is to be.
    pub count: (Count, u64, u64),
    /// Where the length of the last buffer is, what it was, and what it is to be.
    pub last: (u64, u64, u64),
}

impl Vector {
    /// The buffers of a call of a stopped process; `None` for other calls, and where they cannot be read.
    pub fn of(pid: Pid, number: u64, arguments: &[u64; 6]) -> Option<Self> {
        let (at, count, place) = match &*name_of(number) {
            "readv" | "writev" | "preadv" | "pwritev" | "preadv2" | "pwritev2" => (arguments[1], arguments[2], Count::Argument),
            "recvmsg" | "sendmsg" => {
                let message = read(pid, arguments[1].checked_add(VECTOR_IN_MESSAGE)?, ENTRY)?;
                (word(&message, 0)?, word(&message, 8)?, Count::Memory(arguments[1] + VECTOR_IN_MESSAGE + 8))
            }
            _ => return None,
        };
        if count > MOST_BUFFERS {
            return None;
        }
        let table = read(pid, at, ENTRY * count)?;
        let buffer = |entry: &[u8]| Some(Buffer { at: word(entry, 0)?, length: word(entry, 8)? });
        Some(Self { at, buffers: table.chunks_exact(ENTRY as usize).map(buffer).collect::<Option<_>>()?, count: place })
    }

    /// How many bytes it moves at most.
    pub fn length(&self) -> u64 {
        self.buffers.iter().fold(0, |sum, buffer| sum.saturating_add(buffer.length))
    }

    /// How it is changed into one of exactly `length` bytes; `None` if it is not longer than that.
    pub fn cut_to(&self, length: u64) -> Option<Cut> {
        let mut left = length;
        let last = self.buffers.iter().position(|buffer| {
            let ends_here = buffer.length > left;
            left = left.saturating_sub(buffer.length);
            ends_here
        })?;
        let before: u64 = self.buffers[..last].iter().map(|buffer| buffer.length).sum();
        let index = last as u64;
        Some(Cut {
            count: (self.count, self.buffers.len() as u64, index + 1),
            last: (self.at + ENTRY * index + 8, self.buffers[last].length, length - before),
        })
    }
}

/// So many bytes of a process's memory; `None` where they cannot all be read.
pub(super) fn read(pid: Pid, at: u64, length: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    if bytes.is_empty() {
        return Some(bytes);
    }
    (read_memory(pid, at, &mut bytes).ok()? == bytes.len()).then_some(bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(lengths: &[u64]) -> Vector {
        let buffers = lengths.iter().map(|length| Buffer { at: 0x5000, length: *length }).collect();
        Vector { at: 0x1000, buffers, count: Count::Argument }
    }

    #[test]
    fn a_vector_is_cut_inside_at_the_end_of_and_between_its_buffers() {
        let cut = |length| vector(&[4, 0, 10]).cut_to(length).map(|cut| (cut.count.2, cut.last.0, cut.last.2));
        assert_eq!(cut(3), Some((1, 0x1008, 3)));
        assert_eq!(cut(4), Some((3, 0x1028, 0)));
        assert_eq!(cut(13), Some((3, 0x1028, 9)));
        assert_eq!(cut(14), None);
    }

    #[test]
    fn lengths_that_the_kernel_refuses_do_no_harm() {
        let long = vector(&[u64::MAX, u64::MAX]);
        assert_eq!(long.length(), u64::MAX);
        assert_eq!(long.cut_to(5).map(|cut| cut.last.2), Some(5));
    }
}
