//! In the way of the standard library: `OpenOptions` and `set_len` for FILE, a mapping that unmaps itself, errors as values up to `main`, and a gate
//! that is a guard. With `lock` each child opens FILE anew, so that a lock of its open file description excludes all others.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

type Outcome<T> = Result<T, String>;

/// The call's name before what the system says.
trait At<T> {
    fn at(self, call: &str) -> Outcome<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, call: &str) -> Outcome<T> {
        self.map_err(|error| format!("{call}: {error}"))
    }
}

/// The result of a call that says -1 when it fails, made again when a signal interrupts it.
fn call(name: &str, mut attempt: impl FnMut() -> libc::c_int) -> Outcome<libc::c_int> {
    loop {
        let result = attempt();
        if result != -1 {
            return Ok(result);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error).at(name);
        }
    }
}

/// Shared memory for one `T`, which knows how to take care of itself.
struct Mapping<T>(NonNull<T>);

impl<T> Mapping<T> {
    fn new(file: Option<&File>) -> Outcome<Self> {
        let (fd, flags) = file.map_or((-1, libc::MAP_ANONYMOUS), |file| (file.as_raw_fd(), 0));
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel picks the place, so nothing of ours is covered.
        let address = unsafe { libc::mmap(ptr::null_mut(), size_of::<T>(), protection, libc::MAP_SHARED | flags, fd, 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error()).at("mmap");
        }
        NonNull::new(address.cast()).map(Self).ok_or_else(|| "mmap: null".to_owned())
    }
}

impl<T> Drop for Mapping<T> {
    fn drop(&mut self) {
        // SAFETY: mmap returned this address for this length, and nobody uses it after this.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<T>()) };
    }
}

/// What stands between a child and the counter.
enum Gate {
    Open,
    Atomic,
    Semaphore(Mapping<libc::sem_t>),
    /// The path to lock.
    Lock(PathBuf),
}

/// How a child passes.
enum Pass<'gate> {
    Freely,
    AtOnce,
    By(&'gate Mapping<libc::sem_t>),
    With(File),
}

impl Gate {
    fn new(kind: &str, path: &std::path::Path) -> Outcome<Self> {
        Ok(match kind {
            "lock" => Self::Lock(path.to_owned()),
            "atomic" => Self::Atomic,
            "sem" => {
                let semaphore = Mapping::new(None)?;
                // SAFETY: the mapping is new, aligned, and as long as a semaphore.
                call("sem_init", || unsafe { libc::sem_init(semaphore.0.as_ptr(), 1, 1) })?;
                Self::Semaphore(semaphore)
            }
            _ => Self::Open,
        })
    }

    fn pass(&self) -> Outcome<Pass<'_>> {
        Ok(match self {
            Self::Open => Pass::Freely,
            Self::Atomic => Pass::AtOnce,
            Self::Semaphore(semaphore) => Pass::By(semaphore),
            Self::Lock(path) => Pass::With(OpenOptions::new().read(true).write(true).open(path).at("open")?),
        })
    }
}

impl Pass<'_> {
    fn add_one(&self, counter: &AtomicU64) -> Outcome<()> {
        match self {
            Self::AtOnce => {
                counter.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Self::Freely => {}
            // SAFETY: the semaphore was made by sem_init, and lives as long as its mapping.
            Self::By(semaphore) => drop(call("sem_wait", || unsafe { libc::sem_wait(semaphore.0.as_ptr()) })?),
            Self::With(file) => set_lock(file, libc::F_WRLCK)?,
        }
        let value = counter.load(Ordering::Relaxed);
        counter.store(value.wrapping_add(1), Ordering::Relaxed);
        match self {
            // SAFETY: the semaphore was made by sem_init, and lives as long as its mapping.
            Self::By(semaphore) => call("sem_post", || unsafe { libc::sem_post(semaphore.0.as_ptr()) }).map(drop),
            Self::With(file) => set_lock(file, libc::F_UNLCK),
            _ => Ok(()),
        }
    }
}

fn set_lock(file: &File, kind: libc::c_int) -> Outcome<()> {
    // SAFETY: flock holds integers only, for which all-zero bytes are a valid value; l_pid must be 0 for a lock of the open file description.
    let mut whole: libc::flock = unsafe { std::mem::zeroed() };
    whole.l_type = kind as libc::c_short;
    // SAFETY: the command reads one flock, and `whole` is one.
    call("fcntl", || unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLKW, &raw const whole) }).map(drop)
}

struct Request {
    procs: usize,
    times: u32,
    sync: String,
    file: PathBuf,
}

impl Request {
    fn read() -> Option<Self> {
        let mut args: Vec<_> = std::env::args_os().skip(1).collect();
        let mut option = |name: &str| {
            let place = args.iter().take(6).position(|arg| arg == name)?;
            args.remove(place);
            (place < args.len()).then(|| args.remove(place))?.into_string().ok()
        };
        let procs = option("-p")?.parse().ok().filter(|procs| (1..=1000).contains(procs))?;
        let times = option("-n")?.parse().ok()?;
        let sync = option("--sync").filter(|sync| ["none", "lock", "sem", "atomic"].contains(&sync.as_str()))?;
        let file = args.pop()?.into();
        args.is_empty().then_some(Self { procs, times, sync, file })
    }
}

fn run(request: &Request) -> Outcome<u64> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&request.file).at("open")?;
    match file.metadata().at("fstat")?.len() {
        0 => file.set_len(8).at("ftruncate")?,
        8 => {}
        _ => return Err(format!("{}: not a counter", request.file.display())),
    }
    let mapping = Mapping::<AtomicU64>::new(Some(&file))?;
    // SAFETY: the mapping is aligned, of the right length, and lives until the end of this function.
    let counter = unsafe { mapping.0.as_ref() };
    let gate = Gate::new(&request.sync, &request.file)?;

    let mut forked = Ok(());
    let mut children = Vec::with_capacity(request.procs);
    while children.len() < request.procs {
        // SAFETY: this process has one thread.
        match call("fork", || unsafe { libc::fork() }) {
            Ok(0) => {
                let done = gate.pass().and_then(|pass| (0..request.times).try_for_each(|_| pass.add_one(counter)));
                std::process::exit(done.map_or_else(complain, |()| 0));
            }
            Ok(child) => children.push(child),
            Err(failed) => {
                forked = Err(failed);
                break;
            }
        }
    }
    let ends = children.into_iter().map(end_of).collect::<Vec<_>>();
    forked?;
    ends.into_iter().collect::<Outcome<Vec<()>>>()?;
    if let Gate::Semaphore(semaphore) = &gate {
        // SAFETY: all children have ended, so nobody waits for the semaphore.
        call("sem_destroy", || unsafe { libc::sem_destroy(semaphore.0.as_ptr()) })?;
    }
    Ok(counter.load(Ordering::Relaxed))
}

fn end_of(child: libc::pid_t) -> Outcome<()> {
    let mut status = 0;
    // SAFETY: `status` is valid for a write of one int.
    call("waitpid", || unsafe { libc::waitpid(child, &raw mut status, 0) })?;
    match (libc::WIFEXITED(status), libc::WEXITSTATUS(status)) {
        (true, 0) => Ok(()),
        (true, code) => Err(format!("child: exited with status {code}")),
        (false, _) => Err(format!("child: killed by signal {}", libc::WTERMSIG(status))),
    }
}

fn complain(message: String) -> i32 {
    let line = format!("counter: {message}\n");
    eprint!("{line}");
    1
}

fn main() -> ExitCode {
    let Some(request) = Request::read() else {
        eprintln!("usage: counter -p PROCS -n TIMES --sync none|lock|sem|atomic FILE");
        return ExitCode::from(2);
    };
    let printed = run(&request).and_then(|total| io::stdout().write_all(format!("{total}\n").as_bytes()).at("write"));
    printed.map_or_else(|message| ExitCode::from(complain(message) as u8), |()| ExitCode::SUCCESS)
}
