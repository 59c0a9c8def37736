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

pub fn meets_perl_on_either_side(lab: &Lab) -> Verdict {
    meets_perl(lab, Side::Writer)?;
    meets_perl(lab, Side::Reader)
}
