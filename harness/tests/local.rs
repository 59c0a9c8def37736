//! The check as a peer on Unix sockets, against a small program that passes descriptors.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod isolated;
    pub mod subject;
}

use std::io::Read as _;
use std::os::fd::AsFd;
use std::process::ExitCode;

use harness::prelude::*;
use support::isolated::{self, tests};
use support::subject::{Subject, assert_passes};

fn main() -> ExitCode {
    isolated::main(tests![a_descriptor_arrives_with_its_byte_and_goes_with_the_first, nobody_there_is_a_failure])
}

fn a_descriptor_arrives_with_its_byte_and_goes_with_the_first() {
    let subject = Subject::new("passes");
    let verdict = subject.session(|session, name| {
        let path = session.path_text("socket");
        let program = session.program(name).arg(&path).start()?;
        assert_eq!(session.line(program)?, "ready");
        let mut client = session.connect_local(&path)?;
        // The program reads without room for descriptors: these go nowhere.
        let (reader, _writer) = std::io::pipe()?;
        session.send_local(&mut client, b"ab", &[reader.as_fd()])?;
        assert_eq!(session.receive_local(&mut client, 2)?, b"ab");
        assert_eq!(client.attached.len(), 1);
        let attached = client.attached.remove(0);
        assert_eq!(attached.with_byte, 1, "the second byte brought it");
        let mut magic = [0; 4];
        std::fs::File::from(attached.descriptor).read_exact(&mut magic)?;
        assert_eq!(&magic, b"\x7fELF");

        session.settle()?;
        let process = session.processes_of(program).next().expect("the program's process").id;
        let open: Vec<Kind> = session.left_open_at_exec(process)?.into_iter().map(|(_, kind, _)| kind).collect();
        assert_eq!(open, [Kind::Unix], "the accepted socket, and not the listening one");
        let control = session.events_of(program).find_map(|event| event.control).expect("a message with ancillary data");
        assert_eq!(control.address % 8, 1, "one byte off on purpose");
        session.pass()
    });
    assert_passes(verdict);
    subject.assert_nothing_is_left();
}

fn nobody_there_is_a_failure() {
    let subject = Subject::new("passes");
    let verdict = subject.session(|session, name| {
        let path = session.path_text("socket");
        assert!(matches!(session.connect_local(&path), Err(Unpassed::Fail(_))), "there is nothing");
        drop(session.listen_local(&path)?);
        assert!(matches!(session.connect_local(&path), Err(Unpassed::Fail(_))), "nobody listens");
        let other = session.path_text("other");
        let listener = session.listen_local(&other)?;
        let program = session.program(name).start()?;
        assert!(matches!(session.accept_local(&listener), Err(Unpassed::Fail(_))), "nobody connects");
        assert_eq!(session.exit(program)?, Exit::Status(2));
        session.pass()
    });
    assert_passes(verdict);
    subject.assert_nothing_is_left();
}
