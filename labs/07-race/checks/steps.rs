//! What the checks share: counts to be made, runs of the program, and what is expected of them.

use std::os::unix::fs::MetadataExt;

use harness::prelude::*;

/// The counter's file, below the folder in which the programs run.
pub const FILE: &str = "count";

pub const MODES: [&str; 4] = ["none", "lock", "sem", "atomic"];

/// Result of looking at one thing.
pub type Looked = Result<(), Unpassed>;

/// One command line.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    pub procs: u64,
    pub times: u64,
    pub sync: &'static str,
}

impl Count {
    /// A few processes that count a few times each.
    pub fn few(lab: &Lab, sync: &'static str) -> Self {
        Self { procs: lab.number(2..5), times: lab.number(3..7), sync }
    }

    /// What it adds to the counter if nothing is lost.
    pub fn sum(&self) -> u64 {
        self.procs * self.times
    }

    /// Starts it.
    pub fn start(&self, session: &mut Session, called: &str) -> Result<Program, Unpassed> {
        let (procs, times) = (self.procs.to_string(), self.times.to_string());
        session.program("counter").args(["-p", &procs, "-n", &times, "--sync", self.sync, FILE]).called(called).start()
    }

    /// A run of it from beginning to end, with faults; `judge` then looks at it.
    pub fn run(&self, lab: &Lab, faults: &[Fault], judge: impl Fn(&mut Session, Program) -> Looked) -> Verdict {
        lab.session(|session| {
            let program = self.run_once(session, faults)?;
            judge(session, program)?;
            session.pass()
        })
    }

    /// The same under forced schedules: one process runs at a time, and a seed decides which.
    pub fn run_under_schedules(&self, lab: &Lab, schedules: usize, faults: &[Fault], judge: impl Fn(&mut Session, Program) -> Looked) -> Verdict {
        under_schedules(lab, schedules, |session| {
            let program = self.run_once(session, faults)?;
            judge(session, program)
        })
    }

    fn run_once(&self, session: &mut Session, faults: &[Fault]) -> Result<Program, Unpassed> {
        for fault in faults {
            session.arm(fault.clone());
        }
        let program = self.start(session, "counter")?;
        session.exit(program)?;
        session.all_end()?;
        Ok(program)
    }
}

/// How many schedules are tried.
pub const SCHEDULES: usize = 6;

/// The calls that libc's semaphores wait with.
pub const FUTEX: Call = Call::Other(libc::SYS_futex as u32);

/// Drives a run under one forced schedule after the other.
pub fn under_schedules(lab: &Lab, schedules: usize, drive: impl Fn(&mut Session) -> Looked) -> Verdict {
    each(0..schedules, |_| {
        let seed = lab.schedule_seed();
        let verdict = lab.session(|session| {
            session.schedule_by(seed);
            drive(session)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, "one process runs at a time, in an order that is forced"))
    })
}

/// A run for each case, until one does not pass.
pub fn each<T>(cases: impl IntoIterator<Item = T>, run: impl Fn(T) -> Verdict) -> Verdict {
    let mut verdict = Err(Unpassed::Broken("there is no case to check".into()));
    for case in cases {
        verdict = Ok(run(case)?);
    }
    verdict
}

/// Makes FILE, with this count in it.
pub fn make_file(session: &mut Session, before: u64) -> Looked {
    session.make_file(FILE, &before.to_ne_bytes())?;
    session.count_as_there_before();
    Ok(())
}

/// Fails unless the program exited with status 0, printed this total and left it in FILE.
pub fn total_is(session: &mut Session, program: Program, count: &Count, expected: u64) -> Looked {
    prints_total(session, program, count, expected)?;
    file_holds(session, expected)
}

/// Fails unless the program exited with status 0 and printed this total.
pub fn prints_total(session: &mut Session, program: Program, count: &Count, expected: u64) -> Looked {
    let total = total(session, program)?;
    if total == expected {
        return Ok(());
    }
    Err(miscounted("the total", count, expected, total).with(session.end_lines(program)).into())
}

/// The total that the program printed; fails unless it exited with status 0 and printed just that.
pub fn total(session: &mut Session, program: Program) -> Result<u64, Unpassed> {
    exits(session, program, Exit::Status(0))?;
    let printed = String::from_utf8_lossy(session.stdout(program)).into_owned();
    let total = printed.strip_suffix('\n').and_then(|digits| digits.parse().ok()).filter(|total: &u64| printed == format!("{total}\n"));
    total.ok_or_else(|| {
        let observed = format!("standard output: {}", excerpt(printed.as_bytes(), 0));
        Finding::new("output", "the total in decimal, on a line of its own, and nothing else", observed, "print once, when all children have ended")
            .with(session.end_lines(program))
            .into()
    })
}

/// Fails unless FILE is 8 bytes long and holds this count.
pub fn file_holds(session: &mut Session, expected: u64) -> Looked {
    let bytes = std::fs::read(session.path(FILE)).unwrap_or_default();
    if bytes == expected.to_ne_bytes() {
        return Ok(());
    }
    let observed = match <[u8; 8]>::try_from(bytes.as_slice()) {
        Ok(count) => format!("it holds {}", u64::from_ne_bytes(count)),
        Err(_) => format!("it is {} bytes long", bytes.len()),
    };
    let expected = format!("FILE is 8 bytes long and holds {expected}");
    Err(Finding::new("file", expected, observed, "let the mapping of FILE be the counter; mmap(2), MAP_SHARED; ftruncate(2)").into())
}

/// What two numbers differ by, and where to look.
pub fn miscounted(what: &str, count: &Count, expected: u64, observed: u64) -> Finding {
    let observed_from_zero = expected.checked_sub(observed).is_some_and(|missing| missing > count.sum());
    let observed = match expected.checked_sub(observed) {
        Some(lost) if (1..=count.sum()).contains(&lost) => format!("{what} is {observed}: {lost} of the additions are lost"),
        _ => format!("{what} is {observed}"),
    };
    let next = match count.sync {
        _ if observed_from_zero => "the count goes on from what FILE holds: map FILE, and set nothing to 0; mmap(2), MAP_SHARED; open(2), O_TRUNC",
        "lock" => "the lock is taken before the load, held without a break, and given back after the store; fcntl(2), Advisory record locking",
        "sem" => "all processes wait for one semaphore in shared memory before the load, and post it after the store; sem_init(3)",
        "atomic" => "one atomic operation loads, adds and stores; a load and a store that are atomic each are two: see AtomicU64::fetch_add",
        _ => "each child adds 1 TIMES times to the counter that all share; mmap(2), MAP_SHARED",
    };
    Finding::new("lost-update", format!("{what} is {expected}"), observed, next)
}

/// The program's children that have not ended.
pub fn children_alive(session: &Session, program: Program) -> usize {
    session.processes_of(program).filter(|process| process.parent.is_some() && process.exit.is_none()).count()
}

pub fn is_childs(session: &Session, event: &Event) -> bool {
    session.processes()[event.process.0].parent.is_some()
}

/// The commands of fcntl(2) that take and give back record locks.
pub const LOCKING: [i32; 4] = [libc::F_SETLKW, libc::F_SETLK, libc::F_OFD_SETLKW, libc::F_OFD_SETLK];

/// Starts the program, and holds its first child just after it got its first lock; the other children come when it is inside. Released by
/// [`leave`].
pub fn start_with_one_inside(session: &mut Session, count: &Count, called: &str) -> Result<(Program, Vec<Armed>), Unpassed> {
    let program = count.start(session, called)?;
    let locks =
        |command: &i32| hold_at(Fcntl).on(Kind::File).where_argument(1, *command as u64).by(Who::Children).of(program).afterwards().if_called();
    let inside: Vec<Armed> = LOCKING.iter().map(|command| session.arm(locks(command))).collect();
    // Alone, the first child gets the lock, whoever is the faster one later.
    let second_fork = session.arm(hold_at(Fork).by(Who::Parent).of(program).nth(2).if_called());
    session.settle()?;
    session.release(second_fork)?;
    session.settle()?;
    if inside.iter().any(|lock| session.fired(*lock).fired > 0) {
        return Ok((program, inside));
    }
    let expected = "each child takes a record lock on FILE itself, with fcntl";
    let next = "a record lock belongs to the process that takes it, and fork does not pass it on; fcntl(2), Advisory record locking";
    Err(Finding::new("lock", expected, "no child gets a lock from fcntl", next).with(session.end_lines(program)).into())
}

/// Fails unless the lock of the child that is inside covers the counter: another program that counts in FILE locks there. The kernel's list says which bytes
/// are locked; proc_locks(5).
pub fn counter_is_locked(session: &Session) -> Looked {
    let inode = std::fs::metadata(session.path(FILE))?.ino().to_string();
    let list = std::fs::read_to_string("/proc/locks")?;
    // "1: POSIX  ADVISORY  WRITE 4711 fd:01:123456 0 7"; of one that waits, "->" stands behind the number.
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    let of_file = lines.iter().filter(|words| words.len() == 8 && words[5].rsplit(':').next() == Some(&inode));
    let ranges: Vec<(u64, u64)> = of_file.map(|words| (words[6].parse().unwrap_or(u64::MAX), words[7].parse().unwrap_or(u64::MAX))).collect();
    let Some((from, to)) = ranges.first() else { return Err(Unpassed::Broken("the lock on FILE is not in /proc/locks".into())) };
    if *from == 0 && *to >= 7 {
        return Ok(());
    }
    let observed = if from == to { format!("byte {from} is locked") } else { format!("the bytes from {from} on are locked") };
    let next = "other programs lock the counter's 8 bytes: l_whence SEEK_SET, l_start 0, and l_len 8 (or 0, to the end of any file); fcntl(2)";
    Err(Finding::new("lock", "the lock covers the counter, the bytes 0 to 7 of FILE", observed, next).into())
}

/// Lets the child go on that is inside.
pub fn leave(session: &mut Session, inside: Vec<Armed>) -> Looked {
    inside.into_iter().try_for_each(|lock| session.release(lock))
}

/// Fails unless so many children of the program sleep in fcntl.
pub fn sleep_in_fcntl(session: &mut Session, program: Program, children: u64) -> Looked {
    let asleep = session.sleeping(program).iter().filter(|sleeping| sleeping.call == Fcntl).count() as u64;
    if asleep == children {
        return Ok(());
    }
    let others = if children == 1 { "the other child sleeps".to_owned() } else { format!("the {children} other children sleep") };
    let expected = format!("while one child has the lock, {others} in fcntl until it gives the lock back");
    let observed = if asleep == 0 { "none of them does".to_owned() } else { format!("only {asleep} of them does") };
    let next = "all lock the same bytes of FILE, for writing (F_WRLCK), each with its own call, and that call sleeps (F_SETLKW); fcntl(2)";
    let lines = session.waiting_lines();
    Err(Finding::new("lock", expected, observed, next).with(lines).into())
}

/// Fails unless standard error has a line that begins with one of these and the program exited with status 1, without a total.
pub fn fails(session: &mut Session, program: Program, beginnings: &[&str]) -> Looked {
    exits(session, program, Exit::Status(1))?;
    complains(session, program, beginnings)?;
    prints(session, program, b"")
}
