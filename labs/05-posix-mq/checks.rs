//! Checks for the message queue lab, one for each promise in its README.
use harness::prelude::*;

#[path = "checks/steps.rs"]
mod steps;
use steps::*;
use tools::shares_with_python;
#[path = "checks/deadlines.rs"]
mod deadlines;
use deadlines::{carries_seconds, deadline_stays, ends_in_time};
#[path = "checks/gaps.rs"]
mod gaps;
#[path = "checks/tools.rs"]
mod tools;
use gaps::{Disturbance, Phase, comes_before_registration, hold_before_each_call};

harness::checks! {
    create_makes_queue, create_refuses_existing, message_travels, any_text_fits, priority_order, rm_removes, recv_waits, timeout_absolute, full_queue_waits,
    watch_prints, watch_sleeps, watch_stops, nothing_lost_in_gap, no_lost_wakeup, tools, interrupted_calls_repeated, errors_reported, usage,
}

/// `create` makes a queue with mode 0600 and the attributes that `-m` and `-s` ask for, or the system's default for each one left out; it prints nothing and
/// exits 0.
fn create_makes_queue(lab: &Lab) -> Verdict {
    let name = name(lab);
    let (max, size) = (lab.number(1..11).to_string(), lab.number(16..4097).to_string());
    lab.session(|session| {
        creates(session, &[&"create", &"-m", &max, &"-s", &size, &name], &name, Some(&max), Some(&size))?;
        creates(session, &[&"create", &"-s", &size, &"-m", &max, &name], &name, Some(&max), Some(&size))?;
        creates(session, &[&"create", &"-m", &max, &name], &name, Some(&max), None)?;
        creates(session, &[&"create", &"-s", &size, &name], &name, None, Some(&size))?;
        creates(session, &[&"create", &name], &name, None, None)?;
        session.pass()
    })
}

fn creates(session: &mut Session, arguments: Arguments, name: &str, max: Option<&str>, size: Option<&str>) -> Result<(), Unpassed> {
    let created = succeeds(session, arguments, b"");
    if session.events().iter().any(|event| event.call == MqOpen && event.errno() == Some(libc::EMFILE)) {
        // The only queue of this run, and a small one: others have used up what their common user may have.
        return Err(Unpassed::Broken("other runs of the same user have used up RLIMIT_MSGQUEUE; run fewer checks at a time".into()));
    }
    created?;
    has_attributes(session, name, max, size).map_err(|unpassed| in_command(unpassed, arguments))?;
    session.remove_queue(name)
}

/// Where the queue exists already, `create` fails with `jobq: mq_open:` and status 1, and leaves the queue and its messages as they are.
fn create_refuses_existing(lab: &Lab) -> Verdict {
    let (name, text, priority) = (name(lab), lab.word(), lab.number(0..100) as u32);
    let (max, size) = (lab.number(2..10), lab.number(16..4097));
    lab.session(|session| {
        let queue = session.make_queue(&name, max as i64, size as i64)?;
        queue.send(text.as_bytes(), priority)?;
        let before = queue.state()?;
        let commands: [Arguments; 2] = [&[&"create", &name], &[&"create", &"-m", &"1", &"-s", &"10", &name]];
        for arguments in commands {
            fails(session, arguments, &["mq_open"])?;
            if session.queue(&name)?.state()? != before {
                let next = "create must not touch a queue that is there: ask mq_open to fail instead; mq_open(3), O_EXCL";
                return Err(in_command(Finding::new("queue", "the queue stays as it is", "it is another one now", next).into(), arguments));
            }
        }
        message_is(queue.receive()?, text.as_bytes())?;
        session.pass()
    })
}

/// `send` puts the bytes of TEXT, no more and no less, into the queue; `recv` takes one message out, prints `PRIO TEXT` on a line, exits 0, and leaves the
/// queue in place.
fn message_travels(lab: &Lab) -> Verdict {
    let (name, size) = (name(lab), lab.number(64..513) as i64);
    let texts = [lab.word(), format!("{} {}", lab.word(), lab.word()), format!("-{}", lab.word())];
    lab.session(|session| {
        let queue = session.make_queue(&name, 4, size)?;
        for text in &texts {
            let send: Arguments = &[&"send", &name, text];
            succeeds(session, send, b"")?;
            message_is(queue.receive()?, text.as_bytes()).map_err(|unpassed| in_command(unpassed, send))?;
        }
        for text in &texts {
            succeeds(session, &[&"send", &name, text], b"")?;
        }
        // One by one, in an order that only shows whether each is taken once: priorities have a check of their own.
        for (taken, text) in (1..).zip(&texts) {
            let recv: Arguments = &[&"recv", &name];
            succeeds(session, recv, &line(0, text))?;
            let left = queue_stays(session, &name).and_then(|queue| queue.state()).map_err(|unpassed| in_command(unpassed, recv))?.messages;
            if left != texts.len() as i64 - taken {
                let expected = format!("{} messages are left in the queue", texts.len() as i64 - taken);
                return Err(in_command(Finding::new("queue", expected, format!("{left} are left"), "recv takes one; mq_receive(3)").into(), recv));
            }
        }
        session.pass()
    })
}

/// Every text from no bytes at all to as many as the queue's message size is sent, received and printed unchanged, whatever the bytes and whatever the size.
fn any_text_fits(lab: &Lab) -> Verdict {
    let name = name(lab);
    let queues: Vec<(usize, [Vec<u8>; 4])> =
        [64, lab.number(65..4096) as usize, 8192].map(|size| (size, [Vec::new(), bytes(lab, 1), bytes(lab, size / 2), bytes(lab, size)])).into();
    lab.session(|session| {
        for (size, texts) in &queues {
            let queue = session.make_queue(&name, 2, *size as i64)?;
            let of_this_size = |unpassed| about(unpassed, &format!("in a queue whose messages have at most {size} bytes"));
            for text in texts {
                succeeds(session, &[&"send", &name, text], b"").map_err(of_this_size)?;
                let sent = queue.receive()?;
                message_is(sent, text).map_err(of_this_size)?;
                // It is there before recv starts: a recv that goes to sleep has not understood what it got.
                queue.send(text, 0)?;
                succeeds(session, &[&"recv", &name], &line(0, text)).map_err(of_this_size)?;
            }
            session.remove_queue(&name)?;
        }
        // No argument can hold a byte 0, but another sender's message can.
        let queue = session.make_queue(&name, 2, 64)?;
        queue.send(b"before\0after", 0)?;
        succeeds(session, &[&"recv", &name], &line(0, b"before\0after")).map_err(|unpassed| about(unpassed, "where a message holds a byte 0"))?;
        session.pass()
    })
}

/// Bytes that an argument can hold, none of them 0; longer ones are not UTF-8 and hold a newline.
fn bytes(lab: &Lab, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = lab.bytes(length).into_iter().map(|byte| byte.max(1)).collect();
    if let [first, second, _, ..] = &mut bytes[..] {
        (*first, *second) = (0xff, b'\n');
    }
    bytes
}

/// `recv` prints the message with the highest priority first, and the oldest first among equals, each with the priority that it was sent with: the one given
/// by `-p`, or 0.
fn priority_order(lab: &Lab) -> Verdict {
    let (name, low, high) = (name(lab), lab.number(1..10) as u32, lab.number(10..1000) as u32);
    let mut priorities = [None, Some(low), Some(high), Some(low), None, Some(32767), Some(low), Some(high)];
    priorities.rotate_left(lab.number(0..8) as usize);
    let mut messages: Vec<(Option<u32>, String)> = priorities.map(|priority| (priority, lab.word())).into();
    lab.session(|session| {
        let _queue = session.make_queue(&name, 10, 64)?;
        for (priority, text) in &messages {
            match priority {
                Some(priority) => succeeds(session, &[&"send", &"-p", &priority.to_string(), &name, text], b"")?,
                None => succeeds(session, &[&"send", &name, text], b"")?,
            }
        }
        // Stable: equals stay in the order in which they were sent.
        messages.sort_by_key(|(priority, _)| std::cmp::Reverse(priority.unwrap_or(0)));
        for (priority, text) in &messages {
            succeeds(session, &[&"recv", &name], &line(priority.unwrap_or(0), text))?;
        }
        session.pass()
    })
}

/// `rm` removes the queue, with or without messages in it, prints nothing and exits 0.
fn rm_removes(lab: &Lab) -> Verdict {
    let (name, texts) = (name(lab), lab.words(1..4));
    lab.session(|session| {
        for texts in [&[], &texts[..]] {
            let queue = session.make_queue(&name, 4, 64)?;
            texts.iter().try_for_each(|text| queue.send(text.as_bytes(), 0))?;
            succeeds(session, &[&"rm", &name], b"")?;
            if session.has_queue(&name)? {
                let observed = format!("it is still there (it held {} messages)", texts.len());
                return Err(Finding::new("queue", "`jobq rm` removes the queue", observed, "closing a queue does not remove it; mq_unlink(3)").into());
            }
        }
        session.pass()
    })
}

/// Without `-t`, `recv` sleeps in an empty queue without a time limit, and prints the message that comes.
fn recv_waits(lab: &Lab) -> Verdict {
    let (name, text, priority) = (name(lab), lab.word(), lab.number(0..100) as u32);
    lab.session(|session| {
        let queue = session.make_queue(&name, 4, 64)?;
        let recv: Arguments = &[&"recv", &name];
        let program = start(session, recv)?;
        session.until_asleep("in an empty queue, `jobq recv` sleeps until a message comes")?;
        queue.send(text.as_bytes(), priority)?;
        ends_well(session, program, recv, &line(priority, &text))?;
        session.pass()
    })
}

/// `recv -t MS` prints a message that is there or comes within MS milliseconds; when none comes, it sleeps until MS milliseconds after its start and fails
/// with `jobq: mq_timedreceive:` and status 1.
fn timeout_absolute(lab: &Lab) -> Verdict {
    let (name, text) = (name(lab), lab.word());
    let (short, long) = (lab.number(120..400), (lab.number(300..600) * 1000 + 999).to_string());
    lab.session(|session| {
        let queue = session.make_queue(&name, 4, 64)?;
        for limit in ["0", &long] {
            queue.send(text.as_bytes(), 0)?;
            succeeds(session, &[&"recv", &"-t", &limit, &name], &line(0, &text))?;
        }
        prints_what_comes_in_time(session, &queue, &[&"recv", &"-t", &long, &name], &text)?;
        fails(session, &[&"recv", &"-t", &"0", &name], &["mq_timedreceive"])?;
        ends_in_time(session, &name, short)?;
        carries_seconds(session, &queue, &[&"recv", &"-t", &"999", &name], &text)?;
        session.pass()
    })
}

fn prints_what_comes_in_time(session: &mut Session, queue: &Queue, recv: Arguments, text: &str) -> Result<(), Unpassed> {
    let program = start(session, recv)?;
    session
        .until_asleep_for_a_while("in an empty queue, `jobq recv -t` sleeps until the time is up")
        .map_err(|unpassed| in_command(unpassed, recv))?;
    queue.send(text.as_bytes(), 0)?;
    ends_well(session, program, recv, &line(0, text))
}

/// Where the queue is full, `send` sleeps without a time limit, and sends its message as soon as there is room.
fn full_queue_waits(lab: &Lab) -> Verdict {
    let (name, text, priority) = (name(lab), lab.word(), lab.number(10..100) as u32);
    lab.session(|session| {
        let queue = session.make_queue(&name, 2, 64)?;
        queue.send(b"first out", 200)?;
        queue.send(b"last out", 0)?;
        let send: Arguments = &[&"send", &"-p", &priority.to_string(), &name, &text];
        let program = start(session, send)?;
        session.until_asleep("while the queue is full, `jobq send` sleeps")?;
        message_is(queue.receive()?, b"first out")?;
        ends_well(session, program, send, b"")?;
        message_is(queue.receive()?, text.as_bytes()).map_err(|unpassed| in_command(unpassed, send))?;
        message_is(queue.receive()?, b"last out")?;
        session.pass()
    })
}

/// `watch` prints `watching`, then the messages that are queued, highest priority first, then each message as it comes, one or many at a time, each written
/// out at once as a `PRIO TEXT` line.
fn watch_prints(lab: &Lab) -> Verdict {
    let (name, words) = (name(lab), lab.words(9..10));
    let high = lab.number(10..100) as u32;
    lab.session(|session| {
        let queue = session.make_queue(&name, 10, 64)?;
        let queued = [(1, &*words[0]), (high, &words[1]), (high + 1, ""), (1, &words[2])];
        queued.iter().try_for_each(|(priority, text)| queue.send(text.as_bytes(), *priority))?;
        let watcher = watch(session, &name)?;
        let mut expected = [b"watching\n".to_vec(), line(high + 1, ""), line(high, &words[1]), line(1, &words[0]), line(1, &words[2])].concat();
        has_printed(session, watcher, &expected, "four messages were queued before the start")?;

        for (number, text) in ["first", "second", "third"].iter().zip(&words[3..6]) {
            queue.send(text.as_bytes(), high)?;
            session.settle()?;
            expected.extend(line(high, text));
            has_printed(session, watcher, &expected, &format!("the {number} message came while it slept"))?;
        }

        // Held at whatever it does first once the message has woken it, so that the others come before it looks.
        let awake = session.arm(hold_at(Call::ALL).on_anything());
        queue.send(words[6].as_bytes(), 1)?;
        session.until_held(awake)?;
        queue.send(words[7].as_bytes(), high)?;
        queue.send(words[8].as_bytes(), 0)?;
        session.release(awake)?;
        session.settle()?;
        // It may have the first one in hand already.
        let lines = [line(1, &words[6]), line(high, &words[7]), line(0, &words[8])];
        has_printed_all(session, watcher, &expected, &lines, "three messages came at once")?;
        session.pass()
    })
}

/// While the queue is empty, `watch` is registered with `mq_notify` and sleeps without a time limit; none of its threads waits in a receive call or watches
/// the queue's descriptor.
fn watch_sleeps(lab: &Lab) -> Verdict {
    let (name, text) = (name(lab), lab.word());
    lab.session(|session| {
        let queue = session.make_queue(&name, 4, 64)?;
        let watcher = start(session, &[&"watch", &name])?;
        waits_for_notification(session, watcher, &queue)?;
        queue.send(text.as_bytes(), 0)?;
        waits_for_notification(session, watcher, &queue)?;
        session.pass()
    })
}

fn waits_for_notification(session: &mut Session, watcher: Program, queue: &Queue) -> Result<(), Unpassed> {
    session.until_asleep("while the queue is empty, `jobq watch` sleeps")?;
    let finding = |observed: &str| {
        Finding::new(
            "notification",
            "`jobq watch` sleeps until mq_notify wakes it",
            observed,
            "register, and wait for the notification only; mq_notify(3)",
        )
    };
    if !queue.is_watched()? {
        return Err(finding("while it sleeps, nobody is registered with mq_notify").with(session.waiting_lines()).into());
    }
    let on_the_queue = |sleeping: &Sleeping| sleeping.call == MqReceive || sleeping.objects.contains(&Kind::Queue);
    if session.sleeping(watcher).iter().any(on_the_queue) {
        return Err(finding("it waits for the queue itself").with(session.waiting_lines()).into());
    }
    Ok(())
}

/// On SIGTERM or SIGINT, `watch` exits 0 and leaves the queue in place, with the messages that it has not printed.
fn watch_stops(lab: &Lab) -> Verdict {
    let (name, text) = (name(lab), lab.word());
    lab.session(|session| {
        let _queue = session.make_queue(&name, 4, 64)?;
        for signal in [libc::SIGTERM, libc::SIGINT] {
            let watcher = watch(session, &name)?;
            stops(session, watcher, signal)
                .and_then(|()| queue_is_usable(session, &name, text.as_bytes(), 1))
                .map_err(|unpassed| about(unpassed, &format!("{} while it sleeps", signal_name(signal))))?;
        }
        session.pass()
    })
}

fn stops(session: &mut Session, watcher: Program, signal: i32) -> Result<(), Unpassed> {
    session.signal(watcher, signal)?;
    session.exit(watcher)?;
    exits(session, watcher, Exit::Status(0))
}

/// A message that comes just before `watch` registers, the first time or any later time, is printed without the help of a later one.
fn nothing_lost_in_gap(lab: &Lab) -> Verdict {
    let (name, words) = (name(lab), lab.words(6..7));
    comes_before_registration(lab, &name, &words[..1], &words[1..])?;
    comes_before_registration(lab, &name, &[], &words[1..])
}

/// Between any two of its calls after `watching` is printed, a message that comes is printed without the help of a later one, and a SIGTERM ends `watch` with
/// status 0 and loses no message: each one is printed or still in the queue.
fn no_lost_wakeup(lab: &Lab) -> Verdict {
    let (name, first, second) = (name(lab), lab.word(), lab.word());
    let at_each_call = |phase, disturbance| {
        lab.session(|session| {
            hold_before_each_call(session, &name, phase, disturbance, &first, &second)?;
            session.pass()
        })
    };
    at_each_call(Phase::Woken, Disturbance::Message)?;
    at_each_call(Phase::Woken, Disturbance::Stop)?;
    at_each_call(Phase::Start, Disturbance::Message)?;
    at_each_call(Phase::Start, Disturbance::Stop)
}

/// Other programs use the queue as well: Python receives what `send` has sent, and `recv` and `watch` print what Python has sent, whatever the bytes, zero
/// bytes too.
fn tools(lab: &Lab) -> Verdict {
    shares_with_python(lab)
}

/// An `mq_send`, `mq_receive` or `mq_timedreceive` that a signal interrupts (EINTR) is made again, with the same deadline; and `watch` goes on after it was
/// stopped and continued (SIGSTOP, SIGCONT).
fn interrupted_calls_repeated(lab: &Lab) -> Verdict {
    let (name, text, limit) = (name(lab), lab.word(), lab.number(120..400).to_string());
    for times in [1, 3] {
        interrupted(lab, MqReceive, times, &name, Some(&text), &[&"recv", &name], &line(0, &text))?;
        interrupted(lab, MqReceive, times, &name, Some(&text), &[&"recv", &"-t", &limit, &name], &line(0, &text))?;
        interrupted(lab, MqSend, times, &name, None, &[&"send", &name, &text], b"")?;
    }
    deadline_stays(lab, &name, &[&"recv", &"-t", &limit, &name])?;
    goes_on_when_continued(lab, &name, &text)
}

/// The first calls are interrupted, and the next one succeeds: what it needs is there.
fn interrupted(lab: &Lab, call: Call, times: u32, name: &str, queued: Option<&str>, arguments: Arguments, output: &[u8]) -> Verdict {
    lab.session(|session| {
        let queue = session.make_queue(name, 4, 64)?;
        queued.iter().try_for_each(|text| queue.send(text.as_bytes(), 0))?;
        for nth in 1..=times {
            session.arm(fail(call, libc::EINTR).nth(nth));
        }
        let circumstance = format!("{} is interrupted (EINTR), {times} time{}", call.word(), if times == 1 { "" } else { "s" });
        succeeds(session, arguments, output).map_err(|unpassed| when(unpassed, &circumstance))?;
        session.pass()
    })
}

fn goes_on_when_continued(lab: &Lab, name: &str, text: &str) -> Verdict {
    lab.session(|session| {
        let queue = session.make_queue(name, 4, 64)?;
        let watcher = watch(session, name)?;
        session.signal(watcher, libc::SIGSTOP)?;
        session.settle()?;
        session.signal(watcher, libc::SIGCONT)?;
        session.settle()?;
        has_printed(session, watcher, b"watching\n", "it was stopped and continued")?;
        queue.send(text.as_bytes(), 0)?;
        session.settle()?;
        has_printed(session, watcher, &[b"watching\n".to_vec(), line(0, text)].concat(), "it was stopped and continued, and then a message came")?;
        session.pass()
    })
}

/// A call that fails is reported as `jobq: call:` on standard error with status 1: a queue that is not there, a text or priority that the queue refuses, a
/// second watcher (which does not print `watching`), output that cannot be written.
fn errors_reported(lab: &Lab) -> Verdict {
    let (name, text, size) = (name(lab), lab.word(), lab.number(16..64));
    let (missing, too_long) = (format!("{name}-missing"), "x".repeat(size as usize + 1));
    lab.session(|session| {
        fails(session, &[&"send", &missing, &text], &["mq_open"])?;
        fails(session, &[&"recv", &missing], &["mq_open"])?;
        fails(session, &[&"recv", &"-t", &"10", &missing], &["mq_open"])?;
        fails(session, &[&"watch", &missing], &["mq_open"])?;
        fails(session, &[&"rm", &missing], &["mq_unlink"])?;
        fails(session, &[&"create", &"-m", &"0", &missing], &["mq_open"])?;
        fails(session, &[&"create", &missing.trim_start_matches('/')], &["mq_open"])?;

        let _queue = session.make_queue(&name, 4, size as i64)?;
        fails(session, &[&"send", &name, &too_long], &["mq_send", "mq_timedsend"])?;
        fails(session, &[&"send", &"-p", &"32768", &name, &text], &["mq_send", "mq_timedsend"])?;
        let _first = watch(session, &name)?;
        second_is_refused(session, &name)?;
        session.pass()
    })?;
    no_descriptor_left(lab, &name, &text)?;
    output_refused(lab, &name, &text, &[&"recv", &name])?;
    output_refused(lab, &name, &text, &[&"watch", &name])
}

fn second_is_refused(session: &mut Session, name: &str) -> Result<(), Unpassed> {
    let second = watch(session, name)?;
    if !session.has_ended(second) {
        let next = "look at what mq_notify returns; mq_notify(3), EBUSY";
        return Err(Finding::new("error-report", "a second `jobq watch` on the same queue fails at mq_notify", "it goes on", next).into());
    }
    let judged = ends_with_report(session, second, &["mq_notify"]).and_then(|()| prints(session, second, b""));
    judged.map_err(|unpassed| about(unpassed, "a second `jobq watch` on the same queue"))
}

fn no_descriptor_left(lab: &Lab, name: &str, text: &str) -> Verdict {
    let fault = fail(MqOpen, libc::EMFILE).every();
    let (circumstance, new) = (fault.describe(), format!("{name}-new"));
    let commands: [Arguments; 4] = [&[&"create", &new], &[&"send", &name, &text], &[&"recv", &name], &[&"watch", &name]];
    lab.session(|session| {
        let _queue = session.make_queue(name, 4, 64)?;
        session.arm(fault);
        for arguments in commands {
            fails(session, arguments, &["mq_open"]).map_err(|unpassed| when(unpassed, &circumstance))?;
        }
        session.pass()
    })
}

/// As on a full disk.
fn output_refused(lab: &Lab, name: &str, text: &str, arguments: Arguments) -> Verdict {
    lab.session(|session| {
        let queue = session.make_queue(name, 4, 64)?;
        queue.send(text.as_bytes(), 0)?;
        session.arm(fail(Write, libc::ENOSPC).on_standard_output().every());
        let program = start(session, arguments)?;
        let judged = ends_with_report(session, program, &["write"]).map_err(|unpassed| in_command(unpassed, arguments));
        judged.map_err(|unpassed| when(unpassed, "write to standard output fails with ENOSPC"))?;
        session.pass()
    })
}

/// Wrong usage prints a message that begins with `usage: jobq` on standard error, nothing on standard output, and exits 2.
fn usage(lab: &Lab) -> Verdict {
    let (name, text) = (name(lab), lab.word());
    let wrong: [Arguments; 14] = [
        &[],
        &[&text, &name],
        &[&"create"],
        &[&"create", &"-x", &"1", &name],
        &[&"create", &"-m", &text, &name],
        &[&"create", &"-m", &name],
        &[&"create", &name, &name],
        &[&"send", &name],
        &[&"send", &"-p", &"-1", &name, &text],
        &[&"send", &name, &text, &text],
        &[&"recv"],
        &[&"recv", &"-t", &"", &name],
        &[&"watch", &name, &name],
        &[&"rm", &"-p", &"1", &name],
    ];
    lab.session(|session| {
        for arguments in wrong {
            is_wrong_usage(session, arguments).map_err(|unpassed| in_command(unpassed, arguments))?;
        }
        session.pass()
    })
}
