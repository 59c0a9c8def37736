//! The run's own network: the capabilities that a lab names, and the check at the wire.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod isolated;
    pub mod subject;
}

use std::process::ExitCode;

use harness::manifest::Capability;
use harness::prelude::*;
use support::isolated::{self, Test, tests};
use support::subject::{Subject, assert_passes};

fn main() -> ExitCode {
    let mut all = tests![
        programs_have_no_capabilities,
        programs_keep_the_capabilities_that_their_lab_names_and_no_others,
        a_frame_that_was_sent_has_come_in_and_is_seen_once,
        a_connection_is_seen_from_its_first_segment_on,
    ];
    all.push(Test {
        environment: &[("LAB_SANDBOX", "none")],
        ..Test::new("without_namespaces_a_lab_with_capabilities_is_skipped", without_namespaces_a_lab_with_capabilities_is_skipped)
    });
    isolated::main(all)
}

/// What `capable` prints with these capabilities, each set as one number.
fn printed(number: u64, socket: &str) -> String {
    let inherited = number;
    format!("CapInh:\t{inherited:016x}\nCapPrm:\t{number:016x}\nCapEff:\t{number:016x}\n{socket}\n")
}

fn programs_have_no_capabilities() {
    let subject = Subject::new("capable");
    assert_passes(subject.lab().run(&subject.name).prints(printed(0, "no packet socket")).exits(0).verdict());
}

fn programs_keep_the_capabilities_that_their_lab_names_and_no_others() {
    let subject = Subject::new("capable").capable(&[Capability::NetRaw]);
    assert_passes(subject.lab().run(&subject.name).prints(printed(1 << 13, "a packet socket")).exits(0).verdict());
    let subject = Subject::new("capable").capable(&[Capability::NetBindService, Capability::NetAdmin]);
    assert_passes(subject.lab().run(&subject.name).prints(printed(1 << 10 | 1 << 12, "no packet socket")).exits(0).verdict());
}

fn without_namespaces_a_lab_with_capabilities_is_skipped() {
    let subject = Subject::new("capable").capable(&[Capability::NetRaw]);
    match subject.lab().run(&subject.name).verdict() {
        Err(Unpassed::Skipped(reason)) => assert!(reason.contains("capabilities") && reason.contains("LAB_SANDBOX"), "{reason}"),
        other => panic!("expected skipped, observed {other:?}"),
    }
}

fn a_frame_that_was_sent_has_come_in_and_is_seen_once() {
    assert_passes(Subject::new("capable").session(|session, _| {
        let mut wire = session.wire("lo")?;
        // Of a protocol for experiments, so that nobody answers.
        let mut frame = vec![0; 12];
        frame.extend([0x88, 0xb5, 1, 2, 3]);
        wire.send(&frame)?;
        wire.send(&frame)?;
        assert_eq!(wire.frames()?, [frame.clone(), frame]);
        session.pass()
    }));
}

fn a_connection_is_seen_from_its_first_segment_on() {
    assert_passes(Subject::new("capable").session(|session, _| {
        let mut wire = session.wire("lo")?;
        let listener = session.listen()?;
        let _client = session.connect(listener.port)?;
        let _server = session.accept(&listener)?;
        // The flags of TCP behind 14 bytes of Ethernet and 20 of IPv4.
        let flags: Vec<u8> = wire.frames()?.iter().map(|frame| frame[14 + 20 + 13]).collect();
        assert_eq!(flags, [0x02, 0x12, 0x10]);
        session.pass()
    }));
}
