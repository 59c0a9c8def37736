//! The trace against the kernel's own word: in the same run, the `raw_syscalls` tracepoints tell every call, its six arguments and its result, and the trace must
//! tell the same, task by task. It takes root and tracefs. `CALLS` asks for more: a million in a nightly run.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
}

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::call::name_of;
use support::{compiled, deadline, folder};

/// One call: its name, its arguments, its result. None has come back from a call that ended its task.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Call {
    name: String,
    arguments: [u64; 6],
    result: Option<i64>,
}

type Calls = BTreeMap<i32, Vec<Call>>;

const TRACEFS: &str = "/sys/kernel/tracing/instances";

/// A trace buffer of this test's own, that nobody else's settings touch.
struct Instance(PathBuf);

impl Instance {
    /// With room for so many calls, should the reader fall behind.
    fn new(name: &str, calls: usize) -> Result<Self, String> {
        let kib = (calls / 8).max(16 << 10).to_string();
        let path = Path::new(TRACEFS).join(format!("lab-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let instance = Self(path);
        // A process that is not there comes first: with none at all, the kernel tells of every process of the machine.
        for (file, text) in
            [("buffer_size_kb", &*kib), ("options/event-fork", "1"), ("set_event_pid", "4194303"), ("events/raw_syscalls/enable", "1")]
        {
            std::fs::write(instance.0.join(file), text).map_err(|error| format!("{file}: {error}"))?;
        }
        Ok(instance)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = std::fs::write(self.0.join("events/raw_syscalls/enable"), "0");
        // What is left there takes its room until the next start of the machine.
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A line of the buffer: `comm-PID [CPU] flags time: sys_enter: NR n (a, b, c, d, e, f)` or `sys_exit: NR n = result`.
fn take_line(calls: &mut Calls, line: &str) {
    let Some((before, what)) = line.split_once(": sys_").filter(|_| !line.starts_with('#')) else { return };
    let Some(task) = before.split(" [").next().and_then(|head| head.rsplit('-').next()?.trim().parse::<i32>().ok()) else { return };
    let number = |text: &str| text.trim().parse::<i64>().ok();
    if let Some((number_text, rest)) = what.strip_prefix("enter: NR ").and_then(|rest| rest.split_once(" (")) {
        let mut arguments = [0; 6];
        for (argument, text) in arguments.iter_mut().zip(rest.trim_end_matches(')').split(", ")) {
            *argument = u64::from_str_radix(text.trim(), 16).unwrap_or(0);
        }
        let name = name_of(number(number_text).unwrap_or(-1).cast_unsigned()).into_owned();
        calls.entry(task).or_default().push(Call { name, arguments, result: None });
    } else if let Some((_, result)) = what.strip_prefix("exit: NR ").and_then(|rest| rest.split_once(" = "))
        && let Some(call) = calls.get_mut(&task).and_then(|calls| calls.last_mut()).filter(|call| call.result.is_none())
    {
        call.result = number(result);
    }
}

/// A line of `lab trace`: `TASK name(0x1, …) = 0x5`, `= -1 (errno 9)`, `= ?`.
fn take_ours(calls: &mut Calls, line: &str) {
    let (Some((task, rest)), Some((_, result))) = (line.split_once(' '), line.rsplit_once(") = ")) else { return };
    let (Ok(task), Some((name, rest))) = (task.parse::<i32>(), rest.split_once('(')) else { return };
    let hex = |text: &str| u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).unwrap_or(0);
    let mut arguments = [0; 6];
    let texts = rest.split_once(") = ").map_or("", |(texts, _)| texts);
    arguments.iter_mut().zip(texts.split(", ")).for_each(|(argument, text)| *argument = hex(text));
    let result = match result.strip_prefix("-1 (errno ") {
        Some(errno) => errno.trim_end_matches(')').parse::<i64>().ok().map(|errno| -errno),
        None if result == "?" => None,
        None => Some(hex(result).cast_signed()),
    };
    calls.entry(task).or_default().push(Call { name: name.to_owned(), arguments, result });
}

/// Traces a command by both, and compares; how many calls there were, or the reason why it cannot be done here.
fn compared(name: &str, command: &[&str], expected: usize) -> Result<usize, String> {
    let instance = Instance::new(name, expected)?;
    let ours = folder::empty(&format!("tracepoints/{name}")).join("trace");
    let done = Arc::new(AtomicBool::new(false));
    let pipe = std::fs::File::options().read(true).custom_flags_nonblocking().open(instance.file("trace_pipe")).map_err(|error| error.to_string())?;
    let reader = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let (mut calls, mut lost, mut reader, mut line) = (Calls::new(), false, BufReader::with_capacity(1 << 20, pipe), String::new());
            loop {
                match reader.read_line(&mut line) {
                    Ok(1..) if line.ends_with('\n') => {
                        lost |= line.contains("LOST");
                        take_line(&mut calls, line.trim_end());
                        line.clear();
                    }
                    // Half a line is there, or nothing yet.
                    _ if done.load(Ordering::Acquire) => return (calls, lost),
                    _ => std::thread::sleep(std::time::Duration::from_millis(2)),
                }
            }
        }
    });
    // From there on the kernel tells of this process and its children, and not of the tracer.
    let script = format!("echo $$ >{} && exec \"$@\"", instance.file("set_event_pid"));
    let mut traced = Command::new(env!("CARGO_BIN_EXE_lab"));
    traced.args(["trace", "--all", "-o"]).arg(&ours).args(["--", "sh", "-c", &script, "sh"]).args(command);
    let output = deadline::output_within(900, &mut traced);
    std::thread::sleep(std::time::Duration::from_millis(300));
    done.store(true, Ordering::Release);
    let (kernel, lost) = reader.join().unwrap_or_else(|_| panic!("the reader of the buffer panicked"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    if lost {
        return Err("the kernel's buffer ran over".into());
    }
    let mut observed = Calls::new();
    let text = std::fs::read_to_string(&ours).unwrap_or_default();
    text.lines().for_each(|line| take_ours(&mut observed, line));
    let first = text.split(' ').next().and_then(|task| task.parse().ok());
    let mut same = 0;
    for (task, ours) in &observed {
        let kernels = kernel.get(task).map_or(&[][..], Vec::as_slice);
        // Of the first task both tell from the execution of the command on: the shell before it was executed itself.
        let executes = |calls: &[Call], nth: usize| calls.iter().enumerate().filter(|(_, call)| call.name == "execve").nth(nth).map(|(at, _)| at);
        let is_first = Some(*task) == first;
        let (from, ours_from) = if is_first { (executes(kernels, 0), executes(ours, 1)) } else { (Some(0), Some(0)) };
        let (Some(kernels), Some(ours)) = (from.and_then(|at| kernels.get(at..)), ours_from.and_then(|at| ours.get(at..))) else {
            panic!("task {task} does not execute the command: {kernels:?} {ours:?}")
        };
        let different = kernels.iter().zip(ours).position(|(one, other)| one != other);
        let place = different.map(|at| format!("{:?} and {:?}", kernels[at], ours[at]));
        assert_eq!((kernels.len(), place), (ours.len(), None), "task {task}: the kernel's calls and ours");
        same += ours.len();
    }
    Ok(same)
}

trait Nonblocking {
    fn custom_flags_nonblocking(&mut self) -> &mut Self;
}

impl Nonblocking for std::fs::OpenOptions {
    fn custom_flags_nonblocking(&mut self) -> &mut Self {
        use std::os::unix::fs::OpenOptionsExt;
        self.custom_flags(libc::O_NONBLOCK)
    }
}

#[track_caller]
fn assert_same(name: &str, command: &[&str], at_least: usize) {
    match compared(name, command, at_least) {
        Ok(same) => {
            println!("{name}: {same} calls, every one the same");
            assert!(same >= at_least, "{same} calls are fewer than the program makes");
        }
        Err(reason) => println!("skipped {name}: it takes root and tracefs with instances: {reason}"),
    }
}

#[test]
fn very_many_calls_are_told_as_the_kernel_tells_them() {
    let calls = std::env::var("CALLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let path = compiled::c_program("ailing");
    assert_same("calls", &[&path.to_string_lossy(), "calls", &calls.to_string()], calls);
}

#[test]
fn processes_pipes_signals_and_threads_are_told_as_the_kernel_tells_them() {
    let script = "seq 1 300 | sort -rn | tail -n 2; (exit 3); trap 'echo caught' USR1; kill -USR1 $$; cat /etc/passwd | wc -l";
    assert_same("shell", &["sh", "-c", script], 100);
    for program in ["threads", "vforks", "signal_storm"] {
        let path = compiled::c_program(program);
        assert_same(program, &[&path.to_string_lossy()], 10);
    }
}
