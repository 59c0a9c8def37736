//! The trace is faithful: on programs that nobody here wrote, `lab trace` and strace tell the same calls, arguments and results for each task.
//!
//! Each command runs alone, under `lab trace`, and under strace. Output and exit status must be the same under all three; the traces must be the same but
//! for what `support/alike.rs` lists. Where a task's calls differ from strace's, strace runs again, up to [`MOST_REFERENCES`] times: the task must then be
//! as in one of these runs (some of which delay forks, writes or ends), or strace's runs must differ among themselves at that very place, which is the program's own nondeterminism and is told.

mod support {
    pub mod alike;
    pub mod calls;
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod installed;
    pub mod tracers;
}

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use support::alike::{Nature, Normal, argument_counts, compare, normal, with_arguments_of};
use support::calls::Trace;
use support::tracers::{Pace, Traced};
use support::{compiled, folder, installed};

/// Runs of strace before a difference counts.
const MOST_REFERENCES: usize = 10;

const TRACERS: [(&str, &str); 3] = [("strace", "strace"), ("setarch", "util-linux"), ("taskset", "util-linux")];

/// A command whose traces are compared.
struct Case<'a> {
    name: &'a str,
    /// Programs that it needs, each with its package.
    needs: &'a [(&'a str, &'a str)],
    command: Vec<String>,
    nature: Nature,
    /// Calls that may be left uncompared because the program does not do the same twice, in percent.
    undetermined_percent: usize,
    prepare: &'a dyn Fn(&Path),
}

impl<'a> Case<'a> {
    fn new(name: &'a str, needs: &'a [(&'a str, &'a str)], command: &[&str]) -> Self {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Self { name, needs, command, nature: Nature::default(), undetermined_percent: 0, prepare: &|_| {} }
    }

    fn script(name: &'a str, needs: &'a [(&'a str, &'a str)], script: &str) -> Self {
        Self::new(name, needs, &["sh", "-c", script]).handling_ends()
    }

    fn program(name: &'a str) -> Self {
        let path = compiled::c_program(name);
        Self::new(name, &[("cc", "gcc")], &[&path.to_string_lossy()])
    }

    fn with_threads(mut self) -> Self {
        self.nature.threads = true;
        self
    }

    fn handling_ends(mut self) -> Self {
        self.nature.handles_ends = true;
        self
    }

    fn undetermined(mut self, percent: usize) -> Self {
        self.undetermined_percent = percent;
        self
    }

    fn prepare(mut self, prepare: &'a dyn Fn(&Path)) -> Self {
        self.prepare = prepare;
        self
    }

    fn can_run(&self) -> bool {
        installed::all_installed(&[&TRACERS, self.needs].concat())
    }

    fn traced<'b>(&'b self, folder: &'b Path) -> Traced<'b> {
        Traced { command: &self.command, folder, prepare: self.prepare, cpu: next_cpu() }
    }

    /// The comparison, and what it rests on.
    fn assert_traced_faithfully(self) {
        if !self.can_run() {
            return;
        }
        let folder = folder::empty(self.name);
        let traced = self.traced(&folder);
        let alone = traced.alone();
        let (by_lab, observed) = traced.by_lab(&["--all"]);
        assert_same_outcome(&alone, &by_lab);
        let mut references: Vec<Normal> = Vec::new();
        let comparison = loop {
            let pace = [Pace::AsItIs, Pace::AsItIs, Pace::ParentsLate, Pace::EndsLate, Pace::WritersLate][references.len() % 5];
            let (by_strace, reference) = traced.by_strace(pace);
            assert_same_outcome(&alone, &by_strace);
            let observed = with_arguments_of(&observed, &argument_counts(&reference));
            references.push(normal(&reference, self.nature));
            let comparison = compare(&normal(&observed, self.nature), &references);
            if (comparison.different.is_empty() && comparison.undetermined.is_empty()) || references.len() == MOST_REFERENCES {
                break comparison;
            }
        };
        let undetermined: usize = comparison.undetermined.iter().map(|(_, calls)| calls).sum();
        println!(
            "{}: {} calls of {} tasks, {} compared, {undetermined} undetermined, {} different, {} runs of strace",
            self.name,
            observed.len(),
            observed.tasks.len(),
            comparison.same,
            comparison.different.len(),
            references.len()
        );
        for (place, calls) in &comparison.undetermined {
            println!("  its own nondeterminism, {calls} calls from there: {place}");
        }
        assert!(comparison.same > 0, "nothing was compared");
        assert!(comparison.different.is_empty(), "{:#?}", comparison.different);
        assert!(undetermined * 100 <= self.undetermined_percent * observed.len(), "{:#?}", comparison.undetermined);
    }
}

fn assert_same_outcome(one: &std::process::Output, other: &std::process::Output) {
    assert_eq!(String::from_utf8_lossy(&one.stdout), String::from_utf8_lossy(&other.stdout), "{}", String::from_utf8_lossy(&other.stderr));
    assert_eq!(status(one), status(other), "{}", String::from_utf8_lossy(&other.stderr));
}

/// The exit status as a shell has it: `lab trace` passes a death by a signal on in that way.
fn status(output: &std::process::Output) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0))
}

/// The CPUs in turn, so that tests that run side by side do not share one.
fn next_cpu() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0").trim().to_owned();
    let number = |text: &str| text.parse::<usize>().unwrap_or(0);
    let cpus: Vec<usize> = list
        .split(',')
        .flat_map(|range| range.split_once('-').map_or(number(range)..=number(range), |(from, to)| number(from)..=number(to)))
        .collect();
    cpus[NEXT.fetch_add(1, Ordering::Relaxed) % cpus.len()]
}

/// Files that were changed long ago: git looks at those closer that may have changed after it looked last.
fn numbered_files(folder: &Path) {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800);
    for index in 0..12 {
        let path = folder.join(format!("file{index:02}"));
        let made = std::fs::write(&path, format!("{index}\n").repeat(index * 40));
        let dated = made.and_then(|()| std::fs::File::options().write(true).open(&path)?.set_modified(long_ago));
        dated.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
}

const COREUTILS: (&str, &str) = ("sort", "coreutils");

#[test]
fn pipelines_of_coreutils() {
    Case::script("pipeline", &[COREUTILS], "seq 1 300 | tac | sort -n | uniq | tr 0-9 a-j | tail -n 3 | wc -c").assert_traced_faithfully();
}

#[test]
fn a_shell_with_subshells_and_traps() {
    let script = "trap 'echo caught' USR1; trap 'echo end' EXIT; (kill -USR1 $$); (trap 'exit 3' TERM; kill -TERM $(exec sh -c 'echo $PPID')); echo $?; \
                  x=$(echo a; (echo b)); echo $x; { echo c; } 2>&1 | cat; exit 5";
    Case::script("subshells", &[], script).assert_traced_faithfully();
}

#[test]
fn sort_and_checksums_of_files() {
    Case::script("sort", &[COREUTILS], "sort -r -o sorted file* && cksum sorted && cp sorted copy && cmp sorted copy && rm sorted")
        .prepare(&numbered_files)
        .assert_traced_faithfully();
}

#[test]
fn find_that_executes() {
    Case::new("find", &[("find", "findutils")], &["find", ".", "-type", "f", "-size", "+1k", "-exec", "wc", "-l", "{}", ";"])
        .prepare(&numbered_files)
        .assert_traced_faithfully();
}

/// Each process holds a FIFO open until it ends, and the next one waits for that: they run at the same time and end in order.
#[test]
fn xargs_with_four_processes_at_a_time() {
    let chain = r#"[ $0 -eq 4 ] || exec 9>f$0; [ $0 -eq 1 ] || cat f$(($0 - 1)); echo $0 >>out"#;
    let script = format!("mkfifo f1 f2 f3; seq 4 >items; xargs -a items -P 4 -n 1 sh -c '{chain}'; cat out");
    Case::script("xargs", &[("xargs", "findutils")], &script).assert_traced_faithfully();
}

#[test]
fn dd_with_small_blocks() {
    Case::script("dd", &[COREUTILS], "dd if=/dev/zero bs=100 count=200 of=whole status=none; dd if=whole bs=70 of=copy status=none; wc -c <copy")
        .assert_traced_faithfully();
}

#[test]
fn a_fifo_between_two_programs() {
    Case::script("mkfifo", &[COREUTILS], "mkfifo f; sh -c 'echo through >f' | cat f; rm f").assert_traced_faithfully();
}

#[test]
fn tar_through_gzip() {
    let needs = [("tar", "tar"), ("gzip", "gzip")];
    let script = "mkdir out; tar --sort=name --owner=0 --group=0 --mtime=@0 -cf - file* | gzip -n -9 >out/a.tar.gz; gzip -dc out/a.tar.gz | tar -tf - | tail -n 2";
    Case::script("tar", &needs, script).prepare(&numbered_files).undetermined(10).assert_traced_faithfully();
}

#[test]
fn socat_with_a_program() {
    Case::script("socat_exec", &[("socat", "socat")], "socat -u EXEC:'seq 3' -").undetermined(10).assert_traced_faithfully();
}

/// A server that says on a FIFO when it listens, and a client.
fn socat_pair(server: &str, client: &str) -> String {
    format!(
        "mkfifo log; socat -u -d -d -lp server {server} CREATE:got 2>log | {{ exec 3<log; \
         while read -r line <&3; do case $line in *listening*) break;; esac; done; echo hello | socat -u - {client}; cat <&3 >/dev/null; }}; cat got"
    )
}

#[test]
fn socat_over_a_unix_socket() {
    let script = socat_pair("UNIX-LISTEN:s", "UNIX-CONNECT:s");
    Case::script("socat_unix", &[("socat", "socat")], &script).undetermined(20).assert_traced_faithfully();
}

#[test]
fn socat_over_tcp_on_loopback() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_or(40_000, |address| address.port());
    let script = socat_pair(&format!("TCP-LISTEN:{free},bind=127.0.0.1,reuseaddr"), &format!("TCP:127.0.0.1:{free}"));
    Case::script("socat_tcp", &[("socat", "socat")], &script).undetermined(20).assert_traced_faithfully();
}

/// The interpreter itself: what stands in PATH may be a script that looks for it.
fn python(code: &str) -> Vec<String> {
    let asked = std::process::Command::new("python3").args(["-c", "import os, sys; print(os.path.realpath(sys.executable))"]).output();
    let path = asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    vec![path, "-I".into(), "-c".into(), code.into()]
}

fn python_case<'a>(name: &'a str, code: &str) -> Case<'a> {
    let mut case = Case::new(name, &[("python3", "python3")], &[]);
    case.command = if installed::find("python3").is_some() { python(code) } else { Vec::new() };
    case
}

#[test]
fn python_with_subprocesses() {
    let code = "import subprocess as s\nprint(s.check_output(['seq', '3']))\np = s.Popen(['sort', '-r'], stdin=s.PIPE)\n\
                p.stdin.write(b'a\\nb\\n'); p.stdin.close(); print(p.wait(), flush=True)\nprint(s.call('exit 4', shell=True))";
    python_case("python_subprocess", code).undetermined(10).assert_traced_faithfully();
}

#[test]
fn python_with_threads() {
    // All are there at once, so that none gets the stack of one that has ended.
    let code = "import threading as t, os\nr, w = os.pipe()\nb = t.Barrier(4)\n\
                ts = [t.Thread(target=lambda n=n: (b.wait(), os.write(w, bytes([120])))) for n in range(4)]\n\
                for x in ts: x.start()\nfor x in ts: x.join()\nprint(os.read(r, 9))";
    python_case("python_threads", code).with_threads().undetermined(10).assert_traced_faithfully();
}

#[test]
fn python_with_multiprocessing() {
    let code = "import multiprocessing as m\nc = m.get_context('fork')\nr, w = c.Pipe(False)\n\
                ps = [c.Process(target=w.send, args=(n,)) for n in range(3)]\n\
                for p in ps: p.start(); p.join()\nprint([r.recv() for p in ps])";
    python_case("python_multiprocessing", code).with_threads().undetermined(10).assert_traced_faithfully();
}

#[test]
fn perl_that_forks_and_waits() {
    let code = "$|=1; pipe(R,W); for $i (1..3) { if (!($p=fork)) { syswrite W, $i; exit $i } waitpid($p,0); print $?>>8, qq(\\n) } sysread R,$b,9; print qq($b\\n); \
                $SIG{USR1}=sub{print qq(usr1\\n)}; kill USR1=>$$; print `echo sub`";
    Case::new("perl", &[("perl", "perl")], &["perl", "-e", code]).assert_traced_faithfully();
}

#[test]
fn make_with_two_jobs() {
    let makefile = "all: a b c d\n\tcat a b c d\na b c d:\n\techo $@ >$@\n";
    Case::new("make", &[("make", "make")], &["make", "-s", "-j2"])
        .prepare(&|folder| write(folder, "Makefile", makefile))
        .undetermined(30)
        .assert_traced_faithfully();
}

#[test]
fn the_c_compiler_and_linker() {
    let source = "#include <stdio.h>\nint main(void) { puts(\"compiled\"); return 0; }\n";
    let needs = [("cc", "gcc")];
    Case::script("cc", &needs, "cc -O1 -o out source.c && ./out")
        .prepare(&|folder| write(folder, "source.c", source))
        .undetermined(5)
        .assert_traced_faithfully();
}

#[test]
fn git_that_commits() {
    let script = "git init -q . && git add . && git -c user.name=n -c user.email=e commit -q -m m && git --no-pager log --format=%s && git status -s && git ls-files | wc -l";
    Case::script("git", &[("git", "git")], script).prepare(&numbered_files).with_threads().undetermined(10).assert_traced_faithfully();
}

#[test]
fn bash_with_a_coprocess() {
    let code = "coproc C { while read -r x; do echo got $x; done; }; echo 1 >&${C[1]}; read -r a <&${C[0]}; echo $a; exec {C[1]}>&-; wait";
    Case::new("bash", &[("bash", "bash")], &["bash", "-c", code]).undetermined(20).assert_traced_faithfully();
}

#[test]
fn vfork_with_and_without_exec() {
    Case::program("vforks").assert_traced_faithfully();
}

#[test]
fn threads_made_with_clone() {
    Case::program("threads").with_threads().assert_traced_faithfully();
}

#[test]
fn exec_by_a_thread_that_is_not_the_leader() {
    Case::program("thread_executes").with_threads().assert_traced_faithfully();
}

#[test]
fn stops_and_continuations_of_a_group() {
    Case::program("group_stop").assert_traced_faithfully();
}

#[test]
fn a_storm_of_signals() {
    Case::program("signal_storm").assert_traced_faithfully();
}

#[test]
fn death_by_sigkill_while_blocked() {
    Case::program("killed_in_read").assert_traced_faithfully();
}

#[test]
fn named_calls_alone_are_the_same_calls_as_among_all() {
    let chosen = ["read", "write", "openat"];
    let case = Case::script("filtered", &[COREUTILS], "sort file03 | tail -n 1; cat file04 | wc -l").prepare(&numbered_files);
    if !case.can_run() {
        return;
    }
    let folder = folder::empty(case.name);
    let traced = case.traced(&folder);
    let alone = traced.alone();
    let (by_lab, filtered) = traced.by_lab(&["--calls", &chosen.join(",")]);
    assert_same_outcome(&alone, &by_lab);
    let (_, reference) = traced.by_strace(Pace::AsItIs);
    let subset = |trace: &Trace| -> BTreeMap<String, usize> {
        let mut lines = BTreeMap::new();
        for call in trace.tasks.values().flatten().filter(|call| chosen.contains(&call.name.as_str())) {
            let arguments: Vec<String> = call.arguments.iter().map(|argument| format!("{argument:#x}")).collect();
            *lines.entry(format!("{}({}) = {:?}", call.name, arguments.join(", "), call.result)).or_insert(0) += 1;
        }
        lines
    };
    assert!(filtered.tasks.values().flatten().all(|call| chosen.contains(&call.name.as_str())));
    let filtered = with_arguments_of(&filtered, &argument_counts(&reference));
    assert_eq!(subset(&filtered), subset(&reference));
}

/// A call by the 32-bit way must never be told under the name that its number has for 64-bit programs.
#[test]
#[cfg(target_arch = "x86_64")]
fn a_call_of_a_foreign_abi_makes_the_trace_blind() {
    let program = compiled::c_program("foreign_call");
    let folder = folder::empty("foreign");
    let file = folder.join("trace");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["trace", "--all", "-o"]).arg(&file).arg("--").arg(&program);
    let output = support::deadline::output_within(20, &mut command);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("foreign ABI"), "{errors}");
    let trace = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(!trace.contains("writev") && !trace.contains("getpid"), "{trace}");
}
