//! The other side in Perl, which has the calls of System V message queues built in: a program in another language, by another way to a message's layout.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use harness::prelude::*;

use crate::steps::{advise, any_bytes, ask, gets, start_server, still_serves};

const CLIENT: &str = include_str!("client.pl");
const SERVER: &str = include_str!("server.pl");

fn start_perl(session: &mut Session, script: &str, arguments: &[&[u8]]) -> Result<Program, Unpassed> {
    let perl = session.installed_program("perl", "perl")?.called("the program in Perl").args(["-e", script]);
    arguments.iter().fold(perl, |perl, argument| perl.arg_bytes(*argument)).start()
}

/// A client in Perl asks for a file whose name is in Latin-1, and so is no UTF-8.
fn asks_filed(lab: &Lab) -> Verdict {
    let bytes = any_bytes(lab, lab.number(9_000..12_000) as usize);
    let name = [lab.word().as_bytes(), b"-caf\xe9"].concat();
    lab.session(|session| {
        let path = session.path("").join(OsStr::from_bytes(&name));
        std::fs::write(&path, &bytes)?;
        let server = start_server(session)?;
        let client = start_perl(session, CLIENT, &[server.keyfile.as_bytes(), path.as_os_str().as_bytes()])?;
        let next = "see what filed makes of the request, and to which queue it answers; the path is bytes, and need not be text; msgop(2)";
        session.exit(client).map_err(|unpassed| advise(unpassed, next))?;
        still_serves(session, &server)?;
        let judged = exits(session, client, Exit::Status(0)).and_then(|()| prints(session, client, &bytes));
        judged.map_err(|unpassed| pointing(unpassed, next))?;
        session.pass()
    })
}

/// A server in Perl for getfile.
fn serves_getfile(lab: &Lab) -> Verdict {
    let (bytes, name) = (any_bytes(lab, lab.number(2_500..4_000) as usize), lab.word());
    lab.session(|session| {
        let path = session.make_file(&name, &bytes)?;
        let keyfile = session.make_file("key", b"")?;
        let server = start_perl(session, SERVER, &[keyfile.as_bytes()])?;
        session.line(server)?;
        let client = ask(session, &keyfile, &path, "getfile")?;
        gets(session, client, &bytes)?;
        session.exit(server)?;
        let next = "compare the request with the handout, The messages; msgop(2)";
        exits(session, server, Exit::Status(0)).map_err(|unpassed| pointing(unpassed, next))?;
        session.pass()
    })
}

fn pointing(unpassed: Unpassed, next: &str) -> Unpassed {
    match unpassed {
        Unpassed::Fail(finding) => Finding { next: next.to_owned(), ..*finding }.into(),
        other => other,
    }
}

pub fn talks_with_perl(lab: &Lab) -> Verdict {
    asks_filed(lab).map_err(|unpassed| when(unpassed, "a client in Perl asks for a file whose name is in Latin-1"))?;
    serves_getfile(lab).map_err(|unpassed| when(unpassed, "a server in Perl answers"))
}
