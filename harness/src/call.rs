//! Names for system calls: calls of one meaning share one name, so that a check holds on every architecture and for every libc.

use std::borrow::Cow;
use std::sync::LazyLock;

use syscalls::Sysno;

/// Declares the calls with the kernel's names for each.
macro_rules! calls {
    ($($(#[$doc:meta])* $call:ident = $word:literal: $($name:ident)|+;)+) => {
        /// A system call by its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum Call {
            $($(#[$doc])* $call,)+
            /// A call without a name of its own here, by its number.
            Other(u32),
        }

        impl Call {
            /// Every named call.
            pub const ALL: &[Call] = &[$(Call::$call),+];

            /// The word for this call in messages: the name of the libc function that a student writes.
            #[must_use]
            pub fn word(self) -> String {
                match self {
                    $(Call::$call => $word.to_owned(),)+
                    Call::Other(number) => name_of(u64::from(number)).into_owned(),
                }
            }

            fn from_name(name: &str) -> Option<Call> {
                match name {
                    $($(stringify!($name))|+ => Some(Call::$call),)+
                    _ => None,
                }
            }
        }
    };
}

calls! {
    /// A new process or thread.
    Fork = "fork": fork | vfork | clone | clone3;
    /// The end of a process, with its status.
    ExitGroup = "_exit": exit_group;
    /// A new program in this process.
    Exec = "exec": execve | execveat;
    /// Waiting for a child.
    Wait = "wait": wait4 | waitid;
    /// A pipe.
    Pipe = "pipe": pipe | pipe2;
    /// Opening a path.
    Open = "open": open | openat | openat2 | creat;
    /// Closing a descriptor.
    Close = "close": close;
    /// Closing a range of descriptors.
    CloseRange = "close_range": close_range;
    /// A second descriptor for an open file.
    Dup = "dup": dup | dup2 | dup3;
    /// Locks, flags and copies of descriptors.
    Fcntl = "fcntl": fcntl;
    /// Reading from a descriptor.
    Read = "read": read | readv | pread64 | preadv | preadv2;
    /// Writing to a descriptor.
    Write = "write": write | writev | pwrite64 | pwritev | pwritev2;
    /// Moving data between descriptors inside the kernel.
    Splice = "splice": splice | tee | vmsplice | sendfile | copy_file_range;
    /// Making a FIFO or another node.
    Mknod = "mkfifo": mknod | mknodat;
    /// Removing a name.
    Unlink = "unlink": unlink | unlinkat;
    /// Giving a file another name.
    Rename = "rename": rename | renameat | renameat2;
    /// Setting a file's length.
    Truncate = "ftruncate": ftruncate | truncate;
    /// A socket.
    Socket = "socket": socket;
    /// Two connected sockets.
    Socketpair = "socketpair": socketpair;
    /// Giving a socket its address.
    Bind = "bind": bind;
    /// Letting a socket be connected to.
    Listen = "listen": listen;
    /// Taking a connection.
    Accept = "accept": accept | accept4;
    /// Connecting to a peer.
    Connect = "connect": connect;
    /// Sending through a socket.
    Send = "send": sendto | sendmsg | sendmmsg;
    /// Receiving from a socket.
    Recv = "recv": recvfrom | recvmsg | recvmmsg;
    /// Ending one or both directions of a connection.
    Shutdown = "shutdown": shutdown;
    /// Setting a socket's option.
    Setsockopt = "setsockopt": setsockopt;
    /// Asking for a socket's option.
    Getsockopt = "getsockopt": getsockopt;
    /// Asking for a socket's address.
    Getsockname = "getsockname": getsockname;
    /// Opening or making a POSIX queue.
    MqOpen = "mq_open": mq_open;
    /// Sending to a POSIX queue.
    MqSend = "mq_send": mq_timedsend;
    /// Receiving from a POSIX queue.
    MqReceive = "mq_receive": mq_timedreceive;
    /// Asking to be told of the next message.
    MqNotify = "mq_notify": mq_notify;
    /// A POSIX queue's attributes.
    MqAttributes = "mq_getattr": mq_getsetattr;
    /// Removing a POSIX queue.
    MqUnlink = "mq_unlink": mq_unlink;
    /// Getting or making a System V segment.
    Shmget = "shmget": shmget;
    /// Attaching a System V segment.
    Shmat = "shmat": shmat;
    /// Detaching a System V segment.
    Shmdt = "shmdt": shmdt;
    /// Controlling a System V segment.
    Shmctl = "shmctl": shmctl;
    /// Getting or making a System V semaphore set.
    Semget = "semget": semget;
    /// Operations on System V semaphores.
    Semop = "semop": semop | semtimedop;
    /// Controlling a System V semaphore set.
    Semctl = "semctl": semctl;
    /// Getting or making a System V queue.
    Msgget = "msgget": msgget;
    /// Sending to a System V queue.
    Msgsnd = "msgsnd": msgsnd;
    /// Receiving from a System V queue.
    Msgrcv = "msgrcv": msgrcv;
    /// Controlling a System V queue.
    Msgctl = "msgctl": msgctl;
    /// Sending a signal.
    Kill = "kill": kill | tkill | tgkill | pidfd_send_signal;
    /// Setting a signal's disposition.
    Sigaction = "sigaction": rt_sigaction;
    /// Blocking and unblocking signals.
    Sigprocmask = "sigprocmask": rt_sigprocmask;
    /// Waiting for a signal under another mask.
    Sigsuspend = "sigsuspend": rt_sigsuspend;
    /// Waiting for a signal.
    Pause = "pause": pause;
    /// Taking a blocked signal.
    Sigwait = "sigwait": rt_sigtimedwait;
    /// Signals as a descriptor.
    Signalfd = "signalfd": signalfd | signalfd4;
    /// Waiting for descriptors.
    Poll = "poll": poll | ppoll;
    /// Waiting for descriptors.
    Select = "select": select | pselect6;
    /// Waiting for descriptors.
    EpollWait = "epoll_wait": epoll_wait | epoll_pwait | epoll_pwait2;
    /// Sleeping.
    Sleep = "sleep": nanosleep | clock_nanosleep;
    /// Letting others run.
    Yield = "sched_yield": sched_yield;
    /// Timers that send a signal or wake a descriptor.
    Timer = "timer": alarm | setitimer | timer_settime | timerfd_settime;
    /// A lock on a whole file.
    Flock = "flock": flock;
}

/// The kernel's name of a call on this architecture.
#[must_use]
pub fn name_of(number: u64) -> Cow<'static, str> {
    usize::try_from(number).ok().and_then(Sysno::new).map_or_else(|| Cow::Owned(format!("syscall_{number}")), |call| Cow::Borrowed(call.name()))
}

static BY_NUMBER: LazyLock<Vec<Option<Call>>> = LazyLock::new(|| {
    let mut table = Vec::new();
    for call in Sysno::iter() {
        let number = call as usize;
        if table.len() <= number {
            table.resize(number + 1, None);
        }
        table[number] = Call::from_name(call.name());
    }
    table
});

impl Call {
    /// The call with this number on this architecture.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        let named = usize::try_from(number).ok().and_then(|number| BY_NUMBER.get(number).copied().flatten());
        named.unwrap_or(Self::Other(number as u32))
    }

    /// The numbers of all named calls: what the filter of an ordinary run stops at.
    #[must_use]
    pub fn named_numbers() -> Vec<u32> {
        (0u32..).zip(BY_NUMBER.iter()).filter(|(_, call)| call.is_some()).map(|(number, _)| number).collect()
    }

    /// The numbers of calls by the kernel's names for them; what this architecture does not have is left out.
    #[must_use]
    pub fn numbers_of(names: &[&str]) -> Vec<u32> {
        Sysno::iter().filter(|call| names.contains(&call.name())).map(|call| call as u32).collect()
    }

    /// Whether the first argument is a descriptor.
    #[must_use]
    pub fn takes_descriptor(self) -> bool {
        use Call::*;
        matches!(
            self,
            Close
                | Dup
                | Fcntl
                | Read
                | Write
                | Bind
                | Listen
                | Accept
                | Connect
                | Send
                | Recv
                | Shutdown
                | Setsockopt
                | Getsockopt
                | Getsockname
                | MqSend
                | MqReceive
                | MqNotify
                | MqAttributes
                | Flock
                | Splice
        )
    }

    /// Whether it moves data through its descriptor, towards the caller.
    #[must_use]
    pub fn takes_data(self) -> bool {
        matches!(self, Self::Read | Self::Recv | Self::MqReceive)
    }

    /// Whether it moves data through its descriptor, away from the caller.
    #[must_use]
    pub fn gives_data(self) -> bool {
        matches!(self, Self::Write | Self::Send | Self::MqSend)
    }
}

/// Whether a call that sleeps has a time limit, after which it goes on by itself. What is not known to wait for ever counts as limited: a deadlock must be
/// proven.
#[must_use]
pub fn has_time_limit(number: u64, arguments: &[u64; 6]) -> bool {
    let given = |index: usize| arguments[index] != 0;
    let not_negative = |index: usize| arguments[index] as i32 >= 0;
    match &*name_of(number) {
        "poll" => not_negative(2),
        "ppoll" => given(2),
        "select" | "pselect6" => given(4),
        "epoll_wait" | "epoll_pwait" => not_negative(3),
        "epoll_pwait2" => given(3),
        "futex" | "semtimedop" => given(3),
        "mq_timedsend" | "mq_timedreceive" | "recvmmsg" => given(4),
        "rt_sigtimedwait" => given(2),
        "read" | "readv" | "pread64" | "write" | "writev" | "pwrite64" | "open" | "openat" | "openat2" | "creat" | "wait4" | "waitid" | "accept"
        | "accept4" | "connect" | "recvfrom" | "recvmsg" | "sendto" | "sendmsg" | "sendmmsg" | "pause" | "rt_sigsuspend" | "flock" | "fcntl"
        | "msgrcv" | "msgsnd" | "semop" | "splice" | "tee" | "vmsplice" | "sendfile" | "vfork" | "clone" | "clone3" | "futex_wait" => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_one_meaning_share_one_name() {
        assert_eq!(Call::from_number(libc::SYS_pipe2 as u64), Call::Pipe);
        assert_eq!(Call::from_number(libc::SYS_clone3 as u64), Call::Fork);
        assert_eq!(Call::from_number(libc::SYS_wait4 as u64), Call::Wait);
        assert_eq!(Call::from_number(libc::SYS_getpid as u64), Call::Other(libc::SYS_getpid as u32));
    }

    #[test]
    fn an_unknown_call_counts_as_limited() {
        assert!(has_time_limit(libc::SYS_nanosleep as u64, &[0; 6]));
        assert!(!has_time_limit(libc::SYS_read as u64, &[0; 6]));
        assert!(has_time_limit(libc::SYS_ppoll as u64, &[0, 0, 1, 0, 0, 0]));
        assert!(!has_time_limit(libc::SYS_ppoll as u64, &[0; 6]));
    }
}
