//! The other side in Perl, which has the calls built in. A program that is paired with itself alone may have any layout of the segment; here it has to be
//! the handout's.

use harness::prelude::*;

use crate::steps::{Side, any_bytes, on_a_keyfile};

const PEER: &str = include_str!("peer.pl");

fn meets_perl(lab: &Lab, own: Side) -> Verdict {
    let bytes = any_bytes(lab, lab.number(5_000..9_000) as usize);
    on_a_keyfile(lab, |keyfile| {
        let (writer, reader);
        match own {
            Side::Writer => {
                writer = keyfile.first(own, &bytes, |_| None)?;
                reader = keyfile.start_perl(PEER, Side::Reader, b"")?;
            }
            Side::Reader => {
                reader = keyfile.first(own, b"", |_| None)?;
                writer = keyfile.start_perl(PEER, Side::Writer, &bytes)?;
            }
        }
        keyfile.complete(&[writer, reader])?;
        keyfile.prints(reader, &bytes)
    })
    .map_err(|unpassed| when(pointing(unpassed), &format!("`xfr {}` comes first, and then the other side in Perl", own.word())))
}

fn pointing(unpassed: Unpassed) -> Unpassed {
    let next = "compare the numbers of the semaphores, and the places in the segment, with the handout, The two objects; offset_of!";
    match unpassed {
        Unpassed::Fail(finding) => Finding { next: next.to_owned(), ..*finding }.into(),
        other => other,
    }
}

/// What `ipcs` says of the objects while a writer waits for a reader.
fn listed(lab: &Lab) -> Verdict {
    let bytes = any_bytes(lab, lab.number(300..600) as usize);
    on_a_keyfile(lab, |keyfile| {
        keyfile.first(Side::Writer, &bytes, |_| None)?;
        for (option, objects, expected) in [("-m", "segments", "one segment, mode 600, 4096 bytes"), ("-s", "semaphore sets", "one set, mode 600")] {
            let ipcs = keyfile.session.installed_program("ipcs", "util-linux")?.arg(option).start()?;
            keyfile.session.exit(ipcs)?;
            exits(keyfile.session, ipcs, Exit::Status(0))?;
            let table = String::from_utf8_lossy(keyfile.session.stdout(ipcs)).into_owned();
            // Key, id, owner, mode, and then the bytes or the number of semaphores.
            let rows: Vec<Vec<&str>> = table.lines().filter(|line| line.starts_with("0x")).map(|line| line.split_whitespace().collect()).collect();
            let observed = match &rows[..] {
                [row] if option == "-m" => format!("one segment, mode {}, {} bytes", row[3], row[4]),
                [row] => format!("one set, mode {}", row[3]),
                rows => format!("{} {objects}", rows.len()),
            };
            if observed != expected {
                let next = "size and mode are given where an object is made, and a mode is octal: 0o600; shmget(2), semget(2)";
                return Err(Finding::new("mode", format!("`ipcs {option}` shows {expected}"), observed, next).into());
            }
        }
        Ok(())
    })
    .map_err(|unpassed| when(unpassed, "`xfr write` has handed over a piece and waits"))
}

pub fn meets_the_handout(lab: &Lab) -> Verdict {
    listed(lab)?;
    meets_perl(lab, Side::Writer)?;
    meets_perl(lab, Side::Reader)
}
