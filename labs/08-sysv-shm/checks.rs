//! Checks for the lab on System V shared memory and semaphores, one for each promise in its README.
//!
//! A transfer has two sides that nobody starts in a certain order. So most checks say who comes first, let it go on as far as it can (`settle`), and only
//! then let the other one come; where a race is looked for, the one that should lose it is held or delayed at a call.

use harness::prelude::*;

#[path = "checks/steps.rs"]
mod steps;
#[path = "checks/tools.rs"]
mod tools;

use steps::{CAPACITY, Keyfile, Side, all, any_bytes, burst, many_pieces, on_a_keyfile, on_a_keyfile_in_forced_order, slow, slow_after_semop, text};
use tools::meets_the_handout;

/// Forced orders of one transfer.
const SCHEDULES: u32 = 12;

harness::checks! {
    empty_input, one_piece, reader_first, turns_kept, piece_at_once, nothing_left, creation_race, handoff_kept, killed_writer, second_writer_waits,
    starts_over, short_writes, interrupted, any_order,
    tools, errors_reported, usage,
}

/// With an empty standard input the writer hands over the end and waits for the reader; once the reader has come, both exit 0, and the reader prints
/// nothing.
fn empty_input(lab: &Lab) -> Verdict {
    on_a_keyfile(lab, |keyfile| writer_first(keyfile, &[]))
}

/// A whole transfer in which the writer comes first. It lets the reader go on whenever both can: what happens is the same every time.
fn writer_first(keyfile: &mut Keyfile, bytes: &[u8]) -> Result<(), Unpassed> {
    let writer = keyfile.first(Side::Writer, bytes, |writer| [slow_after_semop(writer)])?;
    let reader = keyfile.reader()?;
    keyfile.complete(&[writer, reader])?;
    keyfile.prints(reader, bytes)
}

/// A whole transfer in which the reader comes first, and lets the writer go on whenever both can.
fn reader_then_writer(keyfile: &mut Keyfile, bytes: &[u8]) -> Result<(), Unpassed> {
    let reader = keyfile.first(Side::Reader, &[], |reader| [slow_after_semop(reader)])?;
    let writer = keyfile.writer(bytes)?;
    keyfile.complete(&[writer, reader])?;
    keyfile.prints(reader, bytes)
}

/// An input that fits the segment, of any bytes, comes out as it went in, also when the reader goes on at every moment at which it can. Both exit 0.
fn one_piece(lab: &Lab) -> Verdict {
    let bytes = any_bytes(lab, lab.number(266..CAPACITY as u64) as usize);
    on_a_keyfile(lab, |keyfile| {
        let writer = keyfile.writer(&bytes)?;
        // The reader comes before the writer has read anything: nothing is there for it yet.
        let first_read = keyfile.session.arm(hold_at(Read).on(Kind::Standard).of(writer));
        keyfile.session.until_held(first_read)?;
        let reader = keyfile.reader()?;
        keyfile.session.settle()?;
        keyfile.arm(slow(writer, Read));
        keyfile.session.release(first_read)?;
        keyfile.complete(&[writer, reader])?;
        keyfile.prints(reader, &bytes)
    })
    .map_err(|unpassed| when(unpassed, "the reader goes on whenever it can"))?;
    on_a_keyfile(lab, |keyfile| writer_first(keyfile, &bytes))
}

/// The reader may be started first: it creates the set and waits, and the transfer is complete once the writer has come. Both exit 0.
fn reader_first(lab: &Lab) -> Verdict {
    let bytes = burst(lab);
    on_a_keyfile(lab, |keyfile| reader_then_writer(keyfile, &[]))?;
    on_a_keyfile(lab, |keyfile| reader_then_writer(keyfile, &bytes))
}

/// An input of many pieces comes out as it went in, whichever side is slow: the writer waits for the reader before it overwrites a piece, and the reader is
/// done with a piece before it posts FREE.
fn turns_kept(lab: &Lab) -> Verdict {
    let bytes = many_pieces(lab);
    on_a_keyfile(lab, |keyfile| {
        let writer = keyfile.first(Side::Writer, &bytes, |_| None)?;
        let reader = keyfile.reader()?;
        keyfile.arm(slow(reader, Write));
        keyfile.complete(&[writer, reader])?;
        keyfile.prints(reader, &bytes)
    })
    .map_err(|unpassed| when(unpassed, "the reader is slow"))?;
    on_a_keyfile(lab, |keyfile| {
        let reader = keyfile.first(Side::Reader, &[], |_| None)?;
        let writer = keyfile.writer(&bytes)?;
        keyfile.arm(slow(writer, Read));
        keyfile.complete(&[writer, reader])?;
        keyfile.prints(reader, &bytes)
    })
    .map_err(|unpassed| when(unpassed, "the writer is slow"))
}

/// What one read of standard input returns is handed over before the next read, and the reader prints it at once. Only a read that returns 0 ends the
/// transfer.
fn piece_at_once(lab: &Lab) -> Verdict {
    let bursts: Vec<_> = (0..4).map(|_| burst(lab)).collect();
    on_a_keyfile(lab, |keyfile| {
        let (writer, reader) = keyfile.writer_and_reader()?;
        let mut so_far = Vec::new();
        for bytes in &bursts {
            keyfile.feed_through((writer, reader), bytes, &mut so_far)?;
        }
        keyfile.session.end_input(writer);
        keyfile.complete(&[writer, reader])?;
        keyfile.prints(reader, &so_far)
    })
}

/// When both sides have exited, neither the segment nor the set exists.
fn nothing_left(lab: &Lab) -> Verdict {
    let bytes = text(lab, lab.number(8500..9500));
    let clean = |transfer: fn(&mut Keyfile, &[u8]) -> Result<(), Unpassed>, bytes: &[u8]| {
        on_a_keyfile(lab, |keyfile| {
            transfer(keyfile, bytes)?;
            keyfile.nothing_is_left()
        })
    };
    all([&[], &bytes[..]]
        .into_iter()
        .flat_map(|bytes| [writer_first, reader_then_writer].map(|transfer| (transfer, bytes)))
        .map(|(transfer, bytes)| clean(transfer, bytes)))
}

/// A process that finds the set there makes no semop on it until the creator has completed its first one. It waits for that, however long it takes, and
/// then the transfer is complete.
fn creation_race(lab: &Lab) -> Verdict {
    let bytes = burst(lab);
    let at_values = |command: i32| hold_at(Semctl).where_argument(2, command as u64);
    all(Side::BOTH.into_iter().map(|creator| {
        // Values may be set one by one, all at once, or with the semop itself.
        let before_values = vec![at_values(libc::SETVAL), at_values(libc::SETALL), hold_at(Semop)];
        meets_unfinished_set(lab, creator, before_values, &bytes).map_err(|unpassed| when(unpassed, "the creator has not set the values yet"))?;
        meets_unfinished_set(lab, creator, vec![hold_at(Semop)], &bytes)
            .map_err(|unpassed| when(unpassed, "the creator has not made its first semop yet"))?;
        finds_the_set_made_meanwhile(lab, creator, &bytes).map_err(|unpassed| when(unpassed, "both sides are about to create the set"))
    }))
}

/// One side is held where it is about to create the set, the other one creates it and goes on as far as it can, and only then the first one goes on.
fn finds_the_set_made_meanwhile(lab: &Lab, late: Side, bytes: &[u8]) -> Verdict {
    on_a_keyfile(lab, |keyfile| {
        let first = keyfile.start(late, late.name(), bytes)?;
        let creates = hold_at(Semget).where_bits(2, libc::IPC_CREAT as u64, libc::IPC_CREAT as u64).of(first);
        let holds = keyfile.arm(std::iter::once(creates));
        keyfile.session.settle()?;
        let second = keyfile.start(late.other(), late.other().name(), bytes)?;
        keyfile.session.settle()?;
        keyfile.release(holds)?;
        keyfile.complete(&[first, second])?;
        keyfile.prints(if late == Side::Reader { first } else { second }, bytes)
    })
}

/// One side creates the set and is held at one of these calls, the other one comes, and only then the creator goes on.
fn meets_unfinished_set(lab: &Lab, creator: Side, holds: Vec<Fault>, bytes: &[u8]) -> Verdict {
    on_a_keyfile(lab, |keyfile| {
        let first = keyfile.start(creator, creator.name(), bytes)?;
        let holds = keyfile.arm(holds.into_iter().map(|hold| hold.of(first)));
        keyfile.session.settle()?;
        let second = keyfile.start(creator.other(), creator.other().name(), bytes)?;
        keyfile.session.settle()?;
        keyfile.still_runs(second, "it waits until the creator is done")?;
        if keyfile.session.events_of(second).any(|event| event.call == Semop) {
            let expected = "the side that finds the set there makes no semop until the creator's first one is complete";
            let next = "look at sem_otime until it is not 0; semctl(2), IPC_STAT; semget(2), NOTES";
            return Err(Finding::new("race", expected, format!("{} makes one", creator.other().name()), next).into());
        }
        keyfile.release(holds)?;
        keyfile.complete(&[first, second])?;
        keyfile.prints(if creator == Side::Reader { first } else { second }, bytes)
    })
}

/// While the writer waits for input and the reader for a piece, FREE is 1 and FULL is 0, and both stay so when either process is killed.
fn handoff_kept(lab: &Lab) -> Verdict {
    let bursts: Vec<_> = (0..lab.number(2..5)).map(|_| burst(lab)).collect();
    let writer_dies_first = lab.number(0..2) == 0;
    on_a_keyfile(lab, |keyfile| {
        let (writer, reader) = keyfile.writer_and_reader()?;
        for bytes in &bursts {
            keyfile.feed(writer, bytes)?;
        }
        keyfile.still_runs(reader, "the writer's input goes on")?;
        keyfile.turn_is_the_writers("when the writer waits for input and the reader for a piece")?;
        let mut order = [(writer, "after the kill of the writer"), (reader, "after the kill of the reader")];
        if !writer_dies_first {
            order.reverse();
        }
        for (program, circumstance) in order {
            keyfile.kill(program)?;
            keyfile.turn_is_the_writers(circumstance)?;
        }
        Ok(())
    })
}

/// When a writer is killed while it waits for input or for FREE, the next writer carries on with the same transfer: the reader prints what the first one
/// handed over, then all that the next one reads, and both exit 0.
fn killed_writer(lab: &Lab) -> Verdict {
    let (handed_over, lost) = (burst(lab), burst(lab));
    let rest = text(lab, lab.number(4500..5500));
    let whole = [&handed_over[..], &rest].concat();
    on_a_keyfile(lab, |keyfile| {
        let (killed, reader) = keyfile.writer_and_reader()?;
        keyfile.feed(killed, &handed_over)?;
        keyfile.kill(killed)?;
        let next = keyfile.start(Side::Writer, "the next writer", &rest)?;
        keyfile.complete(&[next, reader])?;
        keyfile.prints(reader, &whole)
    })
    .map_err(|unpassed| when(unpassed, "a writer is killed while it waits for input"))?;
    on_a_keyfile(lab, |keyfile| {
        let killed = keyfile.open_writer()?;
        // Nobody takes the first piece, so that FREE does not come back for the second.
        keyfile.feed(killed, &handed_over)?;
        keyfile.feed(killed, &lost)?;
        keyfile.kill(killed)?;
        let reader = keyfile.reader()?;
        keyfile.session.settle()?;
        let next = keyfile.start(Side::Writer, "the next writer", &rest)?;
        keyfile.complete(&[next, reader])?;
        keyfile.prints(reader, &whole)
    })
    .map_err(|unpassed| when(unpassed, "a writer is killed while it waits for FREE"))
}

/// From a writer's first piece to the end of its transfer, no other writer hands anything over: the reader prints the first writer's input and nothing
/// else, and both exit 0.
fn second_writer_waits(lab: &Lab) -> Verdict {
    let (one, two, foreign) = (burst(lab), burst(lab), burst(lab));
    on_a_keyfile(lab, |keyfile| {
        let (writer, reader) = keyfile.writer_and_reader()?;
        keyfile.feed(writer, &one)?;
        // What becomes of the second writer is another promise.
        keyfile.start(Side::Writer, second(Side::Writer), &foreign)?;
        keyfile.session.settle()?;
        keyfile.arm([slow_after_semop(writer)]);
        keyfile.session.feed(writer, &two);
        keyfile.session.settle()?;
        keyfile.session.end_input(writer);
        keyfile.session.settle()?;
        keyfile.prints(reader, &[one, two].concat())?;
        keyfile.complete(&[writer, reader])
    })
    .map_err(|unpassed| when(unpassed, "a second writer comes during the transfer"))
}

/// A writer that has not got LOCK yet, and a reader that has not got its first piece yet, start over when the set is removed, at whatever call they are.
/// The segment is removed before the set, so that the next transfer begins with new ones; it is complete, both exit 0, and nothing is left.
fn starts_over(lab: &Lab) -> Verdict {
    let bytes = [burst(lab), text(lab, lab.number(8500..9500))];
    queued_writer(lab, &bytes).map_err(|unpassed| when(unpassed, "the second writer waits for LOCK while the first one removes the set"))?;
    late(lab, Side::Reader, None, &bytes)
        .map_err(|unpassed| when(unpassed, "the second reader waits for a piece while the writer removes the set"))?;
    // Whoever comes from EEXIST gets the set without IPC_CREAT.
    let opening = || hold_at(Semget).where_bits(2, libc::IPC_CREAT as u64, 0);
    all(Side::BOTH
        .into_iter()
        .flat_map(|side| {
            [(side, hold_at(Semop), "first semop"), (side, hold_at(Semctl), "first semctl"), (side, opening(), "semget of a set that exists")]
        })
        .map(|(side, hold, place)| {
            let circumstance = format!("{} comes to its {place} only once the set is removed", second(side));
            late(lab, side, Some(hold), &bytes).map_err(|unpassed| when(unpassed, &circumstance))
        }))
}

/// What messages call who comes to the second transfer.
fn second(side: Side) -> &'static str {
    match side {
        Side::Writer => "the second writer",
        Side::Reader => "the second reader",
    }
}

/// Two writers, then a second reader for the second one. The first writer is slow to remove what it used.
fn queued_writer(lab: &Lab, [first_input, second_input]: &[Vec<u8>; 2]) -> Verdict {
    on_a_keyfile(lab, |keyfile| {
        let (writer, reader) = keyfile.writer_and_reader()?;
        keyfile.feed(writer, first_input)?;
        let second_writer = keyfile.start(Side::Writer, second(Side::Writer), second_input)?;
        keyfile.session.settle()?;
        let removal = libc::IPC_RMID as u64;
        keyfile.arm([delay_at(Shmctl).where_argument(1, removal).of(writer), delay_at(Semctl).where_argument(2, removal).of(writer)]);
        keyfile.session.end_input(writer);
        keyfile.complete(&[writer, reader])?;
        keyfile.prints(reader, first_input)?;
        next_transfer(keyfile, Side::Writer, second_writer, second_input)
    })
}

/// A process comes when the first transfer is over but for the removal of its set. It goes on until it waits, or comes to a call at which it is held
/// until the set is gone; then it belongs to the next transfer.
fn late(lab: &Lab, side: Side, hold: Option<Fault>, [first_input, second_input]: &[Vec<u8>; 2]) -> Verdict {
    on_a_keyfile(lab, |keyfile| {
        let writer = keyfile.first(Side::Writer, first_input, |_| None)?;
        let reader = keyfile.reader()?;
        let removal = keyfile.session.arm(hold_at(Semctl).where_argument(2, libc::IPC_RMID as u64).of(writer));
        keyfile.session.until_held(removal)?;
        keyfile.session.settle()?;
        let late = keyfile.start(side, second(side), second_input)?;
        let holds = keyfile.arm(hold.map(|hold| hold.of(late)));
        keyfile.session.settle()?;
        keyfile.session.release(removal)?;
        keyfile.complete(&[writer, reader])?;
        keyfile.release(holds)?;
        next_transfer(keyfile, side, late, second_input)
    })
}

/// Someone waits for the next transfer; its other side comes, and it is a whole one.
fn next_transfer(keyfile: &mut Keyfile, side: Side, first: Program, bytes: &[u8]) -> Result<(), Unpassed> {
    keyfile.session.settle()?;
    keyfile.still_runs(first, "it starts over and waits for the other side")?;
    let other = keyfile.start(side.other(), second(side.other()), bytes)?;
    keyfile.complete(&[first, other])?;
    keyfile.prints(if side == Side::Reader { first } else { other }, bytes)?;
    keyfile.nothing_is_left()
}

/// A write that takes only part of a piece is continued with the rest, and a read that returns little is a small piece; what comes out is what went in.
fn short_writes(lab: &Lab) -> Verdict {
    let bytes = text(lab, 9000);
    let most = lab.number(1..700);
    // Where a program moves less at a time anyway, nothing can be shortened.
    transfer_with(lab, &bytes, |side| match side {
        Side::Writer => Some(short(Read, 997).on(Kind::Standard).every().if_called()),
        Side::Reader => Some(short(Write, most).on(Kind::Standard).every().if_called()),
    })
}

/// A semop, read or write that fails with EINTR is made again, and the transfer is complete.
fn interrupted(lab: &Lab) -> Verdict {
    let bytes = text(lab, 9000);
    let every_other = |call| fail(call, libc::EINTR).alternately();
    transfer_with(lab, &bytes, |side| (side == Side::Writer).then(|| every_other(Read).on(Kind::Standard)))?;
    transfer_with(lab, &bytes, |side| (side == Side::Reader).then(|| every_other(Write).on(Kind::Standard)))?;
    transfer_with(lab, &bytes, |_| Some(every_other(Semop)))
}

/// A whole transfer in which the writer comes first, with a fault in either side from its start on.
fn transfer_with(lab: &Lab, bytes: &[u8], fault: impl Fn(Side) -> Option<Fault>) -> Verdict {
    let mut faults: Vec<_> = Side::BOTH.into_iter().filter_map(|side| Some(fault(side)?.describe())).collect();
    faults.dedup();
    on_a_keyfile(lab, |keyfile| {
        let writer = keyfile.first(Side::Writer, bytes, |writer| fault(Side::Writer).map(|fault| fault.of(writer)))?;
        let reader = keyfile.reader()?;
        keyfile.arm(fault(Side::Reader).map(|fault| fault.of(reader)));
        keyfile.complete(&[writer, reader])?;
        keyfile.prints(reader, bytes)
    })
    .map_err(|unpassed| when(unpassed, &faults.join(" and ")))
}

/// The two sides may go on in any order, from one access to the segment to the next: what comes out is what went in, and a process reads and writes the
/// segment only while it has the turn, after it has taken FREE or FULL and before it posts the other one.
fn any_order(lab: &Lab) -> Verdict {
    let bytes = text(lab, 100);
    all((0..SCHEDULES).map(|number| {
        let order = if number % 2 == 0 { Side::BOTH } else { [Side::Reader, Side::Writer] };
        on_a_keyfile_in_forced_order(lab, |keyfile| {
            let started: Vec<Program> = order.into_iter().map(|side| keyfile.start(side, side.name(), &bytes)).collect::<Result<_, _>>()?;
            let [writer, reader] = if order[0] == Side::Writer { [started[0], started[1]] } else { [started[1], started[0]] };
            // Several pieces, of few bytes: each access to the segment is a point at which the other side may go on.
            keyfile.arm([short(Read, 40).every().on(Kind::Standard).of(writer).if_called()]);
            keyfile.complete(&[writer, reader])?;
            keyfile.prints(reader, &bytes)?;
            without_races(keyfile.session)
        })
    }))
    .map_err(|unpassed| when(unpassed, "the two sides go on in an order that is forced, one at a time"))
}

/// Either side carries out a transfer with one that is written in Perl: the semaphores have the numbers, and the segment the layout, that the handout gives
/// them. While one waits, `ipcs` shows a segment of 4096 bytes and a set, both with mode 0600.
fn tools(lab: &Lab) -> Verdict {
    meets_the_handout(lab)
}

/// When ftok, semget, semctl, semop, shmget, shmat, shmctl, read or write fails, the program prints `xfr: call: message (ERRNO)` on standard error and
/// exits 1; so does a KEYFILE that does not exist (`xfr: ftok: …`).
fn errors_reported(lab: &Lab) -> Verdict {
    for side in Side::BOTH {
        lab.run("xfr").args([side.word(), "no-such-file"]).exits(1).complains(&["xfr: ftok:"]).verdict()?;
    }
    let (semget, semctl) = ((Semget, libc::ENOSPC), (Semctl, libc::EPERM));
    // EINTR would mean "again", EIDRM and EINVAL "start over".
    let semop = (Semop, libc::ERANGE);
    let (shmget, shmat, shmctl) = ((Shmget, libc::ENOSPC), (Shmat, libc::ENOMEM), (Shmctl, libc::EPERM));
    let (read, write) = ((Read, libc::EIO), (Write, libc::ENOSPC));
    all([semget, semctl, semop, shmget, shmat, read].into_iter().map(|failing| reports(lab, Side::Writer, Place::Alone, failing)))?;
    all([semget, semctl, semop].into_iter().map(|failing| reports(lab, Side::Reader, Place::Alone, failing)))?;
    all([semget, semctl, semop, shmget, shmat, write].into_iter().map(|failing| reports(lab, Side::Reader, Place::Second, failing)))?;
    reports(lab, Side::Writer, Place::Second, shmctl)
}

/// Who is there when a process comes whose calls fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Alone,
    Second,
}

/// One side, all of whose calls of one kind fail; what the other one makes of that is not looked at.
fn reports(lab: &Lab, side: Side, place: Place, (call, errno): (Call, i32)) -> Verdict {
    let fault = match call {
        Read => fail(call, errno).on(Kind::Standard),
        // Standard error is to take the message.
        Write => fail(call, errno).on_standard_output(),
        _ => fail(call, errno),
    };
    let circumstance = fault.describe();
    let beginning = format!("xfr: {}:", call.word());
    on_a_keyfile(lab, |keyfile| {
        if place == Place::Second {
            keyfile.first(side.other(), b"abc", |_| None)?;
        }
        let failing = keyfile.start(side, side.name(), b"abc")?;
        keyfile.arm([fault.every().of(failing)]);
        keyfile.ends(failing, 1)?;
        complains(keyfile.session, failing, &[&beginning])
    })
    .map_err(|unpassed| when(unpassed, &circumstance))
}

/// Any other command line than `xfr write KEYFILE` and `xfr read KEYFILE` prints `usage: xfr write|read KEYFILE` on standard error and exits 2.
fn usage(lab: &Lab) -> Verdict {
    let lines: [&[&str]; 5] = [&["write"], &["copy", "key"], &["read", "key", "more"], &["key"], &[]];
    let refused =
        |arguments: &[&str]| lab.run("xfr").args(arguments.iter().copied()).exits(2).complains(&["usage: xfr write|read KEYFILE"]).verdict();
    all(lines.into_iter().map(refused))
}
