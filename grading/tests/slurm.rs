//! `grading/slurm` on a real Slurm: a controller and two node daemons on this machine, and one of the nodes dies in the middle.
//!
//! Needs root and the packages slurm-wlm, slurmctld, slurmd and munge; skipped without. Everything listens on 127.0.0.1 and lies in a scratch folder.

mod course;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use course::{Course, told};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Takes a while for each check, so that there is a middle.
const SLOW: &str = "fn main() {\n    std::thread::sleep(std::time::Duration::from_millis(1500));\n    if std::env::args().len() == 1 { std::process::exit(2) }\n    std::env::args().skip(1).for_each(|word| println!(\"{word}\"));\n}\n";

const STUDENTS: usize = 12;

/// The cluster; it ends with the test.
struct Cluster {
    folder: TempDir,
    daemons: Vec<(&'static str, Child)>,
}

fn installed(program: &str) -> bool {
    std::env::var("PATH").unwrap_or_default().split(':').chain(["/usr/sbin"]).any(|folder| Path::new(folder).join(program).is_file())
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Cluster {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        for name in ["state", "log", "spool/n1", "spool/n2"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
        let (controller, n1, n2) = (free_port(), free_port(), free_port());
        let configuration = format!(
            "ClusterName=labs\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\nAuthType=auth/munge\nAuthInfo=socket={path}/munge.sock\n\
             CommunicationParameters=NoCtldInAddrAny,NoInAddrAny\nSlurmctldPort={controller}\nSlurmctldPidFile={path}/slurmctld.pid\nSlurmdPidFile={path}/slurmd-%n.pid\n\
             StateSaveLocation={path}/state\nSlurmdSpoolDir={path}/spool/%n\nSlurmctldLogFile={path}/log/ctld.log\nSlurmdLogFile={path}/log/slurmd-%n.log\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSwitchType=switch/none\nMpiDefault=none\nSelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\n\
             SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0\nReturnToService=2\nAccountingStorageType=accounting_storage/none\n\
             JobAcctGatherType=jobacct_gather/none\nKillWait=2\nMessageTimeout=5\nTCPTimeout=1\nSlurmdTimeout=6\nBatchStartTimeout=5\nCompleteWait=0\nJobRequeue=1\n\
             NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={n1} CPUs=1 State=UNKNOWN\nNodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={n2} CPUs=1 State=UNKNOWN\n\
             PartitionName=grade Nodes=ALL Default=YES MaxTime=20:00 State=UP\n"
        );
        fs::write(folder.path().join("slurm.conf"), configuration).unwrap();
        let key = folder.path().join("munge.key");
        // A key that only this test's daemons have: nobody else can reach them, and nothing is worth forging.
        let mut bytes = vec![0; 1024];
        std::io::Read::read_exact(&mut fs::File::open("/dev/urandom").unwrap(), &mut bytes).unwrap();
        fs::write(&key, bytes).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let mut cluster = Self { folder, daemons: Vec::new() };
        cluster.daemon(
            "munged",
            "munged",
            &[
                "--foreground",
                "--force",
                "--key-file=@/munge.key",
                "--socket=@/munge.sock",
                "--pid-file=@/munged.pid",
                "--log-file=@/log/munged.log",
                "--seed-file=@/munge.seed",
            ],
        );
        cluster.until("munged to answer", 20, |cluster| cluster.folder.path().join("munge.sock").exists());
        cluster.daemon("controller", "slurmctld", &["-D", "-c", "-f", "@/slurm.conf"]);
        cluster.daemon("n1", "slurmd", &["-D", "-f", "@/slurm.conf", "-N", "n1"]);
        cluster.daemon("n2", "slurmd", &["-D", "-f", "@/slurm.conf", "-N", "n2"]);
        cluster.until("both nodes to be idle", 60, |cluster| cluster.ask("sinfo", &["-h", "-N", "-o", "%t"]).split_whitespace().eq(["idle", "idle"]));
        cluster
    }

    fn daemon(&mut self, name: &'static str, program: &str, arguments: &[&str]) {
        let path = self.folder.path().to_str().unwrap().to_owned();
        let log = fs::File::create(self.folder.path().join(format!("log/{name}.out"))).unwrap();
        let mut command = Command::new(program);
        command.args(arguments.iter().map(|argument| argument.replace('@', &path))).env("SLURM_CONF", format!("{path}/slurm.conf"));
        command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.daemons.push((name, command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"))));
    }

    fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).env("SLURM_CONF", self.folder.path().join("slurm.conf")).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn until(&self, what: &str, seconds: u64, reached: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        while !reached(self) {
            assert!(Instant::now() < deadline, "expected {what} within {seconds} s\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn logs(&self) -> String {
        let mut all = String::new();
        for entry in fs::read_dir(self.folder.path().join("log")).unwrap().map(Result::unwrap) {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            let lines: Vec<&str> = text.lines().rev().take(25).collect();
            all.push_str(&format!("== {}\n", entry.file_name().to_string_lossy()));
            lines.iter().rev().for_each(|line| all.push_str(&format!("{line}\n")));
        }
        all
    }

    /// Ends a node as a power failure would: its daemon, the managers of its tasks, and the tasks. How many tasks there were.
    fn kill_node(&mut self, name: &str, out: &Path) -> usize {
        let place = self.daemons.iter().position(|(daemon, _)| *daemon == name).unwrap();
        let (_, mut daemon) = self.daemons.remove(place);
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        let mine: Vec<i32> = processes_with(&[&format!("GRADE_OUT={}", out.display()), &format!("SLURMD_NODENAME={name}")]);
        // The manager first: it would tell the controller that the task has ended.
        let managers: Vec<i32> = mine.iter().filter_map(|pid| parent(*pid)).filter(|pid| name_of(*pid).starts_with("slurmstepd")).collect();
        for pid in managers.iter().chain(&mine) {
            let _ = kill_process(Pid::from_raw(*pid).unwrap(), Signal::KILL);
        }
        managers.len()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let path = self.folder.path().display().to_string();
        for pid in processes_with(&[&format!("SLURM_CONF={path}/slurm.conf")]).into_iter().filter(|pid| name_of(*pid).starts_with("slurmstepd")) {
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
        for (_, daemon) in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn processes_with(variables: &[&str]) -> Vec<i32> {
    let has = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let all: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
        variables.iter().all(|variable| all.contains(&variable.as_bytes()))
    };
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(has).collect()
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn name_of(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()
}

fn records(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for student in fs::read_dir(out.join("records")).into_iter().flatten().map(Result::unwrap) {
        for record in fs::read_dir(student.path()).unwrap().map(Result::unwrap) {
            all.insert(Path::new(&student.file_name()).join(record.file_name()), fs::read(record.path()).unwrap());
        }
    }
    all
}

#[test]
fn a_job_array_gives_one_record_each_though_a_node_dies_in_the_middle() {
    let missing: Vec<&str> = ["slurmctld", "slurmd", "munged", "sbatch"].into_iter().filter(|program| !installed(program)).collect();
    if !missing.is_empty() {
        eprintln!("not tested: {} not installed; needs the packages slurm-wlm slurmctld slurmd munge", missing.join(", "));
        return;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tested: Slurm's daemons need root");
        return;
    }
    let course = Course::new("course", |_| {});
    let folder = tempfile::tempdir().unwrap();
    let submissions = folder.path().join("submissions");
    for student in 0..STUDENTS {
        let lab = submissions.join(format!("s{student:02}/01-echo/src"));
        fs::create_dir_all(&lab).unwrap();
        fs::write(lab.join("main.rs"), format!("{SLOW}// {student}\n")).unwrap();
    }
    let undisturbed = folder.path().join("undisturbed");
    let run = course.grade().arg("run").arg(&submissions).arg("--out").arg(&undisturbed).args(["--seed", "7", "--jobs", "12"]).output().unwrap();
    assert_eq!(told(&run).0, 0);

    let mut cluster = Cluster::start();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("seed"), "7\n").unwrap();
    let grade = course.grade();
    let mut submit = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("slurm/submit"));
    submit
        .arg(&submissions)
        .arg(&out)
        .arg("6")
        .current_dir(&course.root)
        .env("GRADE", grade.get_program())
        .env("SLURM_CONF", cluster.folder.path().join("slurm.conf"));
    for (key, value) in grade.get_envs() {
        submit.env(key, value.unwrap());
    }
    let mut submit = submit.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // In the middle: each node has done something, and there is something left.
    let done = |out: &Path| fs::read_dir(out.join("shards")).into_iter().flatten().map(|shard| records(&shard.unwrap().path()).len()).sum::<usize>();
    cluster.until("some records", 120, |_| done(&out) >= 2);
    let before = done(&out);
    let tasks = cluster.kill_node("n1", &out);
    assert!(tasks >= 1 && before < STUDENTS, "the node had {tasks} tasks, and {before} of {STUDENTS} records were there");
    let killed = Instant::now();
    // A task that is queued again is held back for two minutes, in which nothing happens that is tested here.
    let mut asked = String::new();
    while submit.try_wait().unwrap().is_none() {
        for line in cluster.ask("squeue", &["-h", "-r", "-t", "PENDING", "-o", "%i %r"]).lines() {
            if let Some(task) = line.strip_suffix(" BeginTime") {
                cluster.ask("scontrol", &["update", &format!("JobId={task}"), "StartTime=now"]);
                asked = format!("; {task} was told to start at once, {} s after", killed.elapsed().as_secs());
            }
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let (code, stdout, stderr) = told(&submit.wait_with_output().unwrap());
    assert_eq!(code, 0, "{stdout}{stderr}{}", cluster.logs());
    assert!(stdout.contains(&format!("{STUDENTS} records, 0 of them delivered more than once")), "{stdout}{stderr}");
    assert_eq!(records(&out), records(&undisturbed));
    eprintln!(
        "a node with {tasks} tasks died when {before} of {STUDENTS} records were there; all were there {} s later{asked}",
        killed.elapsed().as_secs()
    );
}
