//! Steps that several checks share: the broker and a client of its, fdget and a broker for it, and what to say when they go wrong.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use harness::prelude::*;

/// The longest path of a socket.
pub const LONGEST_PATH: usize = 107;

/// `fdbroker` with its socket and its directory.
pub struct Broker {
    pub program: Program,
    pub socket: String,
    pub directory: PathBuf,
}

impl Broker {
    /// Starts `fdbroker` on a directory of its own. It is at rest when this returns.
    pub fn start(lab: &Lab, session: &mut Session) -> Result<Self, Unpassed> {
        let (socket, directory) = (session.path_text(&format!("{}.sock", lab.word())), lab.word());
        Self::start_at(session, &socket, &directory)
    }

    /// The same at this path, for this directory of the run.
    pub fn start_at(session: &mut Session, socket: &str, directory: &str) -> Result<Self, Unpassed> {
        let broker = Self::begin(session, socket, directory)?;
        broker.is_ready(session)?;
        session.settle()?;
        Ok(broker)
    }

    /// Starts it and waits for nothing.
    pub fn begin(session: &mut Session, socket: &str, directory: &str) -> Result<Self, Unpassed> {
        let directory = session.make_folder(directory)?;
        let program = session.program("fdbroker").args([socket, &directory]).start()?;
        Ok(Self { program, socket: socket.to_owned(), directory: directory.into() })
    }

    /// The line that says so.
    pub fn is_ready(&self, session: &mut Session) -> Result<(), Unpassed> {
        let line = session.line(self.program)?;
        if line == "ready" {
            return Ok(());
        }
        let observed = format!("the line {}", excerpt(line.as_bytes(), 0));
        Err(Finding::new("output", "fdbroker prints the line `ready`", observed, "print that word and nothing else; the handout, The program").into())
    }

    /// The directory's own name.
    pub fn folder(&self) -> String {
        self.directory.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Makes a file in the directory.
    pub fn make_file(&self, name: &[u8], content: &[u8]) -> Result<PathBuf, Unpassed> {
        let path = self.directory.join(OsStr::from_bytes(name));
        fs::write(&path, content)?;
        Ok(path)
    }

    /// A client of the broker's.
    pub fn connect(&self, session: &mut Session) -> Result<LocalConnection, Unpassed> {
        self.goes_on(session)?;
        session.connect_local(&self.socket)
    }

    /// A client's request for this name.
    pub fn ask(&self, session: &mut Session, client: &mut LocalConnection, name: &[u8]) -> Result<(), Unpassed> {
        let goal = "fdbroker takes in a client's request";
        expecting(goal, "see when it closes the connection: not before it has answered; close(2)", session.send_local(client, &request(name), &[]))
    }

    /// The four bytes of the answer as a number; what is attached to them stays with the client.
    pub fn number(&self, session: &mut Session, client: &mut LocalConnection) -> Result<i32, Unpassed> {
        let goal = "fdbroker answers with four bytes as soon as it has the name and its zero byte";
        let next = "see where fdbroker waits: the client neither ends its sending direction nor says more; recv(2), sendmsg(2)";
        let answer = expecting(goal, next, session.receive_local(client, 4))?;
        match answer.as_slice().try_into() {
            Ok(number) => Ok(i32::from_ne_bytes(number)),
            Err(_) => {
                // The client may learn of the connection's end before the tracer does of the broker's.
                session.last_words(self.program)?;
                self.goes_on(session)?;
                let observed = format!("the connection ends after {} bytes of the answer", answer.len());
                Err(Finding::new("answer", goal, observed, "send all four bytes, and then close; sendmsg(2)").into())
            }
        }
    }

    /// Reads to the end of the connection: nothing more may come.
    pub fn closes(&self, session: &mut Session, client: &mut LocalConnection) -> Result<(), Unpassed> {
        let goal = "fdbroker closes the connection after its answer";
        let next = "close the connected socket when the client is served, in every process that has it; close(2)";
        let (surplus, _) = expecting(goal, next, session.receive_all_local(client))?;
        if surplus.is_empty() { Ok(()) } else { Err(difference("what fdbroker sends after the four bytes", b"", &surplus).into()) }
    }

    /// A client asks for this name and must be refused it with one of these numbers, and without a descriptor.
    pub fn refuses(&self, session: &mut Session, name: &[u8], numbers: &[i32]) -> Result<(), Unpassed> {
        let mut client = self.connect(session)?;
        self.ask(session, &mut client, name)?;
        self.answers_with(session, &mut client, numbers)
    }

    /// The answer must be one of these numbers without a descriptor, and the end.
    pub fn answers_with(&self, session: &mut Session, client: &mut LocalConnection, numbers: &[i32]) -> Result<(), Unpassed> {
        let number = self.number(session, client)?;
        let names: Vec<String> = numbers.iter().map(|number| errno_name(*number)).collect();
        let expected = format!("fdbroker answers {} without a descriptor", names.join(" or "));
        let next = "see the handout's table of what a client may have; openat(2), O_NOFOLLOW and O_NONBLOCK, ERRORS; fstat(2)";
        if !numbers.contains(&number) {
            let observed = if number == 0 { "it answers 0".to_owned() } else { format!("it answers {}", errno_name(number)) };
            return Err(Finding::new("answer", expected, observed, next).into());
        }
        self.closes(session, client)?;
        if client.attached.is_empty() { Ok(()) } else { Err(Finding::new("descriptor", expected, "a descriptor comes with it", next).into()) }
    }

    /// A client asks for this file and must get a descriptor of it.
    pub fn passes(&self, session: &mut Session, name: &[u8], content: &[u8]) -> Result<(), Unpassed> {
        let mut client = self.connect(session)?;
        self.ask(session, &mut client, name)?;
        let attached = self.handed_over(session, &mut client)?;
        is_file(&attached, &self.directory.join(OsStr::from_bytes(name)))?;
        reads(attached, content)
    }

    /// The answer must be 0 and a descriptor that gives this, and the end.
    pub fn hands_over(&self, session: &mut Session, client: &mut LocalConnection, content: &[u8]) -> Result<(), Unpassed> {
        let attached = self.handed_over(session, client)?;
        reads(attached, content)
    }

    /// The descriptor that comes with an answer of 0; nothing but the end comes after it.
    pub fn handed_over(&self, session: &mut Session, client: &mut LocalConnection) -> Result<Attached, Unpassed> {
        let expected = "fdbroker answers 0 and passes one descriptor with the first of the four bytes";
        let number = self.number(session, client)?;
        if number != 0 {
            let next = "see which call fails, and with which name; openat(2), sendmsg(2), ERRORS";
            return Err(Finding::new("answer", expected, format!("it answers {}", errno_name(number)), next).into());
        }
        self.closes(session, client)?;
        let observed = match client.attached.len() {
            1 if client.attached[0].with_byte == 0 => return Ok(client.attached.remove(0)),
            1 => format!("it comes with byte {} of the answer", client.attached[0].with_byte + 1),
            0 => "no descriptor comes".to_owned(),
            count => format!("{count} descriptors come"),
        };
        let next =
            "attach it to the message of the four bytes: msg_control and msg_controllen, with a header of CMSG_LEN; cmsg(3), unix(7) SCM_RIGHTS";
        Err(Finding::new("descriptor", expected, observed, next).into())
    }

    /// Fails if the broker has ended.
    pub fn goes_on(&self, session: &Session) -> Result<(), Unpassed> {
        if !session.has_ended(self.program) {
            return Ok(());
        }
        let next = "see which call's failure ends it, and whether that failure concerns the broker or one client";
        Err(Finding::new("exit", "fdbroker goes on and takes the next client", "it has ended", next).with(session.end_lines(self.program)).into())
    }
}

/// A descriptor that was passed must be of this file, and not of a copy.
fn is_file(attached: &Attached, path: &Path) -> Result<(), Unpassed> {
    let (passed, there) = (fs::File::from(attached.descriptor.try_clone()?).metadata()?, fs::metadata(path)?);
    if (passed.dev(), passed.ino()) == (there.dev(), there.ino()) {
        return Ok(());
    }
    let next = "pass the descriptor that open has returned; unix(7), SCM_RIGHTS";
    Err(Finding::new("descriptor", "the descriptor is one of the file in DIR", "it is one of something else", next).into())
}

/// A descriptor that was passed must give this, from the beginning, and not be open for writing.
fn reads(attached: Attached, content: &[u8]) -> Result<(), Unpassed> {
    use std::io::{Read as _, Write as _};
    let mut file = fs::File::from(attached.descriptor);
    let mut read = Vec::new();
    if let Err(error) = file.read_to_end(&mut read) {
        let observed = format!("reading from it fails: {}", error.kind());
        return Err(Finding::new("descriptor", "the descriptor is open for reading", observed, "open with O_RDONLY; open(2)").into());
    }
    if read != content {
        return Err(difference("what the descriptor gives", content, &read).into());
    }
    // A write of nothing fails where writing is not permitted.
    if file.write(&[]).is_ok() {
        let expected = "the descriptor is open for reading only";
        return Err(Finding::new("descriptor", expected, "it is open for writing too", "open with O_RDONLY; open(2), File access mode").into());
    }
    Ok(())
}

/// A request for this name.
pub fn request(name: &[u8]) -> Vec<u8> {
    [name, b"\0"].concat()
}

/// `fdget` on its way to the check's own broker, and the connection that it makes.
pub fn start_get(session: &mut Session, listener: &LocalListener, socket: &str, name: &[u8]) -> Result<(Program, LocalConnection), Unpassed> {
    let client = session.program("fdget").arg(socket).arg_bytes(name).start()?;
    let next = "see which address and which length connect is given: the bytes before sun_path, the path and its zero byte; unix(7), connect(2)";
    let connection = expecting("fdget connects to the socket at SOCK", next, session.accept_local(listener))?;
    Ok((client, connection))
}

/// What `fdget` sends: the name and its zero byte.
pub fn take_request(session: &mut Session, client: Program, connection: &mut LocalConnection, name: &[u8]) -> Result<(), Unpassed> {
    let expected = request(name);
    let next = "see what it does once it is connected: the zero byte that ends the name is a part of the request; send(2)";
    let goal = "fdget sends its NAME and a zero byte";
    let sent = expecting(goal, next, session.receive_local(connection, expected.len()))?;
    if sent == expected { Ok(()) } else { Err(difference("what fdget sends", &expected, &sent).with(session.last_words(client)?).into()) }
}

/// A whole run of `fdget` against the check's own broker, up to its request.
pub fn asked(lab: &Lab, session: &mut Session) -> Result<(Program, LocalConnection), Unpassed> {
    let (socket, name) = (session.path_text(&format!("{}.sock", lab.word())), lab.word());
    let listener = session.listen_local(&socket)?;
    let (client, mut connection) = start_get(session, &listener, &socket, name.as_bytes())?;
    take_request(session, client, &mut connection, name.as_bytes())?;
    Ok((client, connection))
}

/// The check's answer to `fdget`: this number, and these descriptors with its first byte.
pub fn give(session: &mut Session, connection: &mut LocalConnection, number: i32, descriptors: &[BorrowedFd<'_>]) -> Result<(), Unpassed> {
    expecting(
        "fdget stays until it has its answer",
        "see what ends it; recvmsg(2)",
        session.send_local(connection, &number.to_ne_bytes(), descriptors),
    )
}

/// `fdget` has all that it needs: it must print this and exit with 0.
pub fn ends_well(session: &mut Session, client: Program, content: &[u8]) -> Result<(), Unpassed> {
    let next = "the four bytes are the whole answer, and the descriptor is read until read returns 0: see what fdget waits for; read(2)";
    expecting("fdget prints what the descriptor gives and ends", next, session.exit(client))?;
    prints(session, client, content)?;
    exits(session, client, Exit::Status(0))
}

/// `fdget` gets no file: it must print nothing, complain with a line that begins so, and exit with 1.
pub fn ends_badly(session: &mut Session, client: Program, beginning: &str) -> Result<(), Unpassed> {
    let next = "see what fdget still waits for: the four bytes are the whole answer, and an end of the connection before them is one too; recvmsg(2)";
    expecting("fdget reports that it gets no file, and ends", next, session.exit(client))?;
    prints(session, client, b"")?;
    reports(session, client, beginning)
}

/// The program has ended: it must have complained with a line that begins so, with status 1.
pub fn reports(session: &mut Session, client: Program, beginning: &str) -> Result<(), Unpassed> {
    complains(session, client, &[beginning])?;
    exits(session, client, Exit::Status(1))
}

/// A path of the run that has exactly so many bytes.
pub fn path_of_length(session: &Session, length: usize) -> String {
    let folder = session.path_text("");
    format!("{folder}{}", "s".repeat(length.saturating_sub(folder.len())))
}

/// Bytes that are no text: a byte that UTF-8 never has, and a NUL.
pub fn binary(lab: &Lab, length: usize) -> Vec<u8> {
    let mut bytes = lab.bytes(length);
    bytes[0] = 0xff;
    bytes[length - 1] = 0;
    bytes
}

/// The live processes of the program.
pub fn alive(session: &Session, program: Program) -> Vec<ProcessId> {
    session.processes_of(program).filter(|process| process.exit.is_none()).map(|process| process.id).collect()
}

/// Says in a failure what was expected, and where to look, in the words of this lab.
pub fn expecting<T>(expected: &str, next: &str, result: Result<T, Unpassed>) -> Result<T, Unpassed> {
    result.map_err(|unpassed| match unpassed {
        Unpassed::Fail(finding) => Finding { expected: expected.to_owned(), next: next.to_owned(), ..*finding }.into(),
        other => other,
    })
}

/// Says in a failure how it came about.
pub fn under<T>(circumstance: &str, result: Result<T, Unpassed>) -> Result<T, Unpassed> {
    result.map_err(|unpassed| match unpassed {
        Unpassed::Fail(finding) => finding.when(circumstance).into(),
        other => other,
    })
}

/// What must hold in each of these cases.
pub fn for_each<T>(cases: impl IntoIterator<Item = T>, check: impl FnMut(T) -> Verdict) -> Verdict {
    let mut verdicts = cases.into_iter().map(check);
    let first = verdicts.next().unwrap_or_else(|| Err(Unpassed::Broken("a check without a case".into())))?;
    verdicts.try_fold(first, |_, verdict| verdict)
}
