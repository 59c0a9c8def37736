//! Checks for the lab on POSIX shared memory, one for each promise in its README.
//!
//! All processes run the student's own program, and the check is one more process at the ring: it reads the shared memory where the handout says what stands
//! there, and writes what no right program would.

use harness::prelude::*;

#[path = "checks/damage.rs"]
mod damage;
#[path = "checks/deadlines.rs"]
mod deadlines;
#[path = "checks/steps.rs"]
mod steps;
#[path = "checks/tools.rs"]
mod tools;
use deadlines::*;
use steps::*;
use tools::shares_with_python;

harness::checks! {
    create_makes_ring, lines_travel, create_refuses_existing, rm_removes, put_waits, get_waits, get_times_out, layout_kept, long_line, not_ready,
    damage_reported, many_at_once, tools, interrupted, errors_reported, usage,
}

/// `ring create -c CAP NAME` makes a shared-memory object of 128 + 256 × CAP bytes with mode 0600. It begins with the magic number and CAP, and `head` and
/// `tail` are 0. It prints nothing and exits 0.
fn create_makes_ring(lab: &Lab) -> Verdict {
    each([1, lab.number(2..50), lab.number(300..1000)], |capacity| {
        let name = name(lab);
        lab.session(|session| {
            create(session, &name, capacity)?;
            let memory = memory(&name)?;
            let expected = SLOTS + SLOT * capacity;
            if memory.len() as u64 != expected {
                let next = "a new object has length 0; give it its length with ftruncate; shm_open(3), ftruncate(2)";
                let observed = format!("it has {}", memory.len());
                return Err(Finding::new("layout", format!("the object has {expected} bytes"), observed, next).into());
            }
            let numbers = [("the magic number", 0, MAGIC), ("the capacity", CAPACITY, capacity as u32), ("head", HEAD, 0), ("tail", TAIL, 0)];
            numbers.into_iter().try_for_each(|(what, offset, expected)| number_is(&memory, what, offset, expected))?;
            let mode = mode(&name)?;
            if mode != 0o600 {
                let next = "a mode is written in octal; shm_open(3), mode";
                return Err(Finding::new("mode", "the object's mode is 0600", format!("it is {mode:04o}"), next).into());
            }
            session.pass()
        })
        .map_err(|unpassed| when(unpassed, &format!("CAP is {capacity}")))
    })
}

/// What `ring put` reads comes out of `ring get`, in the same order, also when the slots are used again: lines of 0 to 252 bytes, of any bytes but the
/// newline. A last line without a newline is a line. `get -n N` takes N lines, `get` alone takes one. Both exit 0.
fn lines_travel(lab: &Lab) -> Verdict {
    let (name, capacity) = (name(lab), lab.number(3..7));
    let mut unusual = lines(lab, 3);
    let any = |length: u64| lab.bytes(length as usize).into_iter().map(|byte| if byte == b'\n' { 0 } else { byte }).collect::<Vec<_>>();
    unusual.extend([Vec::new(), any(lab.number(20..200)), any(LONGEST as u64), vec![0], b"- ".to_vec(), vec![0xff; 3]]);
    let plain: Vec<_> = (0..3).map(|_| lines(lab, capacity)).collect();
    lab.session(|session| {
        create(session, &name, capacity)?;
        for lines in &plain {
            put(session, &name, lines)?;
            get(session, &name, lines)?;
        }
        for lines in unusual.chunks(3) {
            put(session, &name, lines)?;
            get(session, &name, lines)?;
        }
        let [first, second] = [&plain[0][0], &plain[1][0]];
        let without_newline = [&text(std::slice::from_ref(first))[..], second].concat();
        ends_well(session, &["put", &name], &without_newline, b"")?;
        for line in [first, second] {
            ends_well(session, &["get", &name], b"", &text(std::slice::from_ref(line)))?;
        }
        ends_well(session, &["put", &name], b"", b"")?;
        session.pass()
    })
}

/// `ring create` fails where NAME exists already: it reports shm_open, exits 1, and changes nothing about the ring, nor about the lines in it.
fn create_refuses_existing(lab: &Lab) -> Verdict {
    let (name, capacity) = (name(lab), lab.number(3..7));
    let lines = lines(lab, 3);
    lab.session(|session| {
        create(session, &name, capacity)?;
        put(session, &name, &lines)?;
        let before = memory(&name)?;
        for capacity in [capacity, capacity + 1] {
            fails(session, &["create", "-c", &capacity.to_string(), &name], b"", "ring: shm_open:")?;
        }
        if memory(&name)? != before {
            let next = "ask for a new object with O_EXCL, and touch nothing before you have it; shm_open(3)";
            return Err(Finding::new("shared-memory", "the ring is as it was", "it has changed", next).into());
        }
        get(session, &name, &lines)?;
        session.pass()
    })
}

/// `ring rm NAME` removes the shared-memory object, and a new ring can then be made under the same name. No other command removes it.
fn rm_removes(lab: &Lab) -> Verdict {
    let (name, capacity) = (name(lab), lab.number(3..7));
    let lines = lines(lab, 2);
    lab.session(|session| {
        create(session, &name, capacity)?;
        put(session, &name, &lines)?;
        get(session, &name, &lines[..1])?;
        memory(&name)?;
        ends_well(session, &["rm", &name], b"", b"")?;
        nothing_is_left(session)?;
        create(session, &name, capacity)?;
        put(session, &name, &lines)?;
        get(session, &name, &lines)?;
        ends_well(session, &["rm", &name], b"", b"")?;
        nothing_is_left(session)?;
        session.pass()
    })
}

/// `ring put` sleeps while the ring is full and goes on when a line has been taken, without asking again and again. No line is lost or overwritten, however
/// many more there are than slots, and `get` can take lines while a `put` waits.
fn put_waits(lab: &Lab) -> Verdict {
    let name = name(lab);
    each([1, lab.number(2..6)], |capacity| {
        let lines = lines(lab, capacity + lab.number(2..6));
        let verdict = lab.session(|session| {
            create(session, &name, capacity)?;
            let put = start(session, &["put", &name], &text(&lines))?;
            session.until_asleep("put sleeps until there is a free slot")?;
            get(session, &name, &lines[..1])?;
            session.until_asleep("put sleeps until there is a free slot")?;
            // Never more than there are: whether get waits is another promise.
            for taken in lines[1..].chunks(capacity as usize) {
                get(session, &name, taken)?;
                session.settle()?;
            }
            session.exit(put)?;
            has_ended_well(session, put, b"")?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &format!("CAP is {capacity}, and there are {} lines", lines.len())))
    })
}

/// `ring get` sleeps while the ring is empty, without asking again and again, and prints each line as soon as it is there. `ring put` puts each line as soon
/// as it has read it; it does not wait for the end of its input.
fn get_waits(lab: &Lab) -> Verdict {
    let (name, capacity) = (name(lab), lab.number(2..6));
    let lines = lines(lab, 4);
    lab.session(|session| {
        create(session, &name, capacity)?;
        let get = start(session, &["get", "-n", "4", &name], b"")?;
        session.until_asleep("get sleeps until there is a line")?;
        put(session, &name, &lines[..1])?;
        session.until_asleep("get sleeps until there is another line")?;
        prints(session, get, &text(&lines[..1])).map_err(|unpassed| when(unpassed, "the first of several lines was put"))?;
        let put = session.program("ring").args(["put", &name]).called("`ring put`").open_stdin().start()?;
        for known in 2..4 {
            session.feed(put, &text(&lines[known - 1..known]));
            session.until_asleep("get sleeps until there is another line, and put until it can read one")?;
            prints(session, get, &text(&lines[..known])).map_err(|unpassed| when(unpassed, "put has read a line and its input goes on"))?;
        }
        session.feed(put, &lines[3]);
        session.end_input(put);
        for (program, output) in [(put, Vec::new()), (get, text(&lines))] {
            session.exit(program)?;
            has_ended_well(session, program, &output)?;
        }
        session.pass()
    })
}

/// `ring get -t MS` waits at most MS milliseconds for each line: it sleeps until that point in time and not longer, then reports sem_timedwait and exits 1. The
/// lines that came before are printed. What is there is taken at once, even with `-t 0`.
fn get_times_out(lab: &Lab) -> Verdict {
    let (name, capacity) = (name(lab), lab.number(3..6));
    let lines = lines(lab, 3);
    let limit = lab.number(30..120);
    let milliseconds = limit.to_string();
    lab.session(|session| {
        session.trace_too(FUTEX);
        create(session, &name, capacity)?;
        gives_up_in_time(session, &["get", "-t", &milliseconds, &name], b"", limit)?;
        put(session, &name, &lines[..1])?;
        gives_up_in_time(session, &["get", "-n", "2", "-t", &milliseconds, &name], &text(&lines[..1]), limit)?;
        put(session, &name, &lines)?;
        ends_well(session, &["get", "-t", "0", &name], b"", &text(&lines[..1]))?;
        // 999 ms from now lie in the next second, unless the clock stands in the first millisecond of a second: it cannot do so twice.
        for line in &lines[1..] {
            ends_well(session, &["get", "-t", "999", &name], b"", &text(std::slice::from_ref(line)))?;
        }
        fails(session, &["get", "-t", "0", &name], b"", "ring: sem_timedwait:")?;
        session.pass()
    })?;
    lab.session(|session| {
        create(session, &name, capacity)?;
        let get = start(session, &["get", "-t", "60000", &name], b"")?;
        session.until_asleep_for_a_while("get sleeps until there is a line")?;
        put(session, &name, &lines[..1])?;
        session.exit(get)?;
        has_ended_well(session, get, &text(&lines[..1]))?;
        session.pass()
    })
    .map_err(|unpassed| when(unpassed, "a line comes while `ring get -t 60000` waits"))?;
    deadlines::count_anew(lab)
}

/// Lines and indices stand where the handout says: `head` is the slot of the oldest line, `tail` the one for the next, and each slot between them holds the
/// length of its line and then its bytes.
fn layout_kept(lab: &Lab) -> Verdict {
    let (name, capacity) = (name(lab), lab.number(4..8));
    let lines = lines(lab, capacity + 2);
    let taken = 3;
    lab.session(|session| {
        create(session, &name, capacity)?;
        let (first, rest) = lines.split_at(capacity as usize - 1);
        put(session, &name, first)?;
        get(session, &name, &lines[..taken])?;
        put(session, &name, rest)?;
        let memory = memory(&name)?;
        number_is(&memory, "head", HEAD, taken as u32)?;
        number_is(&memory, "tail", TAIL, (lines.len() as u64 % capacity) as u32)?;
        for (place, line) in lines.iter().enumerate().skip(taken) {
            let slot = place as u64 % capacity;
            let at = SLOTS + slot * SLOT;
            number_is(&memory, &format!("the length of the line in slot {slot}"), at, line.len() as u32)?;
            let data = at as usize + 4;
            let held = memory.get(data..data + line.len()).unwrap_or_default();
            if held != line {
                return Err(difference(&format!("slot {slot}"), line, held).into());
            }
        }
        session.pass()
    })
}

/// A line of more than 252 bytes ends `ring put`: a line that begins with `ring: ` on standard error, exit status 1. Nothing of it is in the ring; the lines
/// before it are.
fn long_line(lab: &Lab) -> Verdict {
    let lines = lines(lab, 2);
    let lengths = [LONGEST as u64 + 1, lab.number(257..600), 70_000];
    each(lengths.into_iter().flat_map(|length| [(length, true), (length, false)]), |(length, goes_on)| {
        let (name, long) = (name(lab), vec![b'x'; length as usize]);
        let verdict = lab.session(|session| {
            create(session, &name, 8)?;
            let mut input = text(&[lines[0].clone(), long, lines[1].clone()]);
            if !goes_on {
                input.truncate(lines[0].len() + 1 + length as usize);
            }
            fails(session, &["put", &name], &input, "ring: ")?;
            get(session, &name, &lines[..1])?;
            fails(session, &["get", "-t", "0", &name], b"", "ring: sem_timedwait:").map_err(|unpassed| when(unpassed, "no line should be left"))?;
            session.pass()
        });
        let circumstance = if goes_on { "a line has" } else { "the last line has no newline and" };
        verdict.map_err(|unpassed| when(unpassed, &format!("{circumstance} {length} bytes")))
    })
}

/// A ring that its creator has not finished, and an object that is no ring, are refused by `put` and `get` with a line that begins with `ring: ` on
/// standard error and exit status 1. When the creator is done, the ring is as good as any.
fn not_ready(lab: &Lab) -> Verdict {
    let lines = lines(lab, 2);
    let places = [("has not called ftruncate yet", hold_at(Truncate)), ("has not mapped the ring yet", at_shared_mapping(hold_at(MMAP)))];
    each(places, |(circumstance, hold)| {
        let name = name(lab);
        let verdict = lab.session(|session| {
            session.trace_too(MMAP);
            let creator = start(session, &["create", "-c", "3", &name], b"")?;
            let hold = session.arm(hold.of(creator));
            session.until_held(hold)?;
            refused(session, &name, &text(&lines))?;
            session.release(hold)?;
            session.exit(creator)?;
            has_ended_well(session, creator, b"")?;
            put(session, &name, &lines)?;
            get(session, &name, &lines)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &format!("the creator {circumstance}")))
    })?;
    let other = name(lab);
    let verdict = lab.session(|session| {
        create(session, &other, 3)?;
        put(session, &other, &lines)?;
        poke(&other, 0, MAGIC + 1)?;
        refused(session, &other, &text(&lines))?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, "NAME is like a ring but for its magic number"))?;
    each([0, lab.number(1..100), SLOTS + 3 * SLOT], |length| {
        let (name, content) = (name(lab), lab.bytes(length as usize));
        let verdict = lab.session(|session| {
            make_object(session, &name, &content)?;
            let judged = refused(session, &name, &text(&lines));
            remove_object(&name)?;
            judged?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &format!("NAME is an object of {length} bytes that is no ring")))
    })
}

fn refused(session: &mut Session, name: &str, input: &[u8]) -> Looked {
    fails(session, &["put", name], input, "ring: ")?;
    fails(session, &["get", name], b"", "ring: ")
}

/// A capacity that does not fit the object, an index that is not below the capacity, and a length of more than 252 are damage. The command that meets it, also
/// one that has been at work for a while, prints a line that begins with `ring: ` on standard error, prints no line, and exits 1. It does not keep the mutex:
/// the next command reports it as well.
fn damage_reported(lab: &Lab) -> Verdict {
    let capacity = lab.number(4..8) as u32;
    let wild = lab.number(1 << 20..1 << 31) as u32;
    let (get, put) = (&["get"][..], &["put"][..]);
    let damages = [
        ("head", HEAD, capacity, get),
        ("head", HEAD, wild, get),
        ("head", HEAD, u32::MAX, get),
        ("tail", TAIL, capacity, put),
        ("tail", TAIL, wild, put),
        ("tail", TAIL, u32::MAX, put),
        ("the length of every line", SLOTS, LONGEST as u32 + 1, get),
        // In its last byte alone, this is no more than permitted.
        ("the length of every line", SLOTS, 256 + 20, get),
        ("the length of every line", SLOTS, u32::MAX, get),
        ("the capacity", CAPACITY, 0, &["get", "put"]),
        ("the capacity", CAPACITY, capacity + 1, &["get", "put"]),
        ("the capacity", CAPACITY, u32::MAX, &["get", "put"]),
    ];
    let damaged = |circumstance: &str, commands: &[&str], damage: &dyn Fn(&str) -> Looked| {
        let (name, lines) = (name(lab), lines(lab, 2));
        let verdict = lab.session(|session| {
            create(session, &name, capacity.into())?;
            steps::put(session, &name, &lines)?;
            damage(&name)?;
            for _ in 0..2 {
                for command in commands {
                    fails(session, &[command, &name], b"another line\n", "ring: ")?;
                }
            }
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, circumstance))
    };
    each(damages, |(what, offset, value, commands)| {
        damaged(&format!("CAP is {capacity} and another process has set {what} to {value}"), commands, &|name: &str| {
            // A length is that of one slot; there are two lines.
            let places = if offset == SLOTS { &[offset, offset + SLOT][..] } else { &[offset] };
            places.iter().try_for_each(|place| poke(name, *place, value))
        })
    })?;
    damaged("the object is shorter than its capacity says", &["get", "put"], &|name: &str| set_length(name, SLOTS + SLOT * u64::from(capacity) - 1))?;
    damage::while_put_works(lab)?;
    damage::while_get_waits(lab)
}

/// Any number of `put` and `get` may work on a ring at the same time. Every line comes out once and whole, those of one `put` come out of each `get` in their
/// order, and all exit 0, in whatever order the processes run.
fn many_at_once(lab: &Lab) -> Verdict {
    const SCHEDULES: usize = 8;
    let (capacity, each_puts, producers) = (lab.number(2..5), lab.number(5..8), 3);
    // Each line tells whose it is and which.
    let inputs: Vec<Vec<Vec<u8>>> =
        (0..producers).map(|producer| (0..each_puts).map(|place| format!("{producer} {place} {}", lab.word()).into_bytes()).collect()).collect();
    let shares = [each_puts, each_puts * (producers - 1)];
    each(0..SCHEDULES, |_| {
        let (name, seed) = (name(lab), lab.schedule_seed());
        let verdict = lab.session(|session| {
            session.schedule_by(seed);
            create(session, &name, capacity)?;
            let puts: Vec<Program> = inputs.iter().map(|lines| start(session, &["put", &name], &text(lines))).collect::<Result<_, _>>()?;
            let gets: Vec<Program> =
                shares.iter().map(|share| start(session, &["get", "-n", &share.to_string(), &name], b"")).collect::<Result<_, _>>()?;
            session.all_end()?;
            for program in puts.iter().chain(&gets) {
                exits(session, *program, Exit::Status(0))?;
            }
            comes_out(session, &inputs, &gets)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, "one process runs at a time, in an order that is forced"))
    })
}

/// Fails unless what came out of all consumers is what went in, and that of each producer in its order.
fn comes_out(session: &Session, inputs: &[Vec<Vec<u8>>], gets: &[Program]) -> Looked {
    let outputs: Vec<Vec<&[u8]>> = gets.iter().map(|get| session.stdout(*get).split_inclusive(|byte| *byte == b'\n').collect()).collect();
    let sorted = |mut lines: Vec<Vec<u8>>| {
        lines.sort();
        lines.concat()
    };
    let all = sorted(inputs.iter().flat_map(|lines| lines.iter().map(|line| text(std::slice::from_ref(line)))).collect());
    let came = sorted(outputs.iter().flatten().map(|line| line.to_vec()).collect());
    if all != came {
        let finding = difference("all lines that came out, sorted", &all, &came);
        let next = "only one process at a time may be at the indices and the slots, from the look at the index to the end of the copy; sem_wait(3)";
        return Err(Finding { next: next.into(), ..finding }.into());
    }
    let in_order = |lines: &[Vec<u8>], output: &[&[u8]]| {
        let places: Vec<usize> = output.iter().filter_map(|line| lines.iter().position(|known| *line == text(std::slice::from_ref(known)))).collect();
        places.is_sorted()
    };
    if inputs.iter().all(|lines| outputs.iter().all(|output| in_order(lines, output))) {
        return Ok(());
    }
    let next = "take the oldest line: head moves on by one slot with each line; see how head and tail change";
    Err(Finding::new("order", "lines of one put come out in their order", "a later one comes first", next).into())
}

/// A program in Python that keeps to the layout shares the ring with `put` and `get`: the lines of each come out at the other, and each waits for the other.
fn tools(lab: &Lab) -> Verdict {
    shares_with_python(lab)
}

/// A sem_wait, a sem_timedwait or a read that fails with EINTR is made again, and no line is lost. A sem_timedwait keeps its deadline.
fn interrupted(lab: &Lab) -> Verdict {
    let (name, lines) = (name(lab), lines(lab, 4));
    let sleeps = || at_semaphore_sleep(fail(FUTEX, libc::EINTR)).alternately();
    let limit = lab.number(30..120);
    let waits = |circumstance: &str, drive: &dyn Fn(&mut Session) -> Looked| {
        let verdict = lab.session(|session| {
            session.trace_too(FUTEX);
            create(session, &name, 2)?;
            drive(session)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, circumstance))
    };
    waits("the sem_wait of put fails with EINTR", &|session| {
        let put = start(session, &["put", &name], &text(&lines))?;
        session.arm(sleeps().of(put));
        session.until_asleep("put sleeps until there is a free slot")?;
        get(session, &name, &lines)?;
        session.exit(put)?;
        has_ended_well(session, put, b"")
    })?;
    waits("the sem_wait of get fails with EINTR", &|session| {
        let get = start(session, &["get", "-n", "2", &name], b"")?;
        session.arm(sleeps().of(get));
        session.until_asleep("get sleeps until there is a line")?;
        put(session, &name, &lines[..2])?;
        session.exit(get)?;
        has_ended_well(session, get, &text(&lines[..2]))
    })?;
    waits("the sem_timedwait of get fails with EINTR", &|session| {
        session.arm(sleeps());
        gives_up_in_time(session, &["get", "-t", &limit.to_string(), &name], b"", limit)
    })?;
    waits("a read of standard input fails with EINTR", &|session| {
        let put = start(session, &["put", &name], &text(&lines[..2]))?;
        session.arm(fail(Read, libc::EINTR).on(Kind::Standard).of(put).alternately());
        session.exit(put)?;
        has_ended_well(session, put, b"")?;
        get(session, &name, &lines[..2])
    })
}

/// If shm_open, ftruncate, mmap, shm_unlink, sem_timedwait, reading standard input or writing to standard output fails, the program prints
/// `ring: call: message (ERRNO)` on standard error and exits 1; so it does where no ring NAME exists. A create that fails leaves no object behind.
fn errors_reported(lab: &Lab) -> Verdict {
    let (name, lines) = (name(lab), lines(lab, 2));
    lab.session(|session| {
        fails(session, &["put", &name], b"", "ring: shm_open:")?;
        fails(session, &["get", &name], b"", "ring: shm_open:")?;
        fails(session, &["rm", &name], b"", "ring: shm_unlink:")?;
        fails(session, &["create", "-c", "2", "/no/such/place"], b"", "ring: shm_open:")?;
        session.pass()
    })?;
    let create_faults = [
        (fail(Open, libc::EMFILE), "ring: shm_open:"),
        (fail(Truncate, libc::ENOSPC), "ring: ftruncate:"),
        (at_shared_mapping(fail(MMAP, libc::ENOMEM)), "ring: mmap:"),
    ];
    each(create_faults, |(fault, beginning)| {
        let circumstance = fault.describe();
        let verdict = lab.session(|session| {
            session.trace_too(MMAP);
            session.arm(fault);
            fails(session, &["create", "-c", "2", &name], b"", beginning)?;
            nothing_is_left(session)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &circumstance))
    })?;
    let put = ["put", name.as_str()];
    let get = ["get", name.as_str()];
    let later_faults = [
        (&put, fail(Open, libc::EMFILE), "ring: shm_open:"),
        (&get, at_shared_mapping(fail(MMAP, libc::ENOMEM)), "ring: mmap:"),
        (&put, fail(Read, libc::EIO).on(Kind::Standard).every(), "ring: read:"),
        (&get, fail(Write, libc::ENOSPC).on_standard_output().every(), "ring: write:"),
    ];
    each(later_faults, |(command, fault, beginning)| {
        let circumstance = fault.describe();
        let verdict = lab.session(|session| {
            session.trace_too(MMAP);
            create(session, &name, 4)?;
            steps::put(session, &name, &lines)?;
            session.arm(fault);
            fails(session, command, b"line\n", beginning)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &circumstance))
    })
}

/// Wrong usage (an unknown command or option, an option without its number or with something that is not a number, no `-c`, a CAP or N of 0, no NAME, an
/// argument too many) prints a line that begins with `usage: ring` on standard error and nothing on standard output, and exits 2.
fn usage(lab: &Lab) -> Verdict {
    let (name, word) = (name(lab), lab.word());
    let wrong: [&[&str]; 13] = [
        &[],
        &[&word, &name],
        &["create", &name],
        &["create", "-c", &word, &name],
        &["create", "-c", "0", &name],
        &["create", "-c", "2"],
        &["create", "-c", "2", &name, &name],
        &["put"],
        &["put", "-n", "2", &name],
        &["get", "-n", &name],
        &["get", "-n", "0", &name],
        &["get", "-t", "-5", &name],
        &["rm", &name, &name],
    ];
    each(wrong, |arguments| {
        let run = lab.run("ring").args(arguments.iter().copied()).exits(2).complains(&["usage: ring"]).prints("").leaves_nothing();
        run.verdict().map_err(|unpassed| in_command(unpassed, arguments))
    })
}
