//! The shell at seqd's FIFO: it opens what it is told to open, and says nothing.

use std::os::unix::fs::FileTypeExt;

use harness::prelude::*;

use crate::steps::{Server, advise, start_server, still_serves, take};

/// What a shell does before it starts a command whose output is to go into a FIFO; here there is no command, and the FIFO is closed again at once.
const VISIT: &str = ": > \"$1\"";

/// The FIFO that seqd has made; nothing else is in its directory.
fn request_fifo(server: &Server) -> Result<String, Unpassed> {
    for entry in std::fs::read_dir(&server.directory)? {
        let entry = entry?;
        if entry.file_type()?.is_fifo() {
            return Ok(entry.path().to_string_lossy().into_owned());
        }
    }
    let next = "make the FIFO in the directory that the argument names; mkfifo(3)";
    Err(Finding::new("fifo", "seqd's request FIFO is in DIR when it prints `ready`", "there is no FIFO in it", next).into())
}

pub fn survives_the_shell(lab: &Lab) -> Verdict {
    let (folder, counts) = (lab.word(), crate::steps::counts(lab, 2));
    lab.session(|session| {
        let server = start_server(session, &folder)?;
        session.settle()?;
        let fifo = request_fifo(&server)?;
        let mut first = 0;
        for count in counts {
            let circumstance = format!("`sh -c '{VISIT}'` has opened seqd's FIFO and closed it, {}", moment(first));
            let visit = session.installed_program("sh", "dash")?.args(["-c", VISIT, "sh", &fifo]).start()?;
            let next = "no request has come: 0 from read, or POLLHUP, is then nothing to end for; read(2), fifo(7)";
            let visited = session.exit(visit).and_then(|_| session.settle()).and_then(|()| still_serves(session, &server));
            visited.map_err(|unpassed| when(advise(unpassed, next), &circumstance))?;
            take(session, &server, count, first).map_err(|unpassed| when(unpassed, "a shell has opened and closed seqd's FIFO before"))?;
            first += count;
        }
        session.all_sleep()?;
        session.pass()
    })
}

fn moment(first: u64) -> &'static str {
    if first == 0 { "before the first client" } else { "after a client" }
}
