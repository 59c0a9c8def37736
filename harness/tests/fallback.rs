//! Where the system gives no namespaces, runs fall back to the weaker tier C and say so; as an ordinary user they are what they are for root.
//!
//! One table of small programs and verdicts holds everywhere: with namespaces, with `LAB_SANDBOX=none`, in a container that refuses namespaces (bubblewrap's
//! `--disable-userns`), and as an ordinary user.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod installed;
    pub mod isolated;
    pub mod subject;
}

use std::process::{Command, ExitCode};

use harness::prelude::*;
use harness::sandbox;
use support::installed;
use support::isolated::{self, Test};
use support::subject::{Subject, assert_passes, key};

const NO_GROUP: &[(&str, &str)] = &[("LAB_SANDBOX", "namespaces")];
const NO_NAMESPACES: &[(&str, &str)] = &[("LAB_SANDBOX", "none")];

fn main() -> ExitCode {
    isolated::main(vec![
        Test::new("with_namespaces_the_verdicts_are_as_in_the_table", with_namespaces),
        Test { environment: NO_GROUP, ..Test::new("without_a_memory_group_the_verdicts_are_the_same", without_a_group) },
        Test { environment: NO_NAMESPACES, ..Test::new("without_namespaces_on_request_the_verdicts_are_the_same", on_request) },
        Test {
            under: with_queues,
            environment: NO_NAMESPACES,
            ..Test::new("without_namespaces_files_outside_of_the_folder_are_out_of_reach", out_of_reach)
        },
        Test {
            under: with_queues_as_ordinary_user,
            environment: NO_NAMESPACES,
            ..Test::new("as_an_ordinary_user_without_namespaces_files_outside_of_the_folder_are_out_of_reach", out_of_reach)
        },
        Test { under: lonely_user, ..Test::new("queues_that_others_have_used_up_are_no_fault_of_the_program", queues_used_up) },
        Test { under: refusal, ..Test::new("where_namespaces_are_refused_the_verdicts_are_the_same", where_refused) },
        Test { under: ordinary_user, ..Test::new("as_an_ordinary_user_the_verdicts_are_the_same", with_namespaces) },
        Test {
            under: ordinary_user,
            environment: NO_NAMESPACES,
            ..Test::new("as_an_ordinary_user_without_namespaces_the_verdicts_are_the_same", on_request)
        },
    ])
}

/// A command in which unshare(2) of a user namespace fails.
fn refusal() -> Result<Vec<String>, String> {
    if installed::find("bwrap").is_none() {
        return Err("install bubblewrap".into());
    }
    let words = ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--disable-userns"].map(str::to_owned).to_vec();
    let output = Command::new(&words[0]).args(&words[1..]).arg("true").output().map_err(|error| format!("bwrap: {error}"))?;
    if output.status.success() { Ok(words) } else { Err(format!("bwrap cannot do it here: {}", String::from_utf8_lossy(&output.stderr))) }
}

/// The command that makes root somebody else; who is not root is ordinary already.
fn ordinary_user() -> Result<Vec<String>, String> {
    // SAFETY: the call has no precondition.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(Vec::new());
    }
    if installed::find("setpriv").is_none() {
        return Err("install util-linux".into());
    }
    Ok(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].map(str::to_owned).to_vec())
}

/// The file system of queues is at some place: Landlock needs it. Only root can see to that; others take what there is.
fn with_queues() -> Result<Vec<String>, String> {
    const SCRIPT: &str = "mount -t mqueue none /mnt && exec \"$@\"";
    // SAFETY: the call has no precondition.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(Vec::new());
    }
    if installed::find("unshare").is_none() {
        return Err("install util-linux".into());
    }
    Ok(["unshare", "--mount", "sh", "-c", SCRIPT, "sh"].map(str::to_owned).to_vec())
}

fn with_queues_as_ordinary_user() -> Result<Vec<String>, String> {
    Ok([with_queues()?, ordinary_user()?].concat())
}

/// An ordinary user whom nobody else is.
fn lonely_user() -> Result<Vec<String>, String> {
    let user = 60_000 + std::process::id() % 5000;
    let words = ordinary_user()?;
    Ok(words.iter().map(|word| word.replace("65534", &user.to_string())).collect())
}

/// The kernel counts all queues of a user: a run that meets the end of them without having made many has no verdict, and one that made them itself fails.
fn queues_used_up() {
    let subject = Subject::new("limits");
    let run = |wanted: &str| subject.lab().run(&subject.name).args(["queues", wanted]).prints(format!("{wanted} all\n")).exits(0).verdict();
    assert_passes(run("1"));
    let mut taken = Vec::new();
    loop {
        let name = format!("/{}-{}\0", subject.name, taken.len());
        // SAFETY: the name ends with a NUL byte, and without attributes the queue has the system's.
        let queue = unsafe { libc::mq_open(name.as_ptr().cast(), libc::O_CREAT | libc::O_RDWR, 0o600, std::ptr::null::<libc::mq_attr>()) };
        if queue == -1 {
            break;
        }
        // SAFETY: as above.
        unsafe { libc::mq_unlink(name.as_ptr().cast()) };
        taken.push(queue);
    }
    assert!(!taken.is_empty());
    // Room for less than another one of the default size.
    let verdict = run("40");
    // SAFETY: the descriptors are this test's own.
    taken.iter().for_each(|queue| assert_eq!(unsafe { libc::mq_close(*queue) }, 0));
    assert!(matches!(&verdict, Err(Unpassed::Broken(reason)) if reason.starts_with("other runs of the same user")), "{verdict:?}");
    assert_passes(run("40"));
    assert_eq!(word(run("200")), "output");
    subject.assert_nothing_is_left();
}

fn with_namespaces() {
    assert_ordinary_where_asked();
    let missing = sandbox::no_group();
    missing.iter().for_each(|reason| println!("no memory group: {reason}"));
    assert_tier(if missing.is_some() { "B" } else { "A" }, None);
    assert_table_holds();
}

fn without_a_group() {
    assert_tier("B", None);
    assert_table_holds();
}

fn on_request() {
    assert_ordinary_where_asked();
    assert_tier("C", Some(&["asked for by LAB_SANDBOX=none"]));
    assert_table_holds();
}

fn where_refused() {
    // What was refused, and what an administrator does about it.
    assert_tier("C", Some(&["the system refuses to ", "; "]));
    assert_table_holds();
}

/// The tests as an ordinary user must not be done by root unnoticed.
fn assert_ordinary_where_asked() {
    if std::env::args().any(|argument| argument.starts_with("as_an_ordinary_user")) {
        // SAFETY: the call has no precondition.
        assert_ne!(unsafe { libc::geteuid() }, 0);
    }
}

/// What programs may do with which files is the same with and without namespaces, where the kernel has Landlock.
fn out_of_reach() {
    assert_ordinary_where_asked();
    if let Some(reason) = sandbox::files_not_confined() {
        // SAFETY: the call has no precondition.
        assert!(unsafe { libc::geteuid() } != 0 || reason == "the kernel has no Landlock", "{reason}");
        return println!("skipped: {reason}");
    }
    let subject = Subject::new("reaches");
    let hidden = subject.executable().with_file_name("hidden");
    std::fs::write(&hidden, "hidden").unwrap();
    let hidden = hidden.to_string_lossy();
    // What everybody may write to, but for the rules.
    let open_to_all = std::env::temp_dir().join(format!("open-to-all-{}", std::process::id()));
    std::fs::write(&open_to_all, "before").unwrap();
    std::fs::set_permissions(&open_to_all, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let (open_to_all_text, beside) = (open_to_all.to_string_lossy(), std::env::temp_dir().join(format!("{}-beside", subject.name)));
    let beside = beside.to_string_lossy();
    let shared = format!("/dev/shm/{}", subject.name);
    let table: [(&str, &str, &str); 12] = [
        ("read", "/usr/bin/env", "done"),
        ("read", "/proc/self/status", "done"),
        ("make", "own", "done"),
        ("write", "/dev/null", "done"),
        ("make", &shared, "done"),
        ("listen", "0", "done"),
        ("read", &hidden, "Permission denied"),
        ("read", &open_to_all_text, "Permission denied"),
        ("write", &open_to_all_text, "Permission denied"),
        ("empty", &open_to_all_text, "Permission denied"),
        ("remove", &open_to_all_text, "Permission denied"),
        ("make", &beside, "Permission denied"),
    ];
    for (act, path, said) in table {
        assert_passes(subject.lab().run(&subject.name).args([act, path]).prints(format!("{said}\n")).exits(0).verdict());
    }
    assert_eq!(std::fs::read_to_string(&open_to_all).unwrap(), "before");
    std::fs::remove_file(&open_to_all).unwrap();
    subject.assert_nothing_is_left();
    // What else the sandbox is there for is as without.
    assert_table_holds();
}

/// The stamp on the results, and the words with which a check that needs namespaces is skipped.
fn assert_tier(tier: &str, skipped: Option<&[&str]>) {
    let subject = Subject::new("families");
    let lab = subject.lab();
    let verdict = lab.session(|session| {
        session.needs_namespaces()?;
        let program = session.program(&subject.name).arg("reaped").start()?;
        session.exit(program)?;
        session.all_end()?;
        session.pass()
    });
    assert_eq!(lab.tier(), tier);
    match (skipped, verdict) {
        (None, verdict) => assert_passes(verdict),
        (Some(words), Err(Unpassed::Skipped(reason))) => {
            assert!(reason.starts_with("needs namespaces of its own; ") && words.iter().all(|word| reason.contains(word)), "{reason}");
            println!("{reason}");
        }
        (Some(_), verdict) => panic!("expected skipped, observed {verdict:?}"),
    }
    subject.assert_nothing_is_left();
}

/// A program, its arguments, and the verdict: `pass`, or the kind of the finding.
type Row<'a> = (&'a str, &'a [&'a str], &'a str);

fn assert_table_holds() {
    let table: [Row; 13] = [
        ("waits", &["two_readers"], "deadlock"),
        ("waits", &["itself"], "deadlock"),
        ("waits", &["semaphores"], "deadlock"),
        ("waits", &["fifo"], "deadlock"),
        ("waits", &["queue"], "deadlock"),
        ("waits", &["sleeps"], "pass"),
        ("waits", &["slow_child"], "pass"),
        ("waits", &["asks_again"], "busy-waiting"),
        ("families", &["zombie"], "zombie"),
        ("families", &["reaped"], "pass"),
        ("families", &["daemon"], "deadlock"),
        ("transfers", &[], "pass"),
        ("two_writers", &["late"], "pass"),
    ];
    let mut observed: Vec<(String, String)> =
        table.iter().map(|(program, arguments, _)| (row(program, arguments), verdict(program, arguments))).collect();
    let mut expected: Vec<(String, String)> =
        table.iter().map(|(program, arguments, verdict)| (row(program, arguments), (*verdict).to_owned())).collect();
    for kind in ["segment", "semaphores", "messages", "queue", "memory", "fifo", "socket", "file"] {
        expected.push((row("leaves", &[kind]), "left-behind".into()));
        observed.push((row("leaves", &[kind]), leaves(kind)));
    }
    assert_eq!(observed, expected);
}

fn row(program: &str, arguments: &[&str]) -> String {
    format!("{program} {}", arguments.join(" "))
}

fn verdict(program: &str, arguments: &[&str]) -> String {
    let subject = Subject::new(program);
    let lab = subject.lab();
    let mut run = lab.run(&subject.name).args(arguments.iter().copied()).exits(0).reaps_its_children();
    match program {
        "transfers" => run = run.inject(short(Write, 3).on(Kind::Pipe).every()).inject(fail(Read, libc::EINTR).on(Kind::Pipe)),
        "two_writers" => run = run.inject(delay_at(Write).on(Kind::Pipe).by(Who::Parent)).prints("cp\n"),
        _ => {}
    }
    let verdict = word(run.verdict());
    // Queues and FIFOs of programs that never came to their end.
    subject.assert_nothing_is_left();
    verdict
}

fn leaves(kind: &str) -> String {
    let subject = Subject::new("leaves");
    let name = match kind {
        "segment" | "semaphores" | "messages" => key(&subject.name).to_string(),
        "queue" | "memory" => format!("/{}", subject.name),
        _ => subject.name.clone(),
    };
    let verdict = word(subject.lab().run(&subject.name).args([kind, &name]).exits(0).leaves_nothing().verdict());
    subject.assert_nothing_is_left();
    verdict
}

fn word(verdict: Verdict) -> String {
    match verdict {
        Ok(_) => "pass".into(),
        Err(Unpassed::Fail(finding)) => finding.kind,
        Err(other) => format!("{other:?}"),
    }
}
