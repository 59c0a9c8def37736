//! Python at the other end of the queue: its messages are any bytes, those too that no command line can hold.

use harness::prelude::*;

use crate::steps::{about, has_printed, line, name, succeeds, watch};

const PEER: &str = include_str!("peer.py");

/// Runs Python: it succeeds and prints exactly this.
fn python(session: &mut Session, arguments: &[&str], input: &[u8], output: &[u8]) -> Result<(), Unpassed> {
    let python = session.installed_program("python3", "python3")?.called("Python");
    let python = python.args(["-I", "-S", "-c", PEER]).args(arguments.iter().copied()).stdin(input).start()?;
    session.exit(python)?;
    exits(session, python, Exit::Status(0))?;
    prints(session, python, output)
}

/// Bytes with a zero and a newline among them.
fn any_bytes(lab: &Lab, length: u64) -> Vec<u8> {
    let mut bytes = lab.bytes(length as usize);
    bytes[1..5].copy_from_slice(&[0, b'\n', 0xff, 0]);
    bytes
}

/// Where to look when other bytes are printed than came.
fn lengthwise(unpassed: Unpassed) -> Unpassed {
    match unpassed {
        Unpassed::Fail(finding) if finding.kind == "output" => {
            let next = "a message is as long as mq_receive returns, and no C string: a zero byte is a byte like any other; mq_receive(3)";
            Finding { next: next.to_owned(), ..*finding }.into()
        }
        other => other,
    }
}

pub fn shares_with_python(lab: &Lab) -> Verdict {
    let (name, word) = (name(lab), lab.word());
    let (first, second) = (any_bytes(lab, lab.number(20..64)), any_bytes(lab, lab.number(20..64)));
    let (high, low) = (lab.number(10..32_768) as u32, lab.number(0..10) as u32);
    lab.session(|session| {
        succeeds(session, &[&"create", &"-m", &"4", &"-s", &"64", &name], b"")?;
        succeeds(session, &[&"send", &"-p", &high.to_string(), &name, &word], b"")?;
        let got = [format!("4 64 {high} ").as_bytes(), word.as_bytes()].concat();
        python(session, &["recv", &name], b"", &got).map_err(|unpassed| about(unpassed, "Python receives what `jobq send` has sent"))?;
        python(session, &["send", &name, &low.to_string()], &first, b"")?;
        let printed = succeeds(session, &[&"recv", &name], &line(low, &first));
        printed.map_err(|unpassed| about(lengthwise(unpassed), "Python has sent a message with a zero byte in it"))?;
        let watcher = watch(session, &name)?;
        python(session, &["send", &name, &high.to_string()], &second, b"")?;
        session.settle()?;
        let expected = [b"watching\n", &line(high, &second)[..]].concat();
        let printed = has_printed(session, watcher, &expected, "Python sends a message with a zero byte in it");
        printed.map_err(lengthwise)?;
        session.pass()
    })
}
