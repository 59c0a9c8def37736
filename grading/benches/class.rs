//! What a class costs: minutes, submissions a minute and memory as it grows, what hangs cost, and `cargo test` in fresh clones beside it.
//!
//! `cargo bench -p grading --bench class`. CLASS_SIZES are the numbers of students (`50,100,200`; empty for none), CLASS_LABS the labs (`pipe`), CLASS_HANGS how many students
//! the two classes have that are compared (the first size), CLASS_CLONES how many fresh clones are tested (3; 0 for none). Those two classes are graded in turn, in three parts
//! each, so that what else the machine does meets both. The class is made of the lab's solution, its accepted and its rejected submissions, each with a small edit of its own, so that no two
//! sources are equal and none is built for another.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use grading::sources::Source;
use grading::{sources, workspace};
use harness::manifest::LabFolder;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// In how many parts the two classes that are compared are graded.
const PARTS: usize = 3;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf();
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("class");
    let _ = std::fs::remove_dir_all(&place);
    let names: Vec<String> = setting("CLASS_LABS", "pipe").split(',').map(str::to_owned).collect();
    let labs = workspace::labs(&root, &names).expect("the labs");
    let sizes = setting("CLASS_SIZES", "50,100,200");
    let sizes: Vec<usize> = sizes.split(',').filter(|size| !size.is_empty()).map(|size| size.parse().expect("a number of students")).collect();

    println!("building the checks once");
    let bench = Bench { root: root.clone(), place: place.clone(), names };
    bench.grade(&bench.class("warm", &labs, 1, Mix::All), "warm");

    println!("\na class of N students, {} labs; right and wrong answers, no two alike", labs.len());
    println!("{:>6} {:>9} {:>8} {:>11} {:>13} {:>12} {:>14}", "N", "graded", "minutes", "per minute", "CPU s each", "grader MiB", "all together");
    for &students in &sizes {
        let name = format!("all-{students}");
        bench.grade(&bench.class(&name, &labs, students, Mix::All), &name).print(students, students * labs.len());
    }

    let hangs = setting("CLASS_HANGS", &sizes.first().copied().unwrap_or(30).to_string()).parse().expect("a number of students");
    bench.compare_hangs(&labs, hangs);

    let clones: usize = setting("CLASS_CLONES", "3").parse().expect("a number of clones");
    if clones > 0 {
        println!("\n`cargo test` of {} in fresh clones of the student's workspace, one after another", labs[0].name);
        let handout = place.join("handout");
        run(Command::new(env!("CARGO_BIN_EXE_grade")).current_dir(&root).arg("handout").arg(&handout));
        let start = Instant::now();
        for number in 0..clones {
            let student = place.join(format!("clone-{number}"));
            run(Command::new("cp").arg("-r").arg(&handout).arg(&student));
            for source in edited(&labs[0], &sources::solution(&labs[0]).expect("the solution"), number) {
                std::fs::write(student.join("labs").join(&labs[0].folder).join(&source.path), source.text).expect("the clone can be written");
            }
            run(Command::new("cargo").current_dir(&student).env("CARGO_TARGET_DIR", student.join("target")).args(["test", "-p", &labs[0].name]));
            std::fs::remove_dir_all(&student).expect("the clone can be removed");
        }
        println!("  {:.2} a minute", 60.0 * clones as f64 / start.elapsed().as_secs_f64());
    }
    let _ = std::fs::remove_dir_all(&place);
}

fn setting(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

/// Who is in a class.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mix {
    /// Everything that the labs have: right and wrong.
    All,
    /// Right answers only.
    Right,
    /// Two right answers and one that hangs, in turn.
    ThirdHangs,
}

struct Bench {
    root: PathBuf,
    place: PathBuf,
    names: Vec<String>,
}

struct Measured {
    wall: Duration,
    cpu: f64,
    own_kib: u64,
    all_kib: u64,
}

impl Measured {
    fn print(&self, students: usize, graded: usize) {
        let minutes = self.wall.as_secs_f64() / 60.0;
        println!(
            "{students:>6} {graded:>9} {minutes:>8.2} {:>11.0} {:>13.2} {:>12} {:>10} MiB",
            graded as f64 / minutes,
            self.cpu / graded as f64,
            self.own_kib >> 10,
            self.all_kib >> 10
        );
    }
}

impl Bench {
    /// A folder of submissions.
    fn class(&self, name: &str, labs: &[LabFolder], students: usize, mix: Mix) -> PathBuf {
        let folder = self.place.join(name).join("submissions");
        for lab in labs {
            let mut right = vec![sources::solution(lab).expect("the solution")];
            right.extend(answers(lab, &lab.path.join("submissions/accepted")));
            let wrong = answers_of_checks(lab, |_| true);
            // A check that is named for end-of-file or a deadlock is failed by programs that wait for ever.
            let hanging = answers_of_checks(lab, |check| check.contains("eof") || check.contains("deadlock"));
            let hanging = if hanging.is_empty() { &wrong } else { &hanging };
            let all: Vec<Vec<Source>> = right.iter().chain(&wrong).cloned().collect();
            for number in 0..students {
                let answer = match mix {
                    Mix::All => &all[number % all.len()],
                    Mix::ThirdHangs if number % 3 == 0 => &hanging[number / 3 % hanging.len()],
                    Mix::Right | Mix::ThirdHangs => &right[number % right.len()],
                };
                let target = folder.join(format!("s{number:04}")).join(&lab.folder);
                sources::lay_out(&edited(lab, answer, number), &target).expect("submissions can be made");
            }
        }
        folder
    }

    /// Grades a class in which nobody hangs and one in which a third does.
    fn compare_hangs(&self, labs: &[LabFolder], students: usize) {
        println!("\nclasses of {students}, in {PARTS} parts in turn: nobody hangs, and a third hangs (deadlocks)");
        let (mut wall, mut cpu) = ([0.0; 2], [0.0; 2]);
        let part = students.div_ceil(PARTS);
        for number in 0..PARTS {
            for (place, (what, mix)) in [("none", Mix::Right), ("third", Mix::ThirdHangs)].into_iter().enumerate() {
                let name = format!("{what}-{number}");
                let measured = self.grade(&self.class(&name, labs, part, mix), &name);
                measured.print(part, part * labs.len());
                wall[place] += measured.wall.as_secs_f64();
                cpu[place] += measured.cpu;
            }
        }
        let (wall, cpu) = (wall[1] / wall[0], cpu[1] / cpu[0]);
        println!("a third hangs / nobody hangs: {wall:.2} of the time, {cpu:.2} of the CPU time (goal: at most 1.2)");
    }

    /// Grades a folder of submissions, and looks at what that takes.
    fn grade(&self, submissions: &Path, name: &str) -> Measured {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grade"));
        command.current_dir(&self.root).arg("run").arg(submissions).arg("--out").arg(self.place.join(name).join("out")).args(["--seed", "1"]);
        for lab in &self.names {
            command.args(["--lab", lab]);
        }
        let log = std::fs::File::create(self.place.join(name).join("log")).expect("a log");
        let start = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect("grade starts");
        let (mut own_kib, mut all_kib, mut cpu) = (0, 0, 0.0);
        let status = loop {
            if let Some(status) = child.try_wait().expect("grade is a child") {
                break status;
            }
            let processes = descendants(child.id());
            own_kib = own_kib.max(kib(child.id(), "VmHWM:"));
            all_kib = all_kib.max(processes.iter().map(|pid| kib(*pid, "VmRSS:")).sum());
            cpu = cpu_seconds(child.id()).max(cpu);
            std::thread::sleep(LOOK);
        };
        assert!(status.success(), "grade ended with {status}; see {}", self.place.join(name).join("log").display());
        Measured { wall: start.elapsed(), cpu, own_kib, all_kib }
    }
}

/// The answers in a folder: a file each, or a folder with a file for some of the programs.
fn answers(lab: &LabFolder, folder: &Path) -> Vec<Vec<Source>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let own = sources::solution(lab).expect("the solution");
    let answer = |path: &PathBuf| {
        let mut answer = own.clone();
        for source in &mut answer {
            let file = if path.is_dir() { path.join(source.path.file_name().expect("a file")) } else { path.clone() };
            if let Ok(text) = std::fs::read(file) {
                source.text = text;
            }
        }
        answer
    };
    let is_rust = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "rs") && own.len() == 1;
    paths.iter().filter(|path| path.is_dir() || is_rust(path)).map(answer).collect()
}

fn answers_of_checks(lab: &LabFolder, wanted: impl Fn(&str) -> bool) -> Vec<Vec<Source>> {
    let checks = lab.manifest.checks.iter().filter(|check| wanted(&check.name));
    checks.flat_map(|check| answers(lab, &lab.path.join("submissions/rejected").join(&check.name))).collect()
}

/// The answer with an edit that is nobody else's, and that the compiler has to do with.
fn edited(lab: &LabFolder, answer: &[Source], number: usize) -> Vec<Source> {
    let mut answer = answer.to_vec();
    for source in &mut answer {
        source
            .text
            .extend(format!("\n#[allow(dead_code)]\nconst STUDENT_OF_{}: usize = {number};\n", lab.name.replace('-', "_").to_uppercase()).bytes());
    }
    answer
}

/// A process and all below it.
fn descendants(root: u32) -> Vec<u32> {
    let mut all = vec![root];
    let mut at = 0;
    while let Some(pid) = all.get(at).copied() {
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        at += 1;
    }
    all
}

fn kib(pid: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// CPU time of a process and of all its children that have ended; proc_pid_stat(5), in ticks of which there are 100 a second.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {status:?}");
}
