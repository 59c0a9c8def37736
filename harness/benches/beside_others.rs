//! What watching costs, beside tools that everybody knows: ratios on the same work, measured in turn in one run.
//!
//! `cargo bench -p harness --bench beside_others [-- trace|sandbox|hang|schedules]`. A tool that is not installed is named and left out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::check::Programs;
use harness::check::programs::Places;
use harness::lab::Lab;
use harness::manifest::Manifest;
use harness::prelude::{Program, Session, conflicts_reversed, prints, without_races};
use harness::verdict::{Unpassed, Verdict};

/// Rounds, after one that is not counted.
const ROUNDS: usize = 9;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let benches: [(&str, fn()); 4] =
        [("trace", trace_overhead), ("sandbox", sandbox_start), ("hang", hang_to_verdict), ("schedules", forced_schedules)];
    benches.iter().filter(|(name, _)| asked.is_empty() || asked.iter().any(|word| word == name)).for_each(|(_, bench)| bench());
}

/// What is measured, under its name.
type Contender<'name> = (&'name str, Box<dyn FnMut()>);

/// The median time of each contender; they take turns, so that a machine that gets slower does so for all.
fn in_turn(contenders: &mut [Contender<'_>]) -> Vec<Duration> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); contenders.len()];
    for round in 0..=ROUNDS {
        for (index, (_, work)) in contenders.iter_mut().enumerate() {
            let start = Instant::now();
            work();
            if round > 0 {
                times[index].push(start.elapsed());
            }
        }
    }
    let medians: Vec<Duration> = times
        .into_iter()
        .map(|mut times| {
            times.sort();
            times[times.len() / 2]
        })
        .collect();
    for ((name, _), median) in contenders.iter().zip(&medians) {
        println!("  {name:<58} {:>9.2} ms", median.as_secs_f64() * 1e3);
    }
    medians
}

fn installed(program: &str, package: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(program).is_file());
    if !found {
        println!("  left out: {program} is not installed (package {package})");
    }
    found
}

fn quiet(program: &Path, arguments: &[&str]) -> impl FnMut() + use<> {
    let (program, arguments) = (program.to_path_buf(), arguments.iter().map(ToString::to_string).collect::<Vec<_>>());
    move || {
        let status = Command::new(&program).args(&arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.is_ok_and(|status| status.success()), "{} failed", program.display());
    }
}

/// 200,000 reads and writes of one byte, all traced: dd, by the harness and by strace, both on one CPU.
fn trace_overhead() {
    println!("trace overhead: dd with 200,000 one-byte reads and writes, pinned");
    if !installed("strace", "strace") || !installed("taskset", "util-linux") {
        return;
    }
    let work = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=100000"];
    let pinned = |arguments: &[&str]| Box::new(quiet(Path::new("taskset"), &[&["-c", "0"], arguments, &work].concat())) as Box<dyn FnMut()>;
    let lab = env!("CARGO_BIN_EXE_lab");
    let medians = in_turn(&mut [
        ("untraced", pinned(&[])),
        ("lab trace --calls read,write", pinned(&[lab, "trace", "--calls", "read,write", "--output", "/dev/null", "--"])),
        ("strace -f --seccomp-bpf -e trace=read,write", pinned(&["strace", "-f", "--seccomp-bpf", "-e", "trace=read,write", "-o", "/dev/null"])),
    ]);
    println!("  harness / strace: {:.2} (goal: below 0.8)\n", medians[1].as_secs_f64() / medians[2].as_secs_f64());
}

/// A lab whose programs are these of the system.
fn lab_of(programs: &[&str]) -> Lab {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("beside_others");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    let mut manifest = "title = \"b\"\nsummary = \"b\"\nlevel = 1\ncalls = []\ncheck = []\n".to_owned();
    for program in programs {
        let original =
            ["/usr/bin", "/bin"].iter().map(|place| Path::new(place).join(program)).find(|path| path.is_file()).expect("a program of coreutils");
        let _ = std::fs::copy(original, folder.join(program)).expect("the program can be copied");
        manifest.push_str(&format!("[[program]]\nname = \"{program}\"\nsource = \"s\"\nusage = \"u\"\n"));
    }
    Lab::new(Manifest::parse(&manifest, Path::new("bench")).expect("a manifest"), Programs::new(Places::folder(folder), "bench"), 1, "bench")
}

/// /bin/true in a fresh sandbox, traced and judged, beside bubblewrap without either.
fn sandbox_start() {
    println!("start of a sandboxed run of true");
    if !installed("bwrap", "bubblewrap") {
        return;
    }
    let lab = lab_of(&["true"]);
    let run = move || lab.run("true").exits(0).verdict().map(drop).expect("true exits 0");
    let medians = in_turn(&mut [
        ("fork and exec", Box::new(quiet(Path::new("true"), &[]))),
        ("a session: six namespaces, private mounts, traced, judged", Box::new(run)),
        (
            "bwrap --unshare-all",
            Box::new(quiet(
                Path::new("bwrap"),
                &["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "true"],
            )),
        ),
    ]);
    println!("  harness / bwrap: {:.2} (goal: at most 0.5)\n", medians[1].as_secs_f64() / medians[2].as_secs_f64());
}

/// From the start of a program that hangs to the finding, beside the same program when it does not hang.
fn hang_to_verdict() {
    println!("from a hang to its verdict: a shell that opens a FIFO nobody writes");
    let lab = lab_of(&["true", "dash"]);
    let hang: fn(&Lab) -> Verdict = |lab| lab.run("dash").arg("-c").arg("mkfifo f; read line < f").exits(0).verdict();
    let ends: fn(&Lab) -> Verdict = |lab| lab.run("dash").arg("-c").arg("mkfifo f; true").exits(0).verdict();
    let lab = std::rc::Rc::new(lab);
    let other = std::rc::Rc::clone(&lab);
    let medians = in_turn(&mut [
        ("dash -c 'mkfifo f; true': pass", Box::new(move || assert!(ends(&lab).is_ok()))),
        (
            "dash -c 'mkfifo f; read line < f': deadlock",
            Box::new(move || assert!(matches!(hang(&other), Err(Unpassed::Fail(finding)) if finding.kind == "deadlock"))),
        ),
    ]);
    let extra = medians[1].saturating_sub(medians[0]);
    println!("  a hang costs {:.1} ms more than an end (goal: under 100 ms)", extra.as_secs_f64() * 1e3);
}

/// Two children that count in shared memory, under one schedule after the other, beside the same program without one.
fn forced_schedules() {
    println!("one forced schedule: two children that count in shared memory (tests/programs/counter.c)");
    let lab = std::rc::Rc::new(lab_of_c("counter"));
    let run = |arguments: [&'static str; 3], scheduled: bool| {
        let lab = std::rc::Rc::clone(&lab);
        let work = move || {
            let ended = lab.session(|session| {
                if scheduled {
                    session.schedule_by(lab.schedule_seed());
                }
                to_its_end(session, "counter", &arguments).and_then(|_| session.pass())
            });
            assert!(ended.is_ok(), "{ended:?}");
        };
        Box::new(work) as Box<dyn FnMut()>
    };
    in_turn(&mut [
        ("counter none 2 1, no schedule", run(["none", "2", "1"], false)),
        ("counter none 2 1, a schedule", run(["none", "2", "1"], true)),
        ("counter none 2 10, a schedule", run(["none", "2", "10"], true)),
        ("counter semop 2 10, a schedule", run(["semop", "2", "10"], true)),
    ]);
    println!("until a mistake is found, by chance (medians of {ROUNDS} seeds to begin with) and by reversing conflicts:");
    for (what, program, arguments, output) in MISTAKES {
        until_found(what, program, arguments, output);
    }
}

/// What is wrong with a program of `tests/programs`, its arguments, and its output if nothing were wrong; without one, data races are looked for.
type Mistake = (&'static str, &'static str, &'static [&'static str], Option<&'static str>);

const MISTAKES: [Mistake; 7] = [
    ("no lock, one increment each: the race is flagged", "counter", &["none", "2", "1"], None),
    ("no lock, one increment each: the result is wrong", "counter", &["none", "2", "1"], Some("2\n")),
    ("no lock, ten increments each: the result is wrong", "counter", &["none", "2", "10"], Some("20\n")),
    ("two semaphores in opposite order: deadlock", "two_semaphores", &["opposite"], Some("")),
    ("a signal between check and pause: deadlock", "lost_wakeup", &[], Some("came\n")),
    ("a sleep as synchronisation: the file is not there yet", "file_from_child", &["sleeps"], Some("2 hi\n")),
    ("a value that is wrong for one call behind twenty others", "narrow", &[], Some("0\n")),
];

/// Most schedules by chance.
const MOST_SEEDS: u64 = 200;

fn until_found(what: &str, program: &str, arguments: &[&str], output: Option<&str>) {
    let lab = lab_of_c(program);
    let judged = |session: &mut Session| {
        let ended = to_its_end(session, program, arguments)?;
        match output {
            Some(output) => prints(session, ended, output.as_bytes())?,
            None => without_races(session)?,
        }
        session.pass()
    };
    let by_chance = |first: u64| {
        let start = Instant::now();
        let fails = |seed: &u64| {
            let verdict = lab.session(|session| {
                session.schedule_by(*seed);
                judged(session)
            });
            matches!(verdict, Err(Unpassed::Fail(_)))
        };
        let found = (first..first + MOST_SEEDS).find(fails);
        (found.map(|seed| seed - first + 1), start.elapsed())
    };
    let mut found = vec![by_chance(0)];
    if found[0].0.is_some() {
        found.extend((1..ROUNDS as u64).map(|round| by_chance(round * 1000)));
    }
    found.sort();
    let chance = match found[found.len() / 2] {
        (Some(schedules), time) => format!("{schedules:>4} schedules, {:>8.1} ms", time.as_secs_f64() * 1e3),
        (None, time) => format!("not in {MOST_SEEDS}, {:>8.1} ms", time.as_secs_f64() * 1e3),
    };
    let start = Instant::now();
    let (verdict, explored) = lab.explore(conflicts_reversed(), judged);
    assert!(verdict.is_err(), "{program}: {explored}");
    println!("  {what:<58} {chance}; {:>4} schedules, {:>8.1} ms", explored.schedules, start.elapsed().as_secs_f64() * 1e3);
}

fn to_its_end(session: &mut Session, program: &str, arguments: &[&str]) -> Result<Program, Unpassed> {
    let program = session.program(program).args(arguments.iter().copied()).start()?;
    session.exit(program)?;
    session.all_end()?;
    Ok(program)
}

/// A lab whose program is this one of `tests/programs`.
fn lab_of_c(program: &str) -> Lab {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("schedules");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(program).with_extension("c");
    let compiled = Command::new("cc").args(["-std=gnu11", "-O1", "-pthread", "-o"]).arg(folder.join(program)).arg(source).status();
    assert!(compiled.is_ok_and(|status| status.success()), "{program}.c compiles");
    let manifest = format!(
        "title = \"b\"\nsummary = \"b\"\nlevel = 1\ncalls = []\ncheck = []\n[[program]]\nname = \"{program}\"\nsource = \"s\"\nusage = \"u\"\n"
    );
    let manifest = Manifest::parse(&manifest, Path::new("bench")).expect("a manifest");
    Lab::new(manifest, Programs::new(Places::folder(&folder), "bench"), 1, "bench")
}
