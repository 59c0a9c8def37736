//! Checks for the lab on races, one for each promise in its README.
//!
//! Whether an addition can get lost is no matter of luck here. Either a process is held where it hurts (just after it got its lock), or it is as slow as
//! it can be at each of its calls, or a forced schedule decides who goes on; what is judged is the total.

use harness::prelude::*;

#[path = "checks/steps.rs"]
mod steps;
use steps::*;

harness::checks! {
    one_process_counts, file_holds_count, children_at_once, children_reaped, child_death, none_takes_no_lock, none_loses, lock_excludes, lock_exact,
    sem_exact, atomic_exact, file_shared, interrupted, errors_reported, usage,
}

/// With `-p 1` nothing can be lost, whatever stands after `--sync`: for a FILE that is new the parent prints TIMES on a line of its own and nothing else, and
/// exits 0.
fn one_process_counts(lab: &Lab) -> Verdict {
    each(MODES, |sync| {
        let count = Count { procs: 1, times: lab.number(2..50), sync };
        let verdict = count.run(lab, &[], |session, program| prints_total(session, program, &count, count.sum()));
        verdict.map_err(|unpassed| in_mode(unpassed, sync))
    })
}

fn in_mode(unpassed: Unpassed, sync: &str) -> Unpassed {
    when(unpassed, &format!("`--sync {sync}` is given"))
}

/// The count goes on from what FILE holds, a 64-bit number in the machine's byte order, and from 0 if FILE is new (then it is made with mode 0666) or empty.
/// Afterwards FILE is 8 bytes long and holds the total that was printed, and nothing else is left behind.
fn file_holds_count(lab: &Lab) -> Verdict {
    let count = |sync| Count { procs: 1, times: lab.number(2..50), sync };
    each(MODES, |sync| goes_on_from(lab, &count(sync), Some(lab.number(1 << 33..1 << 40))))?;
    goes_on_from(lab, &count("none"), None)?;
    let no_times = Count { times: 0, ..count("lock") };
    goes_on_from(lab, &no_times, Some(lab.number(1 << 33..1 << 40))).map_err(|unpassed| when(unpassed, "TIMES is 0"))?;
    each(["none", "sem"], |sync| {
        let count = count(sync);
        count.run(lab, &[], |session, program| {
            total_is(session, program, &count, count.sum())?;
            made_for_all(session)?;
            nothing_but_file(session)
        })
    })
}

/// Fails unless a call made FILE with mode 0666. What the umask takes away is the caller's affair, and not seen here.
fn made_for_all(session: &mut Session) -> Looked {
    // libc's open is openat on every architecture.
    let mode_of = |event: &Event| (event.arguments[2] as i32 & libc::O_CREAT != 0).then_some(event.arguments[3] & 0o7777);
    let opened = |event: &Event| event.number == libc::SYS_openat as u64 && event.succeeded() && event.path() == Some(FILE);
    let mut made = session.events().iter().enumerate().filter(|(_, event)| opened(event));
    let Some((place, mode)) = made.find_map(|(place, event)| Some((place, mode_of(event)?))) else { return Ok(()) };
    if mode == 0o666 {
        return Ok(());
    }
    let label = session.label(place, "FILE is made here");
    let next = "who may count in FILE is for the umask to say: leave the bits to it, and write the mode in octal, 0o666; open(2), O_CREAT";
    Err(Finding::new("mode", "a FILE that is new is made with mode 0666", format!("it is made with mode {mode:04o}"), next).at(label).into())
}

/// A count in a FILE that holds this, or is empty.
fn goes_on_from(lab: &Lab, count: &Count, before: Option<u64>) -> Verdict {
    let circumstance = before.map_or_else(|| "FILE is empty".to_owned(), |before| format!("FILE holds {before}"));
    let verdict = lab.session(|session| {
        match before {
            Some(before) => make_file(session, before)?,
            None => drop(session.make_file(FILE, b"")?),
        }
        let program = count.start(session, "counter")?;
        session.exit(program)?;
        session.all_end()?;
        total_is(session, program, count, before.unwrap_or(0) + count.sum())?;
        nothing_but_file(session)?;
        session.pass()
    });
    verdict.map_err(|unpassed| in_mode(when(unpassed, &circumstance), count.sync))
}

fn nothing_but_file(session: &mut Session) -> Looked {
    // The reference to FILE itself is what the program was asked for.
    let left: Vec<String> = session.leftovers().iter().filter(|left| **left != Leftover::File(FILE.into())).map(ToString::to_string).collect();
    if left.is_empty() {
        return Ok(());
    }
    let next = "a semaphore without a name goes with its mapping; one that has a name needs sem_unlink(3)";
    Err(Finding::new("left-behind", "nothing but FILE is left", format!("left behind: {}", left.join(" and ")), next).into())
}

/// The parent forks PROCS children before it waits for any of them: all of them count at the same time.
fn children_at_once(lab: &Lab) -> Verdict {
    each(MODES, |sync| {
        let count = Count { procs: lab.number(3..7), ..Count::few(lab, sync) };
        let verdict = lab.session(|session| {
            // Whoever has counted stays until all have.
            let ends = session.arm(hold_at(ExitGroup).by(Who::Children).every());
            let program = count.start(session, "counter")?;
            session.settle()?;
            let alive = children_alive(session, program) as u64;
            if alive != count.procs {
                let expected = format!("{} children, none of which is waited for before all are there", count.procs);
                let next = "fork all of them first, and wait for them then; fork(2), waitpid(2)";
                let lines = session.waiting_lines();
                let observed = format!("while no child can end, there are {alive}");
                return Err(Finding::new("children", expected, observed, next).with(lines).into());
            }
            session.release(ends)?;
            session.all_end()?;
            exits(session, program, Exit::Status(0))?;
            session.pass()
        });
        verdict.map_err(|unpassed| in_mode(unpassed, sync))
    })
}

/// The parent sleeps until a child has ended, waits for each of them, and prints the total when the last one has ended. No zombie is left when it exits.
fn children_reaped(lab: &Lab) -> Verdict {
    each(MODES, |sync| {
        let count = Count::few(lab, sync);
        let verdict = lab.session(|session| {
            let end = session.arm(hold_at(ExitGroup).by(Who::Children).nth(lab.number(1..count.procs + 1) as u32));
            let program = count.start(session, "counter")?;
            session.until_held(end)?;
            session.settle()?;
            parent_sleeps(session, program)?;
            if !session.stdout(program).is_empty() {
                let next = "wait for every child, and look at the counter then; waitpid(2)";
                return Err(Finding::new(
                    "order",
                    "the total is printed when the last child has ended",
                    "it is printed while a child is alive",
                    next,
                )
                .into());
            }
            session.release(end)?;
            session.all_end()?;
            reaps_its_children(session, program)?;
            exits(session, program, Exit::Status(0))?;
            session.pass()
        });
        verdict.map_err(|unpassed| in_mode(when(unpassed, "one child ends late"), sync))
    })
}

/// Fails unless the parent, whose last child is held, sleeps without a time limit.
fn parent_sleeps(session: &mut Session, program: Program) -> Looked {
    /// More calls than any program makes from its last fork to its wait, and fewer than a busy one until the session takes it for settled.
    const MANY: usize = 200;
    let since = session.events().iter().rposition(|event| event.call == Fork).unwrap_or(0);
    if session.events()[since..].iter().filter(|event| !is_childs(session, event)).count() > MANY {
        let next = "wait with waitpid without WNOHANG: the call comes back when a child has ended; waitpid(2)";
        return Err(Finding::new("busy-waiting", "the parent sleeps until a child has ended", "it asks again and again", next).into());
    }
    if session.has_ended(program) {
        return Err(Finding::new("order", "the parent waits for every child", "it has ended while a child is alive", "count the waits; waitpid(2)")
            .with(session.end_lines(program))
            .into());
    }
    session.until_asleep("the parent sleeps until a child has ended")
}

/// If a child is killed, or exits with another status than 0, the parent waits for the others, prints a line that begins with `counter: child` on standard
/// error and no total, and exits 1.
fn child_death(lab: &Lab) -> Verdict {
    let status = lab.number(2..100) as u8;
    let exits = ("lock", "a child exits with another status than 0", exit_with(status));
    let cases = MODES.map(|sync| (sync, "a child is killed", kill_at(ExitGroup))).into_iter().chain([exits]);
    each(cases, |(sync, circumstance, fault)| {
        let verdict = child_dies(lab, &Count::few(lab, sync), fault.by(Who::Children));
        verdict.map_err(|unpassed| in_mode(when(unpassed, circumstance), sync))
    })
}

/// The first child to end is the first that was forked, and the others end as late as they can.
fn child_dies(lab: &Lab, count: &Count, dies: Fault) -> Verdict {
    lab.session(|session| {
        session.arm(dies);
        session.arm(delay_at(ExitGroup).by(Who::Children).if_called());
        let second_fork = session.arm(hold_at(Fork).by(Who::Parent).nth(2).if_called());
        let program = count.start(session, "counter")?;
        session.settle()?;
        session.release(second_fork)?;
        session.all_end()?;
        fails(session, program, &["counter: child"])?;
        reaps_its_children(session, program)?;
        session.pass()
    })
}

/// With `--sync none` no child takes a lock. In whatever order the processes run, the program ends well, prints what FILE then holds, and that is at most
/// PROCS × TIMES more than before, and at least 1 more (2, if TIMES is more than 1).
fn none_takes_no_lock(lab: &Lab) -> Verdict {
    let count = Count::few(lab, "none");
    count.run(lab, &[], |session, _| {
        let takes_lock = |event: &&Event| event.call == Fcntl && LOCKING.contains(&(event.arguments[1] as i32)) && is_childs(session, event);
        let Some(taken) = session.events().iter().position(|event| takes_lock(&event)) else { return Ok(()) };
        let label = session.label(taken, "a lock is taken here");
        let next = "let `none` just add: it is there to show what that leads to";
        Err(Finding::new("lock", "with `--sync none` no child takes a lock", "a child calls fcntl with a locking command", next).at(label).into())
    })?;
    count.run_under_schedules(lab, SCHEDULES, &[], |session, program| {
        let total = total(session, program)?;
        file_holds(session, total)?;
        let (least, most) = (count.times.min(2), count.sum());
        if (least..=most).contains(&total) {
            return Ok(());
        }
        let next = "each child adds 1 TIMES times to the counter that all share, and the parent prints what it holds when they have ended";
        Err(Finding::new("total", format!("a total from {least} to {most}"), format!("the total is {total}"), next).into())
    })
}

/// With `--sync none` the load and the store of an addition are two steps, and there are orders of the processes in which additions get lost.
fn none_loses(lab: &Lab) -> Verdict {
    let count = Count { procs: 3, times: lab.number(5..8), sync: "none" };
    let mut verdict = Err(Unpassed::Broken("there is no schedule".into()));
    for _ in 0..SCHEDULES {
        let seed = lab.schedule_seed();
        verdict = lab.session(|session| {
            session.schedule_by(seed);
            let program = count.start(session, "counter")?;
            session.all_end()?;
            if total(session, program)? < count.sum() {
                return session.pass();
            }
            let next = "load the counter, add 1 to what was loaded, and store it, with nothing around the three; an atomic addition is not what `none` means";
            let expected = format!("in one of {SCHEDULES} forced orders the total is less than {}", count.sum());
            Err(Finding::new(EXACT, expected, "it is exact in all of them", next).into())
        });
        match &verdict {
            Err(Unpassed::Fail(finding)) if finding.kind == EXACT => {}
            _ => return verdict,
        }
    }
    verdict
}

/// The kind of the finding that nothing got lost.
const EXACT: &str = "nothing-lost";

/// With `--sync lock` each child takes a record lock on the counter's bytes of FILE itself. As long as one child has it, the others sleep in fcntl. When it
/// gives the lock back, or is killed, they go on.
fn lock_excludes(lab: &Lab) -> Verdict {
    // Many times: nobody is through before the last one has come.
    let count = Count { times: 20, ..Count::few(lab, "lock") };
    lab.session(|session| {
        let (program, inside) = start_with_one_inside(session, &count, "counter")?;
        sleep_in_fcntl(session, program, count.procs - 1)?;
        counter_is_locked(session)?;
        leave(session, inside)?;
        session.all_end()?;
        exits(session, program, Exit::Status(0))?;
        session.pass()
    })?;
    let verdict = lab.session(|session| {
        let (program, inside) = start_with_one_inside(session, &count, "counter")?;
        // The others are in their call already: the next call is made by the one that has the lock.
        session.arm(kill_at(Call::ALL).on_anything().by(Who::Children));
        leave(session, inside)?;
        session.all_end()?;
        exits(session, program, Exit::Status(1))?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, "the child that has the lock is killed"))
}

/// With `--sync lock` the total is exactly PROCS × TIMES more than before, in whatever order the processes run.
fn lock_exact(lab: &Lab) -> Verdict {
    let count = Count::few(lab, "lock");
    let exact = |session: &mut Session, program: Program| total_is(session, program, &count, count.sum());
    let slow = || delay_at(Call::ALL).on_anything().by(Who::Children).if_called();
    count.run_under_schedules(lab, 1, &[slow()], exact).map_err(|unpassed| when(unpassed, "a child is slow before each of its calls"))?;
    count.run_under_schedules(lab, 1, &[slow().afterwards()], exact).map_err(|unpassed| when(unpassed, "a child is slow after each of its calls"))?;
    count.run_under_schedules(lab, SCHEDULES, &[], exact)
}

/// With `--sync sem` the total is exactly PROCS × TIMES more than before, in whatever order the processes run, and no child waits for ever.
fn sem_exact(lab: &Lab) -> Verdict {
    let count = Count::few(lab, "sem");
    count.run_under_schedules(lab, SCHEDULES, &[], |session, program| total_is(session, program, &count, count.sum()))
}

/// With `--sync atomic` the total is exactly PROCS × TIMES more than before, in whatever order the processes run.
fn atomic_exact(lab: &Lab) -> Verdict {
    let count = Count::few(lab, "atomic");
    count.run_under_schedules(lab, SCHEDULES, &[], |session, program| total_is(session, program, &count, count.sum()))
}

/// Two programs may count in one FILE at the same time, both with `--sync lock` or both with `--sync atomic`. Then nothing is lost either: both exit 0, and
/// FILE holds what it held before and all that both have added.
fn file_shared(lab: &Lab) -> Verdict {
    each(["lock", "atomic"], |sync| {
        let pair = Pair { counts: [Count::few(lab, sync), Count::few(lab, sync)], before: lab.number(1..1000) };
        // A child that gives the lock back by its end cannot be held there.
        if sync == "atomic" {
            pair.one_after_the_other(lab)
                .map_err(|unpassed| in_mode(when(unpassed, "one program begins and ends while another one counts"), sync))?;
        }
        let together = under_schedules(lab, SCHEDULES / 2, |session| {
            let programs = pair.start(session)?;
            pair.end_well(session, programs)
        });
        together.map_err(|unpassed| in_mode(unpassed, sync))
    })?;
    let pair = Pair { counts: [Count::few(lab, "lock"), Count::few(lab, "lock")], before: lab.number(1..1000) };
    let verdict = lab.session(|session| {
        make_file(session, pair.before)?;
        let (first, inside) = start_with_one_inside(session, &pair.counts[0], FIRST)?;
        let second = pair.counts[1].start(session, SECOND)?;
        session.settle()?;
        sleep_in_fcntl(session, second, pair.counts[1].procs)?;
        leave(session, inside)?;
        pair.end_well(session, [first, second])?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, "a child of another program has the lock"))
}

const FIRST: &str = "the first counter";
const SECOND: &str = "the second counter";

/// Two programs on one FILE.
struct Pair {
    counts: [Count; 2],
    before: u64,
}

impl Pair {
    fn start(&self, session: &mut Session) -> Result<[Program; 2], Unpassed> {
        make_file(session, self.before)?;
        Ok([self.counts[0].start(session, FIRST)?, self.counts[1].start(session, SECOND)?])
    }

    /// The first program's children have counted, but cannot end before the second program has.
    fn one_after_the_other(&self, lab: &Lab) -> Verdict {
        lab.session(|session| {
            make_file(session, self.before)?;
            let first = self.counts[0].start(session, FIRST)?;
            let ends = session.arm(hold_at(ExitGroup).by(Who::Children).of(first).every());
            session.settle()?;
            let second = self.counts[1].start(session, SECOND)?;
            session.exit(second)?;
            session.release(ends)?;
            self.end_well(session, [first, second])?;
            session.pass()
        })
    }

    fn end_well(&self, session: &mut Session, programs: [Program; 2]) -> Looked {
        session.all_end()?;
        for program in programs {
            exits(session, program, Exit::Status(0))?;
        }
        let expected = self.before + self.counts[0].sum() + self.counts[1].sum();
        let bytes = std::fs::read(session.path(FILE)).unwrap_or_default();
        match <[u8; 8]>::try_from(bytes.as_slice()).map(u64::from_ne_bytes) {
            Ok(held) if held != expected => Err(miscounted("what FILE holds", &self.counts[0], expected, held).into()),
            _ => file_holds(session, expected),
        }
    }
}

/// A waitpid, an fcntl that waits for the lock, or a sem_wait that fails with EINTR is made again: the total is exact, and the program exits 0.
fn interrupted(lab: &Lab) -> Verdict {
    let atomic = Count::few(lab, "atomic");
    let exact = |count: Count| move |session: &mut Session, program: Program| total_is(session, program, &count, count.sum());
    let every_other_wait = fail(Wait, libc::EINTR).by(Who::Parent).alternately();
    atomic.run(lab, &[every_other_wait], exact(atomic)).map_err(|unpassed| when(unpassed, "every other waitpid fails with EINTR"))?;
    // Only the first: it is the one that asks for the lock, and giving it back does not wait.
    let waits = |command: i32| {
        let locks = fail(Fcntl, libc::EINTR).on(Kind::File).where_argument(1, command as u64);
        locks.by(Who::Children).if_called()
    };
    let lock = Count::few(lab, "lock");
    let faults = [waits(libc::F_SETLKW), waits(libc::F_OFD_SETLKW)];
    lock.run(lab, &faults, exact(lock)).map_err(|unpassed| when(unpassed, "an fcntl that waits for the lock fails with EINTR"))?;
    let sem = Count::few(lab, "sem");
    // FUTEX_WAIT_BITSET between processes: what sem_wait sleeps in when it has to.
    let sleeps = fail(FUTEX, libc::EINTR).where_bits(1, 0xff, libc::FUTEX_WAIT_BITSET as u64).by(Who::Children).if_called();
    sem.run_under_schedules(lab, SCHEDULES, &[sleeps], exact(sem)).map_err(|unpassed| when(unpassed, "a sem_wait fails with EINTR"))
}

/// If open, ftruncate, mmap, fork, fcntl, waitpid or writing the total fails, the process in which it fails prints `counter: call: message (ERRNO)` on
/// standard error, and the program prints no total and exits 1; when fork fails, it first waits for the children that are there. A FILE that is neither
/// empty nor 8 bytes long is refused: a line that begins with `counter: ` on standard error, exit status 1, and FILE stays as it is.
fn errors_reported(lab: &Lab) -> Verdict {
    lab.session(|session| {
        let arguments = ["-p", "1", "-n", "1", "--sync", "none", "no/such/folder/count"];
        let program = session.program("counter").args(arguments).start()?;
        session.exit(program)?;
        session.all_end()?;
        fails(session, program, &["counter: open:"])?;
        session.pass()
    })?;
    let mapping = fail(MMAP, libc::ENOMEM).where_bits(3, libc::MAP_TYPE as u64, libc::MAP_SHARED as u64);
    let fcntl = |command: i32| fail(Fcntl, libc::ENOLCK).on(Kind::File).where_argument(1, command as u64).by(Who::Children).if_called();
    let cases: [(&str, Vec<Fault>, &[&str]); 7] = [
        ("none", vec![fail(Truncate, libc::ENOSPC)], &["counter: ftruncate:"]),
        ("none", vec![mapping], &["counter: mmap:"]),
        ("atomic", vec![fail(Fork, libc::EAGAIN)], &["counter: fork:"]),
        ("atomic", vec![fail(Fork, libc::EAGAIN).nth(2)], &["counter: fork:"]),
        ("lock", vec![fcntl(libc::F_SETLKW), fcntl(libc::F_OFD_SETLKW)], &["counter: fcntl:", "counter: lockf:"]),
        ("atomic", vec![fail(Wait, libc::ECHILD)], &["counter: waitpid:", "counter: wait:", "counter: waitid:", "counter: wait4:"]),
        ("none", vec![fail(Write, libc::ENOSPC).on_standard_output().every()], &["counter: write:"]),
    ];
    each(cases, |(sync, faults, beginnings)| {
        let (count, circumstance) = (Count::few(lab, sync), faults[0].describe());
        let fork_fails = circumstance.starts_with("fork");
        let verdict = lab.session(|session| {
            session.trace_too(MMAP);
            let program = count.start(session, "counter")?;
            for fault in &faults {
                session.arm(fault.clone());
            }
            session.exit(program)?;
            session.all_end()?;
            fails(session, program, beginnings)?;
            if fork_fails {
                reaps_its_children(session, program)?;
            }
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &circumstance))
    })?;
    each([lab.number(1..8), lab.number(9..5000)], |length| refuses(lab, length as usize))
}

/// The call that maps memory.
const MMAP: Call = Call::Other(libc::SYS_mmap as u32);

/// A FILE of another length than a counter's.
fn refuses(lab: &Lab, length: usize) -> Verdict {
    let content = lab.bytes(length);
    let verdict = lab.session(|session| {
        session.make_file(FILE, &content)?;
        let program = Count::few(lab, "atomic").start(session, "counter")?;
        session.exit(program)?;
        session.all_end()?;
        fails(session, program, &["counter: "])?;
        if std::fs::read(session.path(FILE))? != content {
            let next = "look at the file's length before you change anything; fstat(2)";
            return Err(Finding::new("file", "a FILE that is refused stays as it is", "it has changed", next).into());
        }
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, &format!("FILE is {length} byte{} long", if length == 1 { "" } else { "s" })))
}

/// Wrong usage (an option or FILE missing, a word that `--sync` does not know, a PROCS or TIMES that is not a number, PROCS 0, a second FILE) prints a line
/// that begins with `usage: counter` on standard error and nothing on standard output, makes no file, and exits 2.
fn usage(lab: &Lab) -> Verdict {
    let word = lab.word();
    let lines: [&[&str]; 10] = [
        &[],
        &["-p", "2", "-n", "3", "--sync", "none"],
        &["-p", "2", "-n", "3", FILE],
        &["-p", "2", "--sync", "lock", FILE],
        &["-n", "3", "--sync", "lock", FILE],
        &["-p", "2", "-n", "3", "--sync", &word, FILE],
        &["-p", &word, "-n", "3", "--sync", "sem", FILE],
        &["-p", "2", "-n", "-3", "--sync", "sem", FILE],
        &["-p", "0", "-n", "3", "--sync", "atomic", FILE],
        &["-p", "2", "-n", "3", "--sync", "atomic", FILE, "other"],
    ];
    each(lines, |arguments| {
        let run = lab.run("counter").args(arguments.iter().copied()).exits(2).complains(&["usage: counter"]).prints("").leaves_nothing();
        run.verdict().map_err(|unpassed| when(unpassed, &format!("the command line is `counter {}`", arguments.join(" "))))
    })
}
