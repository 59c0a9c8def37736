//! `watch` and its end: signals at awkward moments, and what FILE holds then.

use harness::prelude::*;

use crate::captures;
use crate::segments::{ACK, FIN, Talk};
use crate::watching::{Watch, expecting};

pub const FILE: &str = "trace.pcap";

/// `watch` with FILE.
pub fn start(lab: &Lab, session: &mut Session) -> Result<Watch, Unpassed> {
    let path = session.path_text(FILE);
    Watch::start_with(lab, session, &["--pcap", &path])
}

/// The program ends now, with status 0.
pub fn ends_well(session: &mut Session, program: Program) -> Result<(), Unpassed> {
    let next = "see where it waits, and whether the signal gets it out of there for good; signal(7), signalfd(2), ppoll(2)";
    expecting("the signal ends watch", next, session.exit(program))?;
    exits(session, program, Exit::Status(0))
}

/// FILE holds the frames when the program has come to rest, and after a signal that comes then.
pub fn complete_at_rest(lab: &Lab, frames: &[Vec<u8>], signal: Option<i32>) -> Verdict {
    lab.session(|session| {
        let mut watch = start(lab, session)?;
        for frame in frames {
            watch.wire.send(frame)?;
        }
        session.settle()?;
        if let Some(signal) = signal {
            session.signal(watch.program, signal)?;
            session.exit(watch.program)?;
        }
        captures::holds(session, FILE, watch.wire.frames()?)?;
        session.pass()
    })
}

/// FILE ends with a whole record if the signal comes while the program is about to write to it.
pub fn whole_after_signal(lab: &Lab, frames: &[Vec<u8>], signal: i32) -> Verdict {
    lab.session(|session| {
        let mut watch = start(lab, session)?;
        let held = session.arm(hold_at(Write).on(Kind::File));
        watch.wire.send(&frames[0])?;
        let next = "write each record as soon as its frame is there; write(2)";
        expecting("watch writes the frame to FILE before it waits for the next", next, session.until_held(held))?;
        session.signal(watch.program, signal)?;
        session.release(held)?;
        ends_well(session, watch.program)?;
        captures::is_whole(session, FILE)?;
        session.pass()
    })
}

/// FILE ends with a whole record if the program is killed just before this write to it, of those from the first frame on.
pub fn whole_after_kill(lab: &Lab, frames: &[Vec<u8>], write: u32) -> Verdict {
    lab.session(|session| {
        let mut watch = start(lab, session)?;
        let killed = session.arm(kill_at(Write).on(Kind::File).nth(write).if_called());
        for frame in frames {
            watch.wire.send(frame)?;
        }
        session.settle()?;
        if session.fired(killed).fired > 0 {
            session.exit(watch.program)?;
        }
        captures::is_whole(session, FILE)?;
        session.pass()
    })
}

/// What happens the moment that `watching lo` is printed, before the program does anything else, and what has to come of it.
pub fn at_once(
    lab: &Lab,
    happens: impl FnOnce(&mut Session, &mut Watch) -> Result<(), Unpassed>,
    comes_of_it: impl FnOnce(&mut Session, &mut Watch) -> Result<(), Unpassed>,
) -> Verdict {
    let printed = || hold_at(Write).on_standard_output().afterwards();
    let goal = "watch prints the line `watching lo`";
    lab.session(|session| {
        let mut held = session.arm(printed());
        let mut watch = Watch::begin(lab, session, &[])?;
        loop {
            expecting(goal, "print it as soon as all is prepared, and flush it", session.until_held(held))?;
            session.settle()?;
            if session.stdout(watch.program).contains(&b'\n') {
                break;
            }
            // A line may be written in several pieces.
            let next = session.arm(printed());
            session.release(held)?;
            held = next;
        }
        watch.line(session, "watching lo")?;
        happens(session, &mut watch)?;
        session.release(held)?;
        comes_of_it(session, &mut watch)?;
        session.pass()
    })
}

pub fn ended_while_waiting(lab: &Lab, signal: i32) -> Verdict {
    lab.session(|session| {
        let watch = Watch::start(lab, session)?;
        session.signal(watch.program, signal)?;
        ends_well(session, watch.program)?;
        session.pass()
    })
}

/// The signal comes when the program has looked at everything and is about to wait.
pub fn ended_before_waiting(lab: &Lab, talk: &Talk, signal: i32) -> Verdict {
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        let waits =
            |sleeping: &Sleeping| matches!(sleeping.call, Recv | Read | Poll | Select | EpollWait) && sleeping.objects.contains(&Kind::Socket);
        let Some(sleeping) = session.sleeping(watch.program).into_iter().find(waits) else {
            // What wakes it otherwise has no such moment that could be forced.
            return session.pass();
        };
        let mut held = session.arm(hold_before(sleeping.call));
        watch.wire.send(&talk.syn().frame())?;
        let comes_back = |session: &mut Session, held| {
            expecting("watch goes back to wait for the next frame", "see where it goes after a frame", session.until_held(held))
        };
        comes_back(session, held)?;
        // One frame may be there twice: only when nothing is left to receive will the call wait.
        while session.frames_wait(&mut watch.wire)? {
            // The first is the call before which it is held now.
            let next = session.arm(hold_before(sleeping.call).nth(2));
            session.release(held)?;
            held = next;
            comes_back(session, held)?;
        }
        session.signal(watch.program, signal)?;
        session.release(held)?;
        ends_well(session, watch.program)?;
        session.pass()
    })
}

/// The program prints and keeps all it has to, whatever these faults do.
pub fn goes_on(lab: &Lab, talk: &Talk, faults: &[Fault]) -> Verdict {
    lab.session(|session| {
        for fault in faults {
            session.arm(fault.clone());
        }
        let mut watch = start(lab, session)?;
        watch.shows_handshake(session, talk)?;
        let fin = talk.client_says(FIN | ACK, 70).carrying(30);
        watch.shows(session, &fin, &fin.fin_line(100))?;
        watch.finish(session)?;
        captures::holds(session, FILE, watch.wire.frames()?)?;
        session.signal(watch.program, libc::SIGTERM)?;
        ends_well(session, watch.program)?;
        session.pass()
    })
}
