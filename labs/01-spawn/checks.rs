//! Checks for the spawn lab, one for each promise in its README.
//!
//! The commands are `sh` and coreutils. Where copies have to do different things, each of them takes a seat (mkdir gives a name to one process and to no
//! other) and gets its order through a FIFO of its own; where they only have to stay alive, they read from a FIFO that the check holds open. What spawn has to
//! print is worked out from how its children ended, as the kernel told it.

use harness::prelude::*;

#[path = "checks/steps.rs"]
mod steps;
use steps::*;

harness::checks! {
    copies_run, arguments_untouched, all_at_once, copies_reaped, ends_told_apart, start_order, failed_child_ends, exec_error_reported, descriptors_closed,
    signals_reset, own_children_only, interrupted_calls, fork_fails, errors_reported, usage
}

/// spawn runs N copies of CMD, which it looks up along PATH, and prints a line for each, N in all. If every copy exits with 0, each of these lines is
/// `exit 0`, and spawn exits 0.
fn copies_run(lab: &Lab) -> Verdict {
    let word = lab.word();
    each([1, lab.number(3..8), lab.number(20..40)], |n| {
        let output = format!("{}{}", format!("{word}\n").repeat(n as usize), "exit 0\n".repeat(n as usize));
        settled(spawn(lab, n, &["echo", &word]).when(format!("N is {n}")).expect(runs_copies(n)).prints(output).exits(0))
    })
}

/// Every copy gets the arguments as spawn got them, byte for byte: an argument may be empty, begin with a dash, be `--`, hold spaces and characters that mean
/// something to a shell, and it need not be UTF-8.
fn arguments_untouched(lab: &Lab) -> Verdict {
    let word = lab.word();
    let unusual = ["", "-n", "--", "two words", "$HOME", "*", "a\tb", "it's", "\"", "\\n", "x;y", "é→🦀", "", &word];
    let mut arguments: Vec<Vec<u8>> = unusual.iter().map(|text| text.as_bytes().to_vec()).collect();
    arguments.push(vec![b'm', 0xff, 0xfe, b'n']);
    let shown: Vec<u8> = arguments.iter().flat_map(|argument| [b"[", argument.as_slice(), b"]\n"].concat()).collect();
    lab.session(|session| {
        let mut start = session.program("spawn").args(["-n", "1", "--", "printf", "[%s]\\n"]);
        for argument in arguments {
            start = start.arg_bytes(argument);
        }
        let program = start.start()?;
        session.all_end()?;
        prints(session, program, &[&*shown, b"exit 0\n"].concat())?;
        exits(session, program, Exit::Status(0))?;
        session.pass()
    })
}

/// All N copies run at the same time: spawn starts every one of them, whether or not the others have ended.
fn all_at_once(lab: &Lab) -> Verdict {
    let n = lab.number(3..8);
    lab.session(|session| {
        let (program, gate) = start_waiting(session, n)?;
        all_wait_at_a_gate(session, program, n as usize)?;
        drop(gate);
        session.all_end()?;
        runs_copies(n)(session, program)?;
        prints(session, program, "exit 0\n".repeat(n as usize).as_bytes())?;
        exits(session, program, Exit::Status(0))?;
        session.pass()
    })
}

/// spawn waits for every copy, however long that takes, in a call that blocks without a time limit. When spawn exits, all copies have ended and no zombie is
/// left.
fn copies_reaped(lab: &Lab) -> Verdict {
    let n = lab.number(3..7);
    let run = spawn(lab, n, &["true"]).when("all copies have ended before spawn first waits for one");
    settled(run.reaps_its_children().expect(ends_last).exits(0))?;
    let verdict = lab.session(|session| {
        let (program, gate) = start_waiting(session, n)?;
        session.settle()?;
        does_not_ask_again_and_again(session, program)?;
        session.until_asleep("spawn sleeps in a call without a time limit while the copies run")?;
        drop(gate);
        session.all_end()?;
        reaps_its_children(session, program)?;
        ends_last(session, program)?;
        exits(session, program, Exit::Status(0))?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, "the copies take long to end"))
}

/// The line is `exit C` for a copy that has exited with the exit code C, and `signal S` for a copy that was killed by the signal with the number S. If the
/// end of any copy is not `exit 0`, spawn exits 1.
fn ends_told_apart(lab: &Lab) -> Verdict {
    each([1, lab.number(2..127), lab.number(128..255), 255], |code| {
        let run = spawn(lab, 2, &["sh", "-c", &format!("exit {code}")]).when(format!("the copies exit with {code}"));
        settled(run.prints(format!("exit {code}\n").repeat(2)).exits(1))
    })?;
    // SIGHUP, SIGABRT, SIGKILL, SIGALRM and SIGTERM have the same numbers everywhere.
    each([9, 15, [1, 6, 14][lab.number(0..3) as usize]], |signal| {
        let run = spawn(lab, 2, &["sh", "-c", &format!("kill -{signal} $$")]).when(format!("signal {signal} kills the copies"));
        settled(run.prints(format!("signal {signal}\n").repeat(2)).exits(1))
    })?;
    let (n, code) = (lab.number(3..6) as usize, lab.number(1..100));
    each([(0, "first"), (n - 1, "last")], |(odd, which)| {
        let order = |copy: usize| if copy == odd { format!("exit {code}\n") } else { "exit 0\n".to_owned() };
        let verdict = lab.session(|session| {
            let program = end_in_turn(session, n, &Vec::from_iter(0..n), order, |_| Ok(()))?;
            exits(session, program, Exit::Status(1))?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &format!("the {which} copy exits with {code} and all others with 0")))
    })
}

/// The lines come when all copies have ended, after everything that these print, and in the order in which the copies were started, whatever the order in
/// which they end.
fn start_order(lab: &Lab) -> Verdict {
    let n = lab.number(4..7) as usize;
    let (killed, base) = (lab.number(0..n as u64) as usize, lab.number(1..100));
    let words: Vec<String> = (0..n).map(|_| lab.word()).collect();
    let order = |copy: usize| match copy == killed {
        true => format!("echo {}; kill -9 $$\n", words[copy]),
        false => format!("echo {}; exit {}\n", words[copy], base + copy as u64),
    };
    let backwards: Vec<usize> = (0..n).rev().collect();
    let last_first: Vec<usize> = [n - 1].into_iter().chain(0..n - 1).collect();
    each([(backwards, "the copies end in the reverse order of their starts"), (last_first, "the last copy ends first")], |(ends, circumstance)| {
        let verdict = lab.session(|session| {
            // What spawn prints too early it has printed before the next copy goes on.
            let program = end_in_turn(session, n, &ends, order, Session::settle)?;
            let printed: String = ends.iter().map(|copy| format!("{}\n", words[*copy])).collect();
            let expected = format!("{printed}{}", report(session, program));
            prints(session, program, expected.as_bytes())?;
            exits(session, program, Exit::Status(1))?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, circumstance))
    })
}

/// A child in which exec fails ends at once with the exit code 127, and its line is `exit 127`. It prints nothing on standard output and starts no process of
/// its own. spawn exits 1.
fn failed_child_ends(lab: &Lab) -> Verdict {
    let (n, missing) = (lab.number(2..5), missing_command(lab));
    let run = spawn(lab, n, &[&missing, "-x"]).when("there is no such command").expect(children_do_nothing_but_exec(n));
    settled(run.prints("exit 127\n".repeat(n as usize)).reaps_its_children().exits(1))
}

/// For each copy in which exec fails, the parent learns the errno from the child and prints one line `spawn: CMD: message (ERRNO)` on standard error; the
/// child prints nothing there. A command that exits with 127 by itself is no such case.
fn exec_error_reported(lab: &Lab) -> Verdict {
    let (n, missing, file) = (lab.number(2..5), missing_command(lab), format!("./{}", lab.word()));
    let run = spawn(lab, n, &[&missing]).when("there is no such command").exits(1);
    settled(run.expect(reports_exec_errors(&missing, libc::ENOENT, n as usize)))?;

    let verdict = lab.session(|session| {
        session.make_file(&file, b"no program\n")?;
        let program = session.program("spawn").args(["-n", &n.to_string(), "--", &file]).start()?;
        session.all_end()?;
        reports_exec_errors(&file, libc::EACCES, n as usize)(session, program)?;
        exits(session, program, Exit::Status(1))?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, "the file is not executable"))?;

    // A path with a slash is tried once by each copy, so that this fault meets one copy.
    let one = fail(Exec, libc::ENOMEM).by(Who::Children).nth(lab.number(1..n + 1) as u32);
    let run = spawn(lab, n, &["/bin/sh", "-c", "exit 0"]).when("exec fails in one copy with ENOMEM").inject(one).exits(1);
    settled(run.expect(reports_exec_errors("/bin/sh", libc::ENOMEM, 1)).expect(prints_report))?;

    let run = spawn(lab, n, &["sh", "-c", "exit 127"]).when("the command itself exits with 127").exits(1);
    settled(run.expect(reports_exec_errors("sh", libc::ENOENT, 0)).expect(prints_report))
}

/// The commands get spawn's descriptors 0, 1 and 2, and no descriptor that spawn has opened.
fn descriptors_closed(lab: &Lab) -> Verdict {
    let n = lab.number(3..7);
    lab.session(|session| {
        let (program, gate) = start_waiting(session, n)?;
        all_wait_at_a_gate(session, program, n as usize)?;
        hold_no_other_descriptors(session, program)?;
        drop(gate);
        session.all_end()?;
        session.pass()
    })
}

/// In the commands SIGPIPE has its default disposition, although it is ignored in spawn itself, and no signal is blocked.
fn signals_reset(lab: &Lab) -> Verdict {
    let n = lab.number(2..5);
    let killed = spawn(lab, n, &["sh", "-c", "kill -13 $$; exit 0"]).when("each copy sends SIGPIPE to itself");
    settled(killed.expect(dies_of_sigpipe).prints("signal 13\n".repeat(n as usize)).exits(1))?;
    settled(spawn(lab, n, &["cat", "/proc/self/status"]).expect(blocks_no_signal(n)))
}

/// spawn may have children that it did not start itself, because the program that it was before it was executed did. Neither their ends nor that they still
/// run changes what spawn prints and how it exits, and it does not wait for them.
fn own_children_only(lab: &Lab) -> Verdict {
    // The shell starts a child and then becomes spawn: the program that its parent executes, which is spawn as well.
    let (foreign, own) = (lab.number(2..50), lab.number(50..100));
    let ended = lab.session(|session| {
        let gate = gate(session, "gate")?;
        let script = format!("sh -c 'exit {foreign}' & exec /proc/$PPID/exe -n 2 -- sh -c 'read line <gate; exit {own}'");
        let program = session.program("spawn").args(["-n", "1", "--", "sh", "-c", &script]).start()?;
        session.settle()?;
        drop(gate);
        session.all_end()?;
        prints(session, program, format!("exit {own}\nexit {own}\nexit 1\n").as_bytes())?;
        exits(session, program, Exit::Status(1))?;
        session.pass()
    });
    ended.map_err(|unpassed| when(unpassed, "spawn has a child that it did not start, which ends before the copies"))?;

    let runs_on = lab.session(|session| {
        let gate = gate(session, "gate")?;
        let script = "read line <gate & exec /proc/$PPID/exe -n 2 -- true";
        let program = session.program("spawn").args(["-n", "1", "--", "sh", "-c", script]).start()?;
        session.exit(program)?;
        prints(session, program, b"exit 0\nexit 0\nexit 0\n")?;
        exits(session, program, Exit::Status(0))?;
        drop(gate);
        session.all_end()?;
        session.pass()
    });
    runs_on.map_err(|unpassed| when(unpassed, "spawn has a child that it did not start, which runs on"))
}

/// A `waitpid` in the parent, or a `read` from a pipe there, that fails with EINTR is made again. The output and the exit status are the same as without the
/// interruption.
fn interrupted_calls(lab: &Lab) -> Verdict {
    let (n, code, missing) = (lab.number(2..5), lab.number(1..100), missing_command(lab));
    let wait = || fail(Wait, libc::EINTR).by(Who::Parent);
    let read = || fail(Read, libc::EINTR).on(Kind::Pipe).by(Who::Parent).if_called();
    let script = format!("exit {code}");
    let runs = || spawn(lab, n, &["sh", "-c", &script]).expect(runs_copies(n)).expect(prints_report).reaps_its_children().exits(1);
    let fails = || spawn(lab, n, &[&missing]).expect(reports_exec_errors(&missing, libc::ENOENT, n as usize)).expect(prints_report).exits(1);
    let last = n as u32;
    runs().inject(wait()).when("a signal interrupts the first wait").verdict()?;
    runs().inject(wait().nth(last)).when("a signal interrupts a later wait").verdict()?;
    runs().inject(read()).when("a signal interrupts the first read from a pipe").verdict()?;
    fails().inject(read()).when("a signal interrupts the first read from a pipe, and exec fails").verdict()?;
    fails().inject(read().nth(last)).when("a signal interrupts a later read from a pipe, and exec fails").verdict()?;
    // Never all of them: a right program would call again for ever.
    let both = || [wait().alternately(), read().alternately()];
    runs().inject_all(both()).when("a signal interrupts every other call").verdict()?;
    fails().inject_all(both()).when("a signal interrupts every other call, and exec fails").verdict()
}

/// If `pipe2` or `fork` fails, also in the middle, spawn starts no further copy and prints `spawn: call: message (ERRNO)` on standard error. It waits for the
/// copies that it has started, prints their lines, and exits 1.
fn fork_fails(lab: &Lab) -> Verdict {
    let n = lab.number(4..7);
    each([1, 2, n], |nth| {
        let fault = fail(Fork, libc::EAGAIN).by(Who::Parent).nth(nth as u32);
        starting_fails(lab, n, fault, &FORK_NAMES).map_err(|unpassed| when(unpassed, &format!("fork number {nth} fails with EAGAIN")))
    })?;
    // An answer may do with one pipe for all copies, and some make no pipe at all.
    each([1, 3], |nth| {
        let fault = fail(Pipe, libc::EMFILE).by(Who::Parent).nth(nth).if_called();
        starting_fails(lab, n, fault, &PIPE_NAMES).map_err(|unpassed| when(unpassed, &format!("pipe number {nth} fails with EMFILE")))
    })
}

fn starting_fails(lab: &Lab, n: u64, fault: Fault, names: &[&str]) -> Verdict {
    lab.session(|session| {
        let fault = session.arm(fault);
        let (program, gate) = start_waiting(session, n)?;
        session.settle()?;
        if session.fired(fault).fired > 0 {
            nothing_is_started_after_the_failure(session, program)?;
            still_waits_for_its_copies(session, program)?;
        }
        drop(gate);
        session.all_end()?;
        if session.fired(fault).fired > 0 {
            reaps_its_children(session, program)?;
            ends_last(session, program)?;
            prints_report(session, program)?;
            says(session, program, names)?;
            exits(session, program, Exit::Status(1))?;
        }
        session.pass()
    })
}

/// If `waitpid` or a `read` from a pipe fails for another reason than EINTR, or if standard output cannot be written, spawn prints
/// `spawn: call: message (ERRNO)` on standard error and exits 1.
fn errors_reported(lab: &Lab) -> Verdict {
    let n = lab.number(2..5);
    let by_parent = |fault: Fault| fault.by(Who::Parent);
    let wait = by_parent(fail(Wait, libc::ECHILD));
    spawn(lab, n, &["true"]).inject(wait).when("waitpid fails with ECHILD").expect(|s, p| says(s, p, &WAIT_NAMES)).exits(1).verdict()?;
    let write = by_parent(fail(Write, libc::ENOSPC)).on_standard_output();
    let run = spawn(lab, n, &["true"]).inject(write).when("the write to standard output fails with ENOSPC");
    run.expect(|s, p| says(s, p, &WRITE_NAMES)).exits(1).verdict()?;
    // Not every answer reads from a pipe.
    let read = by_parent(fail(Read, libc::EIO)).on(Kind::Pipe).if_called();
    let run = spawn(lab, n, &["true"]).inject(read).when("the read from a pipe fails with EIO");
    run.expect(read_error_is_reported).verdict()
}

/// With any other arguments than `-n N -- CMD ARG…`, and with an N that is not a whole number from 1 to 1000, spawn prints a line that begins with
/// `usage: spawn` on standard error and nothing on standard output, starts no process, and exits 2.
fn usage(lab: &Lab) -> Verdict {
    let n = lab.number(2..9).to_string();
    let too_few: [&[&str]; 6] = [&[], &["-n"], &["-n", &n], &["-n", &n, "--"], &["true"], &["--", "true"]];
    let not_as_they_should: [&[&str]; 5] =
        [&["-n", &n, "true"], &["-n", &n, "echo", "true"], &[&n, "--", "true"], &[&n, &n, "--", "true"], &["-x", &n, "--", "true"]];
    each(too_few.into_iter().chain(not_as_they_should), |arguments| refuses(lab, arguments))?;
    let too_large = lab.number(1001..1_000_000_000).to_string();
    // Cut to 32 or to 16 bits they would be small.
    let (cut, cut_short) = (((1_u64 << 32) + 3).to_string(), ((1_u64 << 16) + 3).to_string());
    let (negative, with_a_tail, broken) = (format!("-{n}"), format!("{n}x"), format!("{n}.5"));
    each(["0", "", "x", "1001", &negative, &with_a_tail, &broken, &too_large, &cut, &cut_short], |n| refuses(lab, &["-n", n, "--", "true"]))
}

fn refuses(lab: &Lab, arguments: &[&str]) -> Verdict {
    let quoted: String = arguments.iter().map(|argument| format!(" '{argument}'")).collect();
    let run = lab.run("spawn").args(arguments.iter().copied()).when(format!("it is called as `spawn{quoted}`"));
    run.expect(starts_nothing).complains(&["usage: spawn"]).prints("").exits(2).verdict()
}
