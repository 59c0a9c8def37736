//! What lies behind a call's pointers, read from the stopped process.

use std::mem::offset_of;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::event::{Control, Detail, SemaphoreOperation};
use super::vector::Vector;
use crate::call::{Call, name_of};
use crate::kernel::process::Pid;
use crate::kernel::ptrace::read_memory;

/// Most bytes that are kept of one transfer.
const MOST_DATA: usize = 4096;
/// Most operations of one semop(2); the kernel's SEMOPM is 500.
const MOST_OPERATIONS: usize = 64;

/// Decodes at the call's entry, while what the pointers name is as the caller wrote it.
pub fn at_entry(pid: Pid, call: Call, number: u64, arguments: &[u64; 6]) -> Detail {
    match call {
        Call::Open | Call::Unlink | Call::Mknod | Call::Exec => {
            let relative = matches!(&*name_of(number), "openat" | "openat2" | "unlinkat" | "mknodat" | "execveat");
            path(pid, arguments[usize::from(relative)])
        }
        Call::MqOpen | Call::MqUnlink => path(pid, arguments[0]),
        Call::Semop => operations(pid, arguments[1], arguments[2]),
        Call::Bind | Call::Connect => address(pid, arguments[1]),
        Call::MqReceive | Call::MqSend if arguments[4] != 0 => time(pid, arguments[4]),
        Call::Other(_) if arguments[3] != 0 && waits_until(number, arguments[1]) => time(pid, arguments[3]),
        Call::Poll | Call::Select | Call::EpollWait => time_limit(pid, number, arguments),
        Call::Sleep => time(pid, arguments[if name_of(number) == "nanosleep" { 0 } else { 2 }]),
        Call::Sigaction if arguments[1] != 0 => disposition(pid, arguments[1]),
        Call::Setsockopt => integer(pid, arguments[3]),
        Call::Timer => timer(pid, number, arguments),
        Call::Fork => clone_flags(pid, number, arguments),
        _ => Detail::None,
    }
}

/// Decodes at the call's exit, once the kernel has written its answer.
pub fn at_exit(pid: Pid, call: Call, arguments: &[u64; 6], number: u64, result: i64, before: Detail) -> Detail {
    if result < 0 || before != Detail::None {
        return before;
    }
    match call {
        Call::Read | Call::Write | Call::Recv | Call::Send
            if matches!(&*name_of(number), "read" | "write" | "pread64" | "pwrite64" | "sendto" | "recvfrom") =>
        {
            data(pid, arguments[1], result)
        }
        Call::Read | Call::Write | Call::Recv | Call::Send => {
            Vector::of(pid, number, arguments).map_or(Detail::None, |buffers| vector(pid, &buffers, result))
        }
        Call::MqReceive => data(pid, arguments[1], result),
        Call::MqSend => data(pid, arguments[1], arguments[2] as i64),
        Call::Pipe => pair(pid, arguments[0]),
        Call::Socketpair => pair(pid, arguments[3]),
        _ => before,
    }
}

/// The ancillary buffer of the message that sendmsg(2) or recvmsg(2) is given, if it has one.
pub fn control_at_entry(pid: Pid, number: u64, arguments: &[u64; 6]) -> Option<Control> {
    if !matches!(&*name_of(number), "sendmsg" | "recvmsg") {
        return None;
    }
    let field = |at: usize| Some(u64::from_ne_bytes(bytes::<8>(pid, arguments[1].wrapping_add(at as u64))?));
    let address = field(offset_of!(libc::msghdr, msg_control))?;
    let length = field(offset_of!(libc::msghdr, msg_controllen))?;
    (address != 0 && length != 0).then_some(Control { address, length })
}

/// Whether it is a futex(2) that waits until a point in time: what libc's semaphores, mutexes and conditions wait with.
fn waits_until(number: u64, operation: u64) -> bool {
    let operation = operation as i32 & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
    operation == libc::FUTEX_WAIT_BITSET && name_of(number) == "futex"
}

fn bytes<const N: usize>(pid: Pid, at: u64) -> Option<[u8; N]> {
    let mut buffer = [0; N];
    (read_memory(pid, at, &mut buffer).ok()? == N).then_some(buffer)
}

fn word(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn path(pid: Pid, at: u64) -> Detail {
    let mut text = Vec::new();
    let mut at = at;
    while text.len() < MOST_DATA {
        // Up to the end of the page, since the next one may not be there.
        let mut buffer = vec![0u8; 4096 - (at % 4096) as usize];
        let Ok(length) = read_memory(pid, at, &mut buffer) else { break };
        if let Some(end) = buffer[..length].iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&buffer[..end]);
            break;
        }
        text.extend_from_slice(&buffer[..length]);
        at += length as u64;
    }
    Detail::Path(String::from_utf8_lossy(&text).into_owned())
}

fn data(pid: Pid, at: u64, length: i64) -> Detail {
    let mut buffer = vec![0u8; usize::try_from(length).unwrap_or(0).min(MOST_DATA)];
    if buffer.is_empty() {
        return Detail::Data(buffer);
    }
    match read_memory(pid, at, &mut buffer) {
        Ok(length) => {
            buffer.truncate(length);
            Detail::Data(buffer)
        }
        Err(_) => Detail::None,
    }
}

/// The bytes that readv(2), writev(2), recvmsg(2) or sendmsg(2) moved, out of its buffers in their order.
fn vector(pid: Pid, vector: &Vector, length: i64) -> Detail {
    let mut left = usize::try_from(length).unwrap_or(0).min(MOST_DATA);
    let mut moved = Vec::new();
    for buffer in &vector.buffers {
        if left == 0 {
            break;
        }
        let Detail::Data(part) = data(pid, buffer.at, buffer.length.min(left as u64).cast_signed()) else { return Detail::None };
        left -= part.len();
        moved.extend(part);
    }
    Detail::Data(moved)
}

/// How many messages a queue is to hold, and of how many bytes; `struct mq_attr` of mq_open(2).
pub fn queue_attributes(pid: Pid, at: u64) -> Option<(u64, u64)> {
    if at == 0 {
        return None;
    }
    let buffer = bytes::<32>(pid, at)?;
    Some((word(&buffer, 8)?.max(0).cast_unsigned(), word(&buffer, 16)?.max(0).cast_unsigned()))
}

fn pair(pid: Pid, at: u64) -> Detail {
    let Some(buffer) = bytes::<8>(pid, at) else { return Detail::None };
    let number = |at: usize| i32::from_ne_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]]);
    Detail::Pair(number(0), number(4))
}

fn operations(pid: Pid, at: u64, count: u64) -> Detail {
    let count = usize::try_from(count).unwrap_or(0).min(MOST_OPERATIONS);
    let mut buffer = vec![0u8; count * 6];
    let length = read_memory(pid, at, &mut buffer).unwrap_or(0);
    // `struct sembuf`: number, operation, flags, each two bytes; semop(2).
    let operation = |field: &[u8]| SemaphoreOperation {
        number: u16::from_ne_bytes([field[0], field[1]]),
        change: i16::from_ne_bytes([field[2], field[3]]),
        flags: i16::from_ne_bytes([field[4], field[5]]),
    };
    Detail::Operations(buffer[..length].chunks_exact(6).map(operation).collect())
}

fn address(pid: Pid, at: u64) -> Detail {
    let Some(buffer) = bytes::<8>(pid, at) else { return Detail::None };
    if i32::from(u16::from_ne_bytes([buffer[0], buffer[1]])) != libc::AF_INET {
        return Detail::None;
    }
    let host = Ipv4Addr::new(buffer[4], buffer[5], buffer[6], buffer[7]);
    Detail::Address(SocketAddrV4::new(host, u16::from_be_bytes([buffer[2], buffer[3]])))
}

fn time(pid: Pid, at: u64) -> Detail {
    let Some(buffer) = bytes::<16>(pid, at) else { return Detail::None };
    match (word(&buffer, 0), word(&buffer, 8)) {
        (Some(seconds), Some(nanoseconds)) => Detail::Time(seconds as f64 + nanoseconds as f64 / 1e9),
        _ => Detail::None,
    }
}

/// How long a wait for descriptors lasts at most: nothing, if it has no limit.
fn time_limit(pid: Pid, number: u64, arguments: &[u64; 6]) -> Detail {
    let milliseconds = |argument: u64| match argument as i32 {
        limit @ 0.. => Detail::Time(f64::from(limit) / 1e3),
        _ => Detail::None,
    };
    let span = |at: u64| if at == 0 { Detail::None } else { time(pid, at) };
    match &*name_of(number) {
        "poll" => milliseconds(arguments[2]),
        "epoll_wait" | "epoll_pwait" => milliseconds(arguments[3]),
        "ppoll" => span(arguments[2]),
        "epoll_pwait2" => span(arguments[3]),
        "pselect6" => span(arguments[4]),
        // `struct timeval`: microseconds where the others have nanoseconds.
        "select" if arguments[4] != 0 => match bytes::<16>(pid, arguments[4]).map(|buffer| (word(&buffer, 0), word(&buffer, 8))) {
            Some((Some(seconds), Some(microseconds))) => Detail::Time(seconds as f64 + microseconds as f64 / 1e6),
            _ => Detail::None,
        },
        _ => Detail::None,
    }
}

fn disposition(pid: Pid, at: u64) -> Detail {
    // The kernel's own `struct sigaction`: handler, flags, restorer, mask.
    let Some(buffer) = bytes::<16>(pid, at) else { return Detail::None };
    match (word(&buffer, 0), word(&buffer, 8)) {
        (Some(handler), Some(flags)) => Detail::Disposition { handler: handler.cast_unsigned(), flags: flags.cast_unsigned() },
        _ => Detail::None,
    }
}

fn integer(pid: Pid, at: u64) -> Detail {
    bytes::<4>(pid, at).map_or(Detail::None, |buffer| Detail::Integer(i64::from(i32::from_ne_bytes(buffer))))
}

/// The flags of clone(2) and clone3(2), which tell a new thread from a new process.
fn clone_flags(pid: Pid, number: u64, arguments: &[u64; 6]) -> Detail {
    match &*name_of(number) {
        "clone" => Detail::Integer(arguments[0].cast_signed()),
        // `struct clone_args` begins with the flags.
        "clone3" => bytes::<8>(pid, arguments[0]).map_or(Detail::None, |flags| Detail::Integer(i64::from_ne_bytes(flags))),
        _ => Detail::None,
    }
}

/// How long until the timer's first expiry: 0 disarms it.
fn timer(pid: Pid, number: u64, arguments: &[u64; 6]) -> Detail {
    let setting = match &*name_of(number) {
        "alarm" => return Detail::Integer(arguments[0] as i64),
        "setitimer" => arguments[1],
        _ => arguments[2],
    };
    // `struct itimerval` and `struct itimerspec`: the interval's two words, then the first expiry's.
    match bytes::<32>(pid, setting).map(|buffer| (word(&buffer, 16), word(&buffer, 24))) {
        Some((Some(seconds), Some(fraction))) => Detail::Integer(i64::from(seconds != 0 || fraction != 0)),
        _ => Detail::None,
    }
}
