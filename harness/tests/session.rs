//! The engine's promises, on small programs made for the purpose (`tests/programs`): deadlocks as events and no false ones, busy waiting, faults, zombies,
//! leftovers, limits, programs that want to stay, and the same verdict and trace every time.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod isolated;
    pub mod subject;
}

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use harness::prelude::*;
use support::isolated::{self, tests};
use support::subject::{Subject, assert_passes, finding, key};

fn main() -> ExitCode {
    isolated::main(tests![
        two_processes_that_read_from_each_other_are_deadlocked,
        a_process_that_waits_for_itself_is_deadlocked_and_named_as_the_holder,
        crossed_semaphores_are_a_deadlock,
        the_lonely_opening_of_a_fifo_is_a_deadlock,
        an_empty_posix_queue_is_a_deadlock,
        an_empty_system_v_queue_is_a_deadlock,
        a_record_lock_that_the_parent_keeps_is_a_deadlock,
        who_waits_with_a_limit_is_not_deadlocked,
        datagrams_come_as_they_were_sent_and_who_waits_for_one_is_deadlocked,
        asking_again_and_again_is_busy_waiting,
        computing_without_end_is_busy_waiting,
        a_flood_of_output_is_capped,
        an_injected_error_changes_no_register_and_nothing_else,
        short_transfers_change_no_register_and_lose_nothing,
        vectors_are_cut_short_anywhere_and_put_back,
        a_process_is_killed_at_the_call,
        a_held_process_stays_held_until_it_is_released,
        a_delayed_process_comes_last,
        faults_keep_to_their_kind_of_object,
        a_fault_for_fork_meets_no_thread,
        a_fault_that_never_fires_is_a_failure,
        calls_without_a_name_are_traced_where_a_session_asks_for_it,
        a_child_that_nobody_waits_for_is_a_zombie,
        what_exec_leaves_open_is_known,
        a_stream_that_is_closed_at_the_start_is_not_there,
        every_kind_of_leftover_is_found_and_taken_away,
        more_calls_than_the_limit_are_a_failure,
        a_fork_bomb_stays_inside,
        a_daemon_that_holds_standard_output_neither_hangs_the_run_nor_survives_it,
        a_hundred_runs_give_one_verdict_and_one_trace,
    ])
}

/// Runs `waits WAY`, expecting exit 0 and "done".
fn wait_in(subject: &Subject, way: &str) -> Verdict {
    let verdict = subject.lab().run(&subject.name).arg(way).prints("done\n").exits(0).verdict();
    subject.assert_nothing_is_left();
    verdict
}

/// A deadlock must be found long before the limit on the wall clock, and explained in these words.
#[track_caller]
fn assert_deadlocked(way: &str, words: &[&str]) {
    let subject = Subject::new("waits");
    let start = Instant::now();
    let finding = finding(wait_in(&subject, way));
    let elapsed = start.elapsed();
    let limit = Duration::from_secs(harness::manifest::Limits::default().wall_seconds);
    println!("{way}: deadlocked after {} ms", elapsed.as_millis());
    assert_eq!(finding.kind, "deadlock", "{finding:?}");
    assert!(elapsed < limit / 2, "{elapsed:?}");
    let evidence = finding.evidence.join("\n");
    for word in words {
        assert!(evidence.contains(word), "`{word}` is not in: {evidence}");
    }
}

fn two_processes_that_read_from_each_other_are_deadlocked() {
    // The parent holds the write end of the pipe that the child reads, and the child that of the other.
    assert_deadlocked(
        "two_readers",
        &[
            "the parent waits in read on descriptor 3, pipe A; its write end is held by the child as descriptor 4",
            "the child waits in read on descriptor 5, pipe B; its write end is held by the parent as descriptor 6",
        ],
    );
}

fn a_process_that_waits_for_itself_is_deadlocked_and_named_as_the_holder() {
    let name = Subject::new("waits").name.clone();
    assert_deadlocked("itself", &[&format!("{name} waits in read on descriptor 3, pipe A; its write end is held by {name} as descriptor 4")]);
}

fn crossed_semaphores_are_a_deadlock() {
    assert_deadlocked(
        "semaphores",
        &[
            "the parent waits in semop for semaphore 1 to be at least 1 (it is 0)",
            "the child waits in semop for semaphore 0 to be at least 1 (it is 0)",
        ],
    );
}

fn the_lonely_opening_of_a_fifo_is_a_deadlock() {
    assert_deadlocked("fifo", &["waits in open of FIFO lonely"]);
}

fn an_empty_posix_queue_is_a_deadlock() {
    assert_deadlocked("queue", &["waits in mq_receive on descriptor 3, queue /waits"]);
}

fn an_empty_system_v_queue_is_a_deadlock() {
    assert_deadlocked("message_queue", &["waits in msgrcv for a message (the queue is empty)"]);
}

fn a_record_lock_that_the_parent_keeps_is_a_deadlock() {
    assert_deadlocked("locks", &["the parent waits in wait for the child", "the child waits in fcntl on descriptor 3"]);
}

fn who_waits_with_a_limit_is_not_deadlocked() {
    let subject = Subject::new("waits");
    for way in ["sleeps", "polls", "has_an_alarm", "limited", "slow_child"] {
        let verdict = wait_in(&subject, way);
        assert!(verdict.is_ok(), "{way}: {verdict:?}");
    }
}

fn datagrams_come_as_they_were_sent_and_who_waits_for_one_is_deadlocked() {
    let subject = Subject::new("datagrams");
    let verdict = subject.session(|session, name| {
        let program = session.program(name).start()?;
        let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, session.line(program)?.parse().unwrap_or(0));
        let one = session.mailbox()?;
        let other = session.mailbox_at(Ipv4Addr::new(127, 0, 0, 9), one.address.port())?;
        let long = vec![7; 60_000];
        for (mailbox, bytes) in [(&one, &b"first"[..]), (&other, b"second"), (&one, b""), (&one, &long)] {
            mailbox.send(server, bytes)?;
        }
        assert_eq!(session.datagram(&other)?, Datagram { from: server, bytes: b"second".to_vec() });
        session.settle()?;
        let came: Vec<Vec<u8>> = session.datagrams(&one)?.into_iter().map(|datagram| datagram.bytes).collect();
        assert_eq!(came, [b"first".to_vec(), vec![], long]);
        let Err(Unpassed::Fail(finding)) = session.datagram(&one) else { panic!("nothing was sent") };
        assert_eq!(finding.kind, "deadlock", "{finding:?}");
        assert!(finding.evidence.join("\n").contains("waits in recv on descriptor 3, UDP socket A"), "{finding:?}");
        one.send(server, b"stop")?;
        assert_eq!(session.exit(program)?, Exit::Status(0));
        session.pass()
    });
    assert_passes(verdict);
    subject.assert_nothing_is_left();
}

fn asking_again_and_again_is_busy_waiting() {
    let finding = finding(wait_in(&Subject::new("waits"), "asks_again"));
    assert_eq!(finding.kind, "busy-waiting", "{finding:?}");
    assert!(finding.evidence.iter().any(|line| line.contains("calls wait")), "{finding:?}");
}

fn computing_without_end_is_busy_waiting() {
    let subject = Subject::new("waits").limited(|limits| limits.cpu_seconds = 1);
    let finding = finding(subject.lab().run(&subject.name).arg("computes").exits(0).verdict());
    assert_eq!(finding.kind, "busy-waiting", "{finding:?}");
    subject.assert_nothing_is_left();
}

fn a_flood_of_output_is_capped() {
    let subject = Subject::new("families").limited(|limits| limits.output_bytes = 1 << 20);
    let verdict = subject.session(|session, name| {
        let program = session.program(name).arg("flood").start()?;
        assert_eq!(session.exit(program)?, Exit::Status(0));
        session.all_end()?;
        assert_eq!(session.stdout(program).len(), 1 << 20, "ten times as much was written");
        session.pass()
    });
    assert_passes(verdict);
    subject.assert_nothing_is_left();
}

/// The lines of `transfers` that begin with a word, under these faults.
fn transfer(faults: Vec<Fault>) -> (Verdict, Vec<String>) {
    let subject = Subject::new("transfers");
    let report = support::folder::empty(&format!("reports/{}", subject.name)).join("report");
    let verdict = subject.session({
        let mut report = std::fs::File::create(&report).unwrap_or_else(|error| panic!("{}: {error}", report.display()));
        move |session, name| {
            for fault in faults {
                session.arm(fault);
            }
            let program = session.program(name).start()?;
            session.all_end()?;
            // The session is another process in another root: what it holds open is the way back.
            std::io::Write::write_all(&mut report, session.stdout(program))?;
            session.pass()
        }
    });
    subject.assert_nothing_is_left();
    let text = std::fs::read_to_string(&report).unwrap_or_else(|error| panic!("{}: {error}", report.display()));
    (verdict, text.lines().map(str::to_owned).collect())
}

fn an_injected_error_changes_no_register_and_nothing_else() {
    let (verdict, lines) = transfer(vec![fail(Write, libc::EINTR).on(Kind::Pipe), fail(Read, libc::EIO).on(Kind::Pipe).nth(2)]);
    assert_passes(verdict);
    let expected = ["write -4, registers intact", "write 10, registers intact", "read 10, registers intact", "read -5, registers intact"];
    assert_eq!(lines[..4], expected, "{lines:?}");
    assert_eq!(lines[4..], ["read 0, registers intact", "got 0123456789"], "{lines:?}");
}

fn short_transfers_change_no_register_and_lose_nothing() {
    let (verdict, lines) = transfer(vec![short(Write, 4).on(Kind::Pipe).every(), short(Read, 3).on(Kind::Pipe).every()]);
    assert_passes(verdict);
    assert!(lines.iter().all(|line| line.starts_with("got ") || line.ends_with("registers intact")), "{lines:?}");
    let results = |call: &str| -> Vec<i64> {
        let of_call = lines.iter().filter_map(|line| line.strip_prefix(call)?.split(',').next()?.trim().parse().ok());
        of_call.collect()
    };
    assert_eq!(results("write"), [4, 4, 2]);
    assert_eq!(results("read"), [3, 3, 3, 1, 0]);
    assert_eq!(lines.last().map(String::as_str), Some("got 0123456789"));
}

fn vectors_are_cut_short_anywhere_and_put_back() {
    const WHOLE: &str = "HEAD0123456789";
    let subject = Subject::new("vectors");
    let run = |faults: Vec<Fault>, expected: &[String]| {
        let verdict = subject.session(|session, name| {
            for fault in &faults {
                session.arm(fault.clone());
            }
            let program = session.program(name).start()?;
            session.all_end()?;
            let output = String::from_utf8_lossy(session.stdout(program)).into_owned();
            assert_eq!(output.lines().collect::<Vec<_>>(), expected, "{faults:?}");
            // The trace has the bytes that were moved, in the order of the buffers.
            let events = session.events_of(program).filter(|event| event.injected && session.kind_of(event) == Some(Kind::Unix));
            assert!(events.filter(|event| event.call != Recv).all(|event| WHOLE.as_bytes().starts_with(event.data()) && !event.data().is_empty()));
            session.pass()
        });
        assert_passes(verdict);
    };
    // Inside the first buffer, at its end, inside the last one, and not at all.
    for length in [3, 4, 7, 14] {
        let cut = &WHOLE[..length];
        let (head, body) = cut.split_at(length.min(4));
        let lines = |sent: &str, filled: &str| {
            let of = |call: &str, text: &str| format!("{call} {} {text} intact", text.trim_end_matches('.').len());
            vec![of("writev", sent), of("sendmsg", sent), of("readv", filled), of("recvmsg", filled), of("peek", WHOLE)]
        };
        let sends = [Write, Send].map(|call| short(call, length as u64).on(Kind::Unix).if_called());
        run(sends.into(), &lines(cut, WHOLE));
        let receives = short([Read, Recv], length as u64).on(Kind::Unix).every();
        run(vec![receives], &lines(WHOLE, &format!("{head:.<4}{body:.<10}")));
    }
    subject.assert_nothing_is_left();
}

fn a_process_is_killed_at_the_call() {
    let (verdict, lines) = transfer(vec![kill_at(Write).on(Kind::Pipe)]);
    assert_passes(verdict);
    assert_eq!(lines, ["killed by 9", "read 0, registers intact", "got "]);
}

fn a_held_process_stays_held_until_it_is_released() {
    let subject = Subject::new("transfers");
    let verdict = subject.session(|session, name| {
        let held = session.arm(hold_at(Write).on(Kind::Pipe).by(Who::Children));
        let program = session.program(name).start()?;
        session.until_held(held)?;
        session.settle()?;
        assert!(!session.has_ended(program), "its child is held");
        assert!(session.stdout(program).is_empty());
        assert_eq!(session.waiting_lines(), ["the parent waits in wait for the child"]);
        session.release(held)?;
        assert_eq!(session.exit(program)?, Exit::Status(0));
        session.all_end()?;
        assert!(session.stdout(program).ends_with(b"got 0123456789\n"));
        session.pass()
    });
    assert_passes(verdict);
    subject.assert_nothing_is_left();
}

fn a_delayed_process_comes_last() {
    let subject = Subject::new("two_writers");
    for (late, letters) in [(Who::Children, "pc\n"), (Who::Parent, "cp\n")] {
        for _ in 0..5 {
            let delayed = delay_at(Write).on(Kind::Pipe).by(late);
            assert_passes(subject.lab().run(&subject.name).inject(delayed).prints(letters).exits(0).verdict());
        }
    }
    subject.assert_nothing_is_left();
}

fn faults_keep_to_their_kind_of_object() {
    // The program writes to a pipe and to standard output; it has no FIFO and no socket.
    let elsewhere = [Kind::Fifo, Kind::Tcp, Kind::Unix, Kind::Queue];
    let (verdict, lines) = transfer(elsewhere.map(|kind| fail(Write, libc::EIO).on(kind).every().if_called()).to_vec());
    assert_passes(verdict);
    assert!(lines.iter().all(|line| !line.contains('-')), "{lines:?}");
}

fn a_fault_for_fork_meets_no_thread() {
    let subject = Subject::new("threads");
    let fault = fail(Fork, libc::EAGAIN).every().if_called();
    assert_passes(subject.lab().run(&subject.name).inject(fault).prints("joined\n").exits(0).verdict());
}

fn a_fault_that_never_fires_is_a_failure() {
    let (verdict, _) = transfer(vec![fail(Write, libc::EIO).on(Kind::Fifo)]);
    let finding = finding(verdict);
    assert_eq!((finding.kind.as_str(), finding.observed.as_str()), ("call", "it never does"));
}

fn calls_without_a_name_are_traced_where_a_session_asks_for_it() {
    let subject = Subject::new("timed_semaphore");
    let (mmap, futex) = (Call::Other(libc::SYS_mmap as u32), Call::Other(libc::SYS_futex as u32));
    let run = |asked: &[Call], fault: Option<Fault>, output: &str, futexes: usize| {
        assert_passes(subject.session(|session, name| {
            session.trace_too(asked);
            fault.into_iter().for_each(|fault| {
                let _ = session.arm(fault);
            });
            let program = session.program(name).start()?;
            session.exit(program)?;
            prints(session, program, output.as_bytes())?;
            let details: Vec<_> = session.events_of(program).filter(|event| event.call == futex).map(|event| event.detail.clone()).collect();
            assert_eq!(details, vec![Detail::Time(12345.5); futexes]);
            session.pass()
        }));
    };
    run(&[], None, "timed out\n", 0);
    run(&[futex], None, "timed out\n", 1);
    run(&[futex], Some(fail(futex, libc::EINTR)), "interrupted\n", 1);
    run(&[mmap, futex], Some(fail(mmap, libc::ENOMEM).where_bits(3, libc::MAP_TYPE as u64, libc::MAP_SHARED as u64)), "no memory\n", 0);
    subject.assert_nothing_is_left();
}

fn a_child_that_nobody_waits_for_is_a_zombie() {
    let subject = Subject::new("families");
    let run = |way: &str| subject.lab().run(&subject.name).arg(way).exits(0).reaps_its_children().verdict();
    let finding = finding(run("zombie"));
    assert_eq!(finding.kind, "zombie");
    assert!(finding.observed.contains("the parent ended without having waited for the child"), "{finding:?}");
    assert_passes(run("reaped"));
    assert_passes(run("ignored"));
    subject.assert_nothing_is_left();
}

/// The numbers of the descriptors with which a process executed a program.
fn numbers_at_exec(process: &Process) -> Option<Vec<i32>> {
    Some(process.descriptors_at_exec.as_ref()?.iter().map(|(descriptor, _)| descriptor.number).collect())
}

fn what_exec_leaves_open_is_known() {
    let subject = Subject::new("families");
    let verdict = subject.session(|session, name| {
        session.program(name).arg("executes").start()?;
        session.all_end()?;
        let [parent, child] = session.processes() else { panic!("{:?}", session.processes()) };
        assert_eq!(numbers_at_exec(parent), Some(vec![0, 1, 2]));
        assert_eq!(numbers_at_exec(child), Some(vec![0, 1, 2, 3, 4]), "5 and 6 are close-on-exec");
        let known = child.descriptors_at_exec.iter().flatten().all(|(_, object)| object.is_some());
        assert!(known, "{:?}", child.descriptors_at_exec);
        session.pass()
    });
    assert_passes(verdict);
    let verdict = subject.session(|session, name| {
        session.program(name).arg("reaped").start()?;
        session.all_end()?;
        let child = session.processes().last().expect("a child");
        assert_eq!(numbers_at_exec(child), None, "it executes nothing");
        session.pass()
    });
    assert_passes(verdict);
    subject.assert_nothing_is_left();
}

fn a_stream_that_is_closed_at_the_start_is_not_there() {
    let subject = Subject::new("families");
    for (closed, left) in [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])] {
        let verdict = subject.session(|session, name| {
            let program = session.program(name).arg("reaped").closed(closed).start()?;
            assert_eq!(session.exit(program)?, Exit::Status(0));
            session.all_end()?;
            assert_eq!(numbers_at_exec(&session.processes()[0]), Some(left.to_vec()));
            session.pass()
        });
        assert_passes(verdict);
    }
    subject.assert_nothing_is_left();
}

fn every_kind_of_leftover_is_found_and_taken_away() {
    let subject = Subject::new("leaves");
    let number = key(&subject.name).to_string();
    let slashed = format!("/{}", subject.name);
    let kinds = [
        ("segment", &number, "a System V shared-memory segment".to_owned()),
        ("semaphores", &number, "a System V semaphore set".into()),
        ("messages", &number, "a System V message queue".into()),
        ("queue", &slashed, format!("the POSIX queue {slashed}")),
        ("memory", &slashed, format!("the shared-memory object {slashed}")),
        ("fifo", &subject.name, format!("the FIFO {}", subject.name)),
        ("socket", &subject.name, format!("the socket {}", subject.name)),
        ("file", &subject.name, format!("the file {}", subject.name)),
    ];
    for (kind, name, words) in kinds {
        let verdict = subject.lab().run(&subject.name).args([kind, name]).exits(0).leaves_nothing().verdict();
        let finding = finding(verdict);
        assert_eq!((finding.kind.as_str(), finding.evidence), ("left-behind", vec![format!("left behind: {words}")]), "{kind}");
        subject.assert_nothing_is_left();
    }
    assert_passes(subject.lab().run(&subject.name).args(["nothing", "x"]).exits(0).leaves_nothing().verdict());
}

fn more_calls_than_the_limit_are_a_failure() {
    let subject = Subject::new("families").limited(|limits| limits.calls = 1000);
    let verdict = subject.lab().run(&subject.name).arg("many_calls").exits(0).verdict();
    let finding = finding(verdict);
    assert_eq!((&*finding.kind, &*finding.expected), ("limit", "a run makes at most 1000 calls of those that are followed"));
    subject.assert_nothing_is_left();
}

fn a_fork_bomb_stays_inside() {
    let subject = Subject::new("families");
    let verdict = subject.lab().run(&subject.name).arg("bomb").exits(0).verdict();
    // How it ends is open: its forks fail, or there are too many processes.
    assert!(verdict.is_err(), "a fork bomb passes");
    subject.assert_nothing_is_left();
}

fn a_daemon_that_holds_standard_output_neither_hangs_the_run_nor_survives_it() {
    let subject = Subject::new("families");
    let verdict = subject.session(|session, name| {
        let program = session.program(name).arg("daemon").start()?;
        assert_eq!(session.exit(program)?, Exit::Status(0));
        session.pass()
    });
    assert_passes(verdict);
    subject.assert_nothing_is_left();
    let finding = finding(subject.lab().run(&subject.name).arg("daemon").exits(0).verdict());
    assert_eq!(finding.kind, "deadlock", "who waits for the daemon's end is told at once that it never comes: {finding:?}");
    subject.assert_nothing_is_left();
}

/// Processes that keep every CPU busy, until they are dropped.
struct Load(Vec<Child>);

impl Load {
    fn on_every_cpu() -> Self {
        let count = std::thread::available_parallelism().map_or(2, usize::from);
        let spin = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap_or_else(|error| panic!("sh: {error}"));
        Self((0..count).map(|_| spin()).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that is gone already does no harm.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What each process did, in its own order, without process ids and addresses.
fn normalised(session: &Session) -> Vec<String> {
    let mut lines: Vec<(ProcessId, String)> = Vec::new();
    for event in session.events() {
        let result = match (event.call, event.result) {
            (Fork | Wait, Some(result)) if result > 0 => "a child".to_owned(),
            (_, result) => format!("{result:?}"),
        };
        let object = session.object_name(event);
        lines.push((event.process, format!("{} calls {} on {object}: {result}", session.name(event.process), event.call.word())));
    }
    lines.sort_by_key(|(process, _)| *process);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn a_hundred_runs_give_one_verdict_and_one_trace() {
    let subject = Subject::new("transfers");
    let mut first: Option<(String, Vec<String>)> = None;
    let mut load = None;
    for index in 0..100 {
        if index == 50 {
            load = Some(Load::on_every_cpu());
        }
        let mut lines = Vec::new();
        // The verdict is the only way out of the session that carries text: a failure with the trace as its evidence.
        let verdict = subject.session(|session, name| {
            session.arm(short(Write, 3).on(Kind::Pipe).every());
            session.program(name).start()?;
            session.all_end()?;
            session.pass()?;
            Err(Finding::new("trace", "", "", "").with(normalised(session)).into())
        });
        let finding = finding(verdict);
        lines.extend(finding.evidence);
        assert!(lines.len() > 20, "{lines:?}");
        let this = (finding.kind, lines);
        match &first {
            None => first = Some(this),
            Some(first) => assert_eq!(*first, this, "run {index}"),
        }
    }
    drop(load);
    subject.assert_nothing_is_left();
}
