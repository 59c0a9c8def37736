//! Checks for the Unix socket lab, one for each promise in its README. The check is the broker's client and the client's broker: it speaks the protocol to the
//! byte. Only where the broker is to say who its client is does it meet a real `fdget`.

#[path = "checks/clients.rs"]
mod clients;
#[path = "checks/holdings.rs"]
mod holdings;
#[path = "checks/saying.rs"]
mod saying;
#[path = "checks/steps.rs"]
mod steps;
#[path = "checks/stopping.rs"]
mod stopping;
#[path = "checks/tools.rs"]
mod tools;
#[path = "checks/trouble.rs"]
mod trouble;

use std::fs::{self, File};
use std::io::{PipeWriter, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use clients::{
    exchanged, gets_nothing_without_zero, leaves_after, leaves_without_answer, make_fifo, names_nobody_unanswered, passes_once, reset_before_request,
};
use harness::prelude::*;
use holdings::{
    buffers_are_aligned, closes_what_came, connections_held, holds_no_file, holds_no_more_connections, leaves_no_zombie, nothing_survives_exec,
};
use saying::{names_error, says};
use steps::{
    Broker, LONGEST_PATH, asked, binary, ends_badly, ends_well, expecting, for_each, give, path_of_length, request, start_get, take_request, under,
};
use stopping::{ended_at_once, ended_at_rest, ended_before_it_waits};
use tools::exchanges_with_python;
use trouble::{broker_calls_fail, client_calls_fail, refuses};

harness::checks! {
    listens, passes_descriptor, names_checked, regular_files_only, serves_all, client_gone, nothing_kept, stale_socket, path_in_use, stops, asks,
    prints_content, refusal_reported, short_counts, one_descriptor, peer_named, closed_at_exec, control_aligned, tools, interrupted, errors_reported, usage
}

/// `fdbroker` makes a socket at exactly the path SOCK, up to the longest one permitted, prints `ready`, and can then be connected to.
fn listens(lab: &Lab) -> Verdict {
    for_each([lab.number(20..60) as usize, LONGEST_PATH], |length| {
        let verdict = lab.session(|session| {
            let socket = path_of_length(session, length);
            // What follows the line is of no interest: before it is printed clients can connect.
            let line = session.arm(hold_at(Write).on_standard_output().in_program("fdbroker"));
            let broker = Broker::begin(session, &socket, &lab.word())?;
            session.until_held(line)?;
            let _early = session.connect_local(&socket)?;
            session.release(line)?;
            broker.is_ready(session)?;
            let _late = session.connect_local(&socket)?;
            session.pass()
        });
        under(&format!("with a SOCK of {length} bytes"), verdict)
    })
}

/// For a regular file `fdbroker` answers with four zero bytes and one descriptor that comes with the first of them, opened for reading only at the file's
/// beginning, and closes the connection; it serves one client after the other.
fn passes_descriptor(lab: &Lab) -> Verdict {
    let longest = "n".repeat(255).into_bytes();
    let odd = [lab.word().as_bytes(), b" \n\xff.."].concat();
    let names = [lab.word().into_bytes(), longest, odd];
    let contents = [binary(lab, 3000), binary(lab, 10), binary(lab, 70_000)];
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        for (name, content) in names.iter().zip(&contents) {
            broker.make_file(name, content)?;
        }
        for (name, content) in names.iter().zip(&contents) {
            broker.passes(session, name, content)?;
        }
        broker.make_file(b"empty", b"")?;
        broker.passes(session, b"empty", b"")?;
        // The same file again: each client gets it from the beginning.
        broker.passes(session, &names[0], &contents[0])?;
        under("when the kernel takes the answer in parts", passes_once(session, &broker, &names[0]))?;
        session.pass()
    })
}

/// No name leads out of DIR: for `..`, `.`, an empty name or one with a slash, one that is too long, and a symbolic link, the answer is the error number of
/// the table, without a descriptor, and so it is for a file that is not there or cannot be opened.
fn names_checked(lab: &Lab) -> Verdict {
    let content = binary(lab, 50);
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        let outside = session.make_file("outside", &binary(lab, 50))?;
        fs::create_dir(broker.directory.join("sub"))?;
        for name in ["inside", "sub/inside"] {
            broker.make_file(name.as_bytes(), &content)?;
        }
        symlink("inside", broker.directory.join("link"))?;
        symlink(&outside, broker.directory.join("way-out"))?;
        let way_round = format!("../{}/inside", broker.folder());
        let with_a_slash = ["../outside", "sub/inside", "/", "./inside", "inside/", "sub/../inside", &*outside, &*way_round];
        for name in ["..", ".", ""].into_iter().chain(with_a_slash) {
            under(&format!("for the name `{name}`"), broker.refuses(session, name.as_bytes(), &[libc::EINVAL]))?;
        }
        for length in [256, 1000] {
            let name = "n".repeat(length).into_bytes();
            under(&format!("for a name of {length} bytes"), broker.refuses(session, &name, &[libc::ENAMETOOLONG]))?;
        }
        for name in ["link", "way-out"] {
            under("for a symbolic link", broker.refuses(session, name.as_bytes(), &[libc::ELOOP]))?;
        }
        under("for a file that is not there", broker.refuses(session, b"nowhere", &[libc::ENOENT]))?;
        // Outside a sandbox of its own the run may be root's, who may open everything.
        if session.needs_namespaces().is_ok() {
            let locked = broker.make_file(b"locked", &content)?;
            fs::set_permissions(locked, fs::Permissions::from_mode(0o000))?;
            under("for a file that nobody may read", broker.refuses(session, b"locked", &[libc::EACCES]))?;
        }
        broker.passes(session, b"inside", &content)?;
        session.pass()
    })
}

/// Only a regular file is passed: a FIFO that nobody writes to does not hold the broker up, and a name that comes to stand for something else just before it
/// is opened is judged by what is opened.
fn regular_files_only(lab: &Lab) -> Verdict {
    let content = binary(lab, 50);
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        fs::create_dir(broker.directory.join("folder"))?;
        under("for a directory", broker.refuses(session, b"folder", &[libc::EACCES]))?;
        make_fifo(session, &broker, "fifo")?;
        under("for a FIFO", broker.refuses(session, b"fifo", &[libc::EACCES]))?;
        let _socket = session.listen_local(&broker.directory.join("socket").to_string_lossy())?;
        under("for a socket", broker.refuses(session, b"socket", &[libc::EACCES, libc::ENXIO]))?;
        broker.make_file(b"file", &content)?;
        broker.passes(session, b"file", &content)?;
        session.pass()
    })?;
    under(
        "when the name stands for a FIFO by the time at which it is opened",
        exchanged(lab, &[libc::EACCES], |session, broker| make_fifo(session, broker, "file")),
    )?;
    let to_link = |session: &mut Session, broker: &Broker| -> Result<(), Unpassed> {
        let outside = session.make_file("outside", &content)?;
        Ok(symlink(outside, broker.directory.join("file"))?)
    };
    under("when the name stands for a symbolic link by the time at which it is opened", exchanged(lab, &[libc::ELOOP], to_link))
}

/// Clients that stay connected and have said nothing, or half a name, do not stop the next ones from being served, and are served themselves when they say
/// the rest.
fn serves_all(lab: &Lab) -> Verdict {
    let (name, content) = (lab.word(), binary(lab, 200));
    let (half, rest) = name.as_bytes().split_at(2);
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        broker.make_file(name.as_bytes(), &content)?;
        let mut silent = broker.connect(session)?;
        session.settle()?;
        under("while a client is connected and says nothing", broker.passes(session, name.as_bytes(), &content))?;
        let mut slow = broker.connect(session)?;
        session.send_local(&mut slow, half, &[])?;
        session.settle()?;
        under("while a client has said half a name", broker.passes(session, name.as_bytes(), &content))?;
        broker.ask(session, &mut slow, rest)?;
        under("when a client has said the second half of its name", broker.hands_over(session, &mut slow, &content))?;
        broker.ask(session, &mut silent, name.as_bytes())?;
        under("when a client asks that has been silent until now", broker.hands_over(session, &mut silent, &content))?;
        session.pass()
    })
}

/// A client that goes away before its request, in the middle of it, or before it has taken its answer does not stop the broker; a name whose zero byte never
/// comes gets no file.
fn client_gone(lab: &Lab) -> Verdict {
    let (name, content) = (lab.word(), binary(lab, 200));
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        broker.make_file(name.as_bytes(), &content)?;
        for (circumstance, said) in [("before its request", &b""[..]), ("in the middle of its request", &name.as_bytes()[..2])] {
            leaves_after(session, &broker, said)?;
            under(&format!("when a client has gone {circumstance}"), broker.passes(session, name.as_bytes(), &content))?;
        }
        leaves_without_answer(session, &broker, name.as_bytes())?;
        under("when a client has gone before it was answered", broker.passes(session, name.as_bytes(), &content))?;
        gets_nothing_without_zero(session, &broker, name.as_bytes())?;
        reset_before_request(session, &broker)?;
        under("when receiving from a client has failed with ECONNRESET", broker.passes(session, name.as_bytes(), &content))?;
        session.pass()
    })
}

/// When its clients are gone, `fdbroker` holds no connection, no file that it has passed and no descriptor that a client has sent along, and leaves no zombie.
fn nothing_kept(lab: &Lab) -> Verdict {
    let (name, content) = (lab.word(), binary(lab, 200));
    let passes = lab.number(3..6);
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        broker.make_file(name.as_bytes(), &content)?;
        fs::create_dir(broker.directory.join("folder"))?;
        make_fifo(session, &broker, "fifo")?;
        let sent_along = session.make_file("sent-along", &content)?;
        let at_rest = connections_held(session, &broker)?;
        for _ in 0..passes {
            broker.passes(session, name.as_bytes(), &content)?;
        }
        holds_no_file(session, &broker, &broker.directory, "a file of DIR, that it has passed")?;
        holds_no_more_connections(session, &broker, at_rest)?;
        for refused in ["folder", "fifo", "nowhere", ".."] {
            let mut client = broker.connect(session)?;
            broker.ask(session, &mut client, refused.as_bytes())?;
            broker.number(session, &mut client)?;
        }
        holds_no_file(session, &broker, &broker.directory, "a file of DIR, that it has refused")?;
        leaves_after(session, &broker, b"")?;
        leaves_after(session, &broker, &name.as_bytes()[..2])?;
        leaves_without_answer(session, &broker, name.as_bytes())?;
        holds_no_file(session, &broker, &broker.directory, "a file of DIR, that a client has not waited for")?;
        for _ in 0..2 {
            let mut client = broker.connect(session)?;
            let (one, other) = (File::open(&sent_along)?, File::open(&sent_along)?);
            session.send_local(&mut client, &request(name.as_bytes()), &[one.as_fd(), other.as_fd()])?;
            broker.hands_over(session, &mut client, &content)?;
        }
        holds_no_file(session, &broker, Path::new(&sent_along), "a file that a client has sent along with its request")?;
        holds_no_more_connections(session, &broker, at_rest)?;
        leaves_no_zombie(session, &broker)?;
        session.pass()
    })
}

/// `fdbroker` starts although a broker that was killed has left its socket at SOCK.
fn stale_socket(lab: &Lab) -> Verdict {
    let (name, content) = (lab.word(), binary(lab, 200));
    lab.session(|session| {
        let killed = Broker::start(lab, session)?;
        session.signal(killed.program, libc::SIGKILL)?;
        session.exit(killed.program)?;
        session.settle()?;
        let next = "bind never takes a path that is there: see whether it is a socket at which nobody listens, and take it away then; bind(2), connect(2), unlink(2)";
        let started = Broker::start_at(session, &killed.socket, &format!("{name}-2"));
        let again = under("at the second start at the same path", expecting("fdbroker prints `ready`", next, started))?;
        again.make_file(name.as_bytes(), &content)?;
        again.passes(session, name.as_bytes(), &content)?;
        session.pass()
    })
}

/// If somebody listens at SOCK, or SOCK is no socket, `fdbroker` reports it and exits with 1, and what is at SOCK stays as it is.
fn path_in_use(lab: &Lab) -> Verdict {
    let (name, content, other) = (lab.word(), binary(lab, 200), binary(lab, 100));
    let living = lab.session(|session| {
        let first = Broker::start(lab, session)?;
        first.make_file(name.as_bytes(), &content)?;
        let second = Broker::begin(session, &first.socket, &format!("{name}-2"))?;
        second.make_file(name.as_bytes(), &other)?;
        gives_up(session, &second)?;
        let next = "see what unlink takes away, and whose it is; connect(2) tells whether somebody listens";
        let expected = "clients still find the first broker at SOCK";
        let served = first.passes(session, name.as_bytes(), &content);
        expecting(expected, next, served)?;
        session.pass()
    });
    under("when another fdbroker listens at SOCK", living)?;
    let file = lab.session(|session| {
        let path = session.make_file(&name, &content)?;
        let broker = Broker::begin(session, &path, &format!("{name}-2"))?;
        gives_up(session, &broker)?;
        if fs::read(&path).is_ok_and(|found| found == content) {
            return session.pass();
        }
        let next = "unlink takes away whatever is there: see first what it is; lstat(2), S_IFSOCK";
        Err(Finding::new("file", "the file at SOCK stays as it is", "it is gone or changed", next).into())
    });
    under("when SOCK is a regular file", file)
}

/// It must end by itself, with a complaint and status 1.
fn gives_up(session: &mut Session, broker: &Broker) -> Result<(), Unpassed> {
    let next = "when bind fails with EADDRINUSE, see what is at SOCK and whether somebody listens there; bind(2), ERRORS";
    expecting("fdbroker reports that SOCK is in use, and ends", next, session.exit(broker.program))?;
    complains(session, broker.program, &["fdbroker: "])?;
    exits(session, broker.program, Exit::Status(1))
}

/// SIGTERM or SIGINT ends `fdbroker` with exit status 0 whenever it comes once `ready` is printed, also while a client is connected and silent, and SOCK is
/// gone then.
fn stops(lab: &Lab) -> Verdict {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let name = signal_name(signal);
        under(&format!("{name} comes while there is no client"), ended_at_rest(lab, signal, false))?;
        under(&format!("{name} comes while a client is connected and silent"), ended_at_rest(lab, signal, true))?;
    }
    under("SIGTERM comes right after `ready` is printed", ended_at_once(lab))?;
    under("SIGTERM comes just before fdbroker waits again", ended_before_it_waits(lab))
}

/// `fdget` connects to exactly the path SOCK and sends NAME and one zero byte, nothing else.
fn asks(lab: &Lab) -> Verdict {
    let odd = [b"../", lab.word().as_bytes(), b" \xff"].concat();
    let names = [lab.word().into_bytes(), odd, "n".repeat(300).into_bytes()];
    for_each(names.iter().zip([lab.number(20..60) as usize, LONGEST_PATH, 30]), |(name, length)| {
        let verdict = lab.session(|session| {
            let socket = path_of_length(session, length);
            let listener = session.listen_local(&socket)?;
            let (client, mut connection) = start_get(session, &listener, &socket, name)?;
            take_request(session, client, &mut connection, name)?;
            session.settle()?;
            let (surplus, _) = session.received_local(&mut connection)?;
            if !surplus.is_empty() {
                return Err(difference("what fdget sends after the zero byte", b"", &surplus).into());
            }
            session.pass()
        });
        under(&format!("with a SOCK of {length} bytes"), verdict)
    })
}

/// `fdget` prints every byte that the descriptor gives until end-of-file, whatever kind of file it is, and exits with 0, without waiting for the end of the
/// connection.
fn prints_content(lab: &Lab) -> Verdict {
    for content in [binary(lab, 200_000), binary(lab, 10), Vec::new()] {
        let verdict = lab.session(|session| {
            let path = session.make_file("content", &content)?;
            let (client, mut connection) = asked(lab, session)?;
            give(session, &mut connection, 0, &[File::open(path)?.as_fd()])?;
            ends_well(session, client, &content)?;
            session.pass()
        });
        under(&format!("with a regular file of {} bytes", content.len()), verdict)?;
    }
    let pipe = lab.session(|session| {
        let pieces = [binary(lab, 3000), binary(lab, 5)];
        let (client, connection, mut writer) = given_pipe(lab, session)?;
        for piece in &pieces {
            // Who reads no more is found out by what it has printed.
            let _ = writer.write_all(piece);
            session.settle()?;
        }
        drop(writer);
        ends_well(session, client, &pieces.concat())?;
        drop(connection);
        session.pass()
    });
    under("with a pipe", pipe)
}

/// `fdget` has been given the read end of a pipe, in which nothing is yet.
fn given_pipe(lab: &Lab, session: &mut Session) -> Result<(Program, LocalConnection, PipeWriter), Unpassed> {
    let (client, mut connection) = asked(lab, session)?;
    let (reader, writer) = std::io::pipe()?;
    give(session, &mut connection, 0, &[reader.as_fd()])?;
    drop(reader);
    session.settle()?;
    Ok((client, connection, writer))
}

/// When the answer is an error number, `fdget` prints `fdget: NAME: message (ERRNO)` on standard error and nothing on standard output, and exits with 1.
fn refusal_reported(lab: &Lab) -> Verdict {
    for_each([libc::ENOENT, libc::EACCES, libc::ENAMETOOLONG], |number| {
        let name = lab.word();
        let verdict = lab.session(|session| {
            let socket = session.path_text(&format!("{}.sock", lab.word()));
            let listener = session.listen_local(&socket)?;
            let (client, mut connection) = start_get(session, &listener, &socket, name.as_bytes())?;
            take_request(session, client, &mut connection, name.as_bytes())?;
            give(session, &mut connection, number, &[])?;
            ends_badly(session, client, &format!("fdget: {name}: "))?;
            names_error(session, client, number)?;
            session.pass()
        });
        under(&format!("when the answer is {}", errno_name(number)), verdict)
    })
}

/// A request or an answer that comes in pieces is put together, and `fdget` goes on where the kernel has sent, read or written less than was asked for.
fn short_counts(lab: &Lab) -> Verdict {
    let (name, content) = (lab.word(), binary(lab, 500));
    let broker = lab.session(|session| {
        session.arm(short([Read, Recv], 2).on(Kind::Unix).every().if_called());
        let broker = Broker::start(lab, session)?;
        broker.make_file(name.as_bytes(), &content)?;
        let mut client = broker.connect(session)?;
        for byte in request(name.as_bytes()) {
            session.send_local(&mut client, &[byte], &[])?;
            session.settle()?;
        }
        broker.hands_over(session, &mut client, &content)?;
        broker.passes(session, name.as_bytes(), &content)?;
        session.pass()
    });
    under("when a request comes byte by byte", broker)?;
    for_each([[1, 2, 1], [3, 1, 0]], |pieces| {
        let client = lab.session(|session| {
            session.arm(short([Send, Write], 2).on(Kind::Unix).every().if_called());
            let path = session.make_file("content", &content)?;
            let (client, mut connection) = asked(lab, session)?;
            session.arm(short(Read, 7).on(Kind::File).every().if_called());
            session.arm(short(Write, 3).on_standard_output().every().if_called());
            let file = File::open(path)?;
            let descriptors = [file.as_fd()];
            let mut attached = &descriptors[..];
            for piece in pieces {
                session.send_local(&mut connection, &[0; 4][..piece], attached)?;
                attached = &[];
                session.settle()?;
            }
            ends_well(session, client, &content)?;
            session.pass()
        });
        under("when the answer comes in pieces, and few bytes are read and written at a time", client)
    })
}

/// An answer of fewer than four bytes, a 0 without a descriptor, more than one descriptor or one beside an error number makes `fdget` close all descriptors
/// that came, print nothing on standard output, and exit with 1 and a line that begins with `fdget: `.
fn one_descriptor(lab: &Lab) -> Verdict {
    let many = lab.number(20..60) as usize;
    let cases: [(&str, &[u8], usize); 8] = [
        ("with a 0 and no descriptor", &[0; 4], 0),
        ("with a 0 and two descriptors", &[0; 4], 2),
        ("with a 0 and three descriptors", &[0; 4], 3),
        ("with a 0 and many descriptors", &[0; 4], many),
        ("with an error number and a descriptor", &libc::ENOENT.to_ne_bytes(), 1),
        ("with nothing", &[], 0),
        ("with two of the four bytes", &[0; 2], 0),
        ("with two of the four bytes and a descriptor", &[0; 2], 1),
    ];
    for_each(cases, |(circumstance, bytes, count)| {
        let verdict = lab.session(|session| {
            let path = session.make_file("content", &binary(lab, 100))?;
            let files = (0..count).map(|_| File::open(&path)).collect::<Result<Vec<_>, _>>()?;
            let descriptors: Vec<_> = files.iter().map(AsFd::as_fd).collect();
            let (client, mut connection) = asked(lab, session)?;
            session.send_local(&mut connection, bytes, &descriptors)?;
            drop(connection);
            ends_badly(session, client, "fdget: ")?;
            closes_what_came(session, client, &path)?;
            session.pass()
        });
        under(&format!("when the broker answers {circumstance} and closes"), verdict)
    })
}

/// For each answer sent `fdbroker` prints `served PID UID NUMBER` with the client's process ID and user ID as the kernel tells them; for one that could not be
/// sent it prints none.
fn peer_named(lab: &Lab) -> Verdict {
    let (name, content) = (lab.word(), binary(lab, 100));
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        let path = broker.make_file(name.as_bytes(), &content)?;
        // The check's files are its own user's, which the programs run as.
        let user = fs::metadata(path)?.uid();
        for (asked_for, number) in [(&*name, 0), ("nowhere", libc::ENOENT), (&name, 0)] {
            let client = session.program("fdget").args([&*broker.socket, asked_for]).start()?;
            session.exit(client)?;
            let pid = session.processes_of(client).next().map_or(0, Process::own_pid);
            let next = "print the line once the answer is sent, and flush it; getsockopt(2)";
            let line = expecting("fdbroker prints a line for each answer", next, session.line(broker.program))?;
            says(&line, &[("PID", i64::from(pid)), ("UID", i64::from(user)), ("NUMBER", i64::from(number))])?;
        }
        names_nobody_unanswered(session, &broker, name.as_bytes())?;
        session.pass()
    })
}

/// Every descriptor that the programs open, accept or receive is closed at exec.
fn closed_at_exec(lab: &Lab) -> Verdict {
    let (name, content) = (lab.word(), binary(lab, 100));
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        broker.make_file(name.as_bytes(), &content)?;
        nothing_survives_exec(session, broker.program, "while it waits for a client")?;
        let mut client = broker.connect(session)?;
        session.settle()?;
        nothing_survives_exec(session, broker.program, "while a client is connected")?;
        let answer = session.arm(hold_at(Send).on(Kind::Unix).in_program("fdbroker").if_called());
        broker.ask(session, &mut client, name.as_bytes())?;
        session.settle()?;
        nothing_survives_exec(session, broker.program, "when it sends its answer")?;
        session.release(answer)?;
        session.pass()
    })?;
    lab.session(|session| {
        let (client, connection, writer) = given_pipe(lab, session)?;
        nothing_survives_exec(session, client, "while it reads from the descriptor that it has received")?;
        drop((connection, writer));
        session.pass()
    })
}

/// The ancillary buffer that is given to sendmsg or recvmsg is aligned like a `cmsghdr`.
fn control_aligned(lab: &Lab) -> Verdict {
    let (name, content) = (lab.word(), binary(lab, 100));
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        broker.make_file(name.as_bytes(), &content)?;
        broker.passes(session, name.as_bytes(), &content)?;
        broker.refuses(session, b"nowhere", &[libc::ENOENT])?;
        buffers_are_aligned(session, broker.program)?;
        session.pass()
    })?;
    lab.session(|session| {
        let path = session.make_file("content", &content)?;
        let (client, mut connection) = asked(lab, session)?;
        give(session, &mut connection, 0, &[File::open(path)?.as_fd()])?;
        ends_well(session, client, &content)?;
        buffers_are_aligned(session, client)?;
        session.pass()
    })
}

/// Clients in Python (`socket.recv_fds`) get their file from `fdbroker` while five others are connected and silent, and these when they ask; `fdget` prints
/// what a broker in Python (`socket.send_fds`) passes.
fn tools(lab: &Lab) -> Verdict {
    exchanges_with_python(lab)
}

/// Where accept, recv, recvmsg, send, sendmsg, open, read, write or poll fails with EINTR, because a signal came, both programs make the call again and go on.
fn interrupted(lab: &Lab) -> Verdict {
    let (name, content) = (lab.word(), binary(lab, 500));
    let broker = lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        broker.make_file(name.as_bytes(), &content)?;
        interrupt_calls(session);
        session.arm(fail(Open, libc::EINTR).on(Kind::File).alternately().if_called());
        for _ in 0..3 {
            broker.passes(session, name.as_bytes(), &content)?;
            session.settle()?;
        }
        broker.goes_on(session)?;
        session.pass()
    });
    under("when calls are interrupted by signals", broker)?;
    let client = lab.session(|session| {
        interrupt_calls(session);
        let path = session.make_file("content", &content)?;
        let (client, mut connection) = asked(lab, session)?;
        session.arm(fail(Read, libc::EINTR).on(Kind::File).alternately().if_called());
        session.settle()?;
        give(session, &mut connection, 0, &[File::open(path)?.as_fd()])?;
        ends_well(session, client, &content)?;
        session.pass()
    });
    under("when calls are interrupted by signals", client)
}

/// The first, third, fifth … call of each kind fails with EINTR. Which of them a program makes is its own choice.
fn interrupt_calls(session: &mut Session) {
    for call in [Accept, Recv, Read, Send, Write] {
        session.arm(fail(call, libc::EINTR).on(Kind::Unix).on(Kind::Standard).alternately().if_called());
    }
    for call in [Poll, Select, EpollWait] {
        session.arm(fail(call, libc::EINTR).alternately().if_called());
    }
}

/// A failed call is reported as `PROGRAM: CALL: message` on standard error, and the program exits with 1.
fn errors_reported(lab: &Lab) -> Verdict {
    broker_calls_fail(lab)?;
    client_calls_fail(lab)
}

/// Wrong usage, a SOCK of more than 107 bytes too, prints the usage line on standard error, and the program exits with 2; nothing is made at SOCK.
fn usage(lab: &Lab) -> Verdict {
    let (too_long, far_too_long) = ("s".repeat(LONGEST_PATH + 1), "s".repeat(300));
    let lines: [&[&str]; 6] = [&[], &["one"], &["one", "two", "three"], &["", "two"], &[&too_long, "two"], &[&far_too_long, "two"]];
    for_each(["fdbroker", "fdget"], |program| for_each(lines, |arguments| refuses(lab, program, arguments)))
}
