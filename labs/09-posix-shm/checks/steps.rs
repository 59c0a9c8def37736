//! What the checks share: commands on a ring, a look into its memory, and what is expected of them.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use harness::prelude::*;

/// The layout that the handout prescribes.
pub const MAGIC: u32 = 0x5249_4e47;
pub const CAPACITY: u64 = 4;
pub const HEAD: u64 = 8;
pub const TAIL: u64 = 12;
pub const SLOTS: u64 = 128;
pub const SLOT: u64 = 256;
/// Most bytes of a line.
pub const LONGEST: usize = 252;

/// The calls that libc's semaphores wait with, and the one that maps memory.
pub const FUTEX: Call = Call::Other(libc::SYS_futex as u32);
pub const MMAP: Call = Call::Other(libc::SYS_mmap as u32);

/// Result of looking at one thing.
pub type Looked = Result<(), Unpassed>;

/// A name that no other run uses.
pub fn name(lab: &Lab) -> String {
    format!("/{}-{}", lab.word(), lab.number(1000..1_000_000))
}

/// Lines of words.
pub fn lines(lab: &Lab, count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|_| format!("{} {}", lab.word(), lab.word()).into_bytes()).collect()
}

/// Lines, each with its newline.
pub fn text(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect()
}

/// A run for each case, until one does not pass.
pub fn each<T>(cases: impl IntoIterator<Item = T>, run: impl Fn(T) -> Verdict) -> Verdict {
    let mut verdict = Err(Unpassed::Broken("there is no case to check".into()));
    for case in cases {
        verdict = Ok(run(case)?);
    }
    verdict
}

/// Starts a command with this standard input.
pub fn start(session: &mut Session, arguments: &[&str], input: &[u8]) -> Result<Program, Unpassed> {
    session.program("ring").args(arguments.iter().copied()).called(&format!("`ring {}`", arguments[0])).stdin(input).start()
}

/// Starts a command with this standard input, and lets the run go on until it has ended.
pub fn run(session: &mut Session, arguments: &[&str], input: &[u8]) -> Result<Program, Unpassed> {
    let program = start(session, arguments, input)?;
    session.exit(program).map_err(|unpassed| in_command(unpassed, arguments))?;
    Ok(program)
}

/// A command that ends with status 0 and prints just this.
pub fn ends_well(session: &mut Session, arguments: &[&str], input: &[u8], output: &[u8]) -> Looked {
    let program = run(session, arguments, input)?;
    has_ended_well(session, program, output).map_err(|unpassed| in_command(unpassed, arguments))
}

/// Fails unless the program ended with status 0 and printed just this.
pub fn has_ended_well(session: &mut Session, program: Program, output: &[u8]) -> Looked {
    exits(session, program, Exit::Status(0))?;
    prints(session, program, output)
}

/// A command that ends with status 1, prints nothing, and has a line on standard error that begins with this.
pub fn fails(session: &mut Session, arguments: &[&str], input: &[u8], beginning: &str) -> Looked {
    let program = run(session, arguments, input)?;
    has_failed(session, program, beginning).and_then(|()| prints(session, program, b"")).map_err(|unpassed| in_command(unpassed, arguments))
}

/// Fails unless the program ended with status 1 and a line on standard error that begins with this.
pub fn has_failed(session: &mut Session, program: Program, beginning: &str) -> Looked {
    exits(session, program, Exit::Status(1))?;
    complains(session, program, &[beginning])
}

pub fn in_command(unpassed: Unpassed, arguments: &[&str]) -> Unpassed {
    // Names are long and say nothing.
    let shown: Vec<&str> = arguments.iter().map(|argument| if argument.starts_with('/') { "NAME" } else { argument }).collect();
    match unpassed {
        Unpassed::Fail(finding) => Unpassed::from(finding.when(&format!("`ring {}`", shown.join(" ")))),
        other => other,
    }
}

/// A new ring.
pub fn create(session: &mut Session, name: &str, capacity: u64) -> Looked {
    ends_well(session, &["create", "-c", &capacity.to_string(), name], b"", b"")
}

/// Puts lines into a ring that has room for them.
pub fn put(session: &mut Session, name: &str, lines: &[Vec<u8>]) -> Looked {
    ends_well(session, &["put", name], &text(lines), b"")
}

/// Takes lines out of a ring that has them.
pub fn get(session: &mut Session, name: &str, lines: &[Vec<u8>]) -> Looked {
    ends_well(session, &["get", "-n", &lines.len().to_string(), name], b"", &text(lines))
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("/dev/shm{name}"))
}

/// All that is in the ring's memory.
pub fn memory(name: &str) -> Result<Vec<u8>, Unpassed> {
    fs::read(path(name)).map_err(|_| {
        let next = "make it with shm_open and O_CREAT; shm_open(3)";
        Finding::new("shared-memory", "the shared-memory object NAME is there", "there is none", next).into()
    })
}

/// The permission bits of the object.
pub fn mode(name: &str) -> Result<u32, Unpassed> {
    Ok(std::os::unix::fs::MetadataExt::mode(&fs::metadata(path(name))?) & 0o7777)
}

/// A number of the header or of a slot.
pub fn number(memory: &[u8], offset: u64) -> Option<u32> {
    let at = usize::try_from(offset).ok()?;
    Some(u32::from_ne_bytes(memory.get(at..at + 4)?.try_into().ok()?))
}

/// Writes a number there, as another process might.
pub fn poke(name: &str, offset: u64, value: u32) -> Looked {
    Ok(OpenOptions::new().write(true).open(path(name))?.write_all_at(&value.to_ne_bytes(), offset)?)
}

/// Makes an object of this name that is no ring.
pub fn make_object(session: &mut Session, name: &str, content: &[u8]) -> Looked {
    fs::write(path(name), content)?;
    session.count_as_there_before();
    Ok(())
}

/// Sets the object's length.
pub fn set_length(name: &str, length: u64) -> Looked {
    Ok(OpenOptions::new().write(true).open(path(name))?.set_len(length)?)
}

/// Removes the object: without namespaces it would stay.
pub fn remove_object(name: &str) -> Looked {
    Ok(fs::remove_file(path(name))?)
}

/// Fails unless a number of the header or of a slot is this.
pub fn number_is(memory: &[u8], what: &str, offset: u64, expected: u32) -> Looked {
    let observed = number(memory, offset);
    if observed == Some(expected) {
        return Ok(());
    }
    let observed = observed.map_or_else(|| "the object ends before it".to_owned(), |observed| format!("it is {observed}"));
    let next = "describe the layout by a #[repr(C)] struct, and hold its offsets against the handout's with offset_of!";
    Err(Finding::new("layout", format!("{what}, at offset {offset}, is {expected}"), observed, next).into())
}

/// Fails if the shared memory is still there.
pub fn nothing_is_left(session: &mut Session) -> Looked {
    let left: Vec<String> =
        session.leftovers().iter().filter(|left| matches!(left, Leftover::SharedMemory(_))).map(|_| "a shared-memory object".into()).collect();
    if left.is_empty() {
        return Ok(());
    }
    let next = "take the name away: shm_unlink(3); closing or unmapping removes nothing";
    Err(Finding::new("left-behind", "the shared-memory object is gone", "it is still there", next).into())
}

/// A fault at what a semaphore of several processes sleeps in: FUTEX_WAIT_BITSET without FUTEX_PRIVATE_FLAG.
pub fn at_semaphore_sleep(fault: Fault) -> Fault {
    fault.where_bits(1, 0xff, libc::FUTEX_WAIT_BITSET as u64)
}

/// A fault at the mapping of shared memory; the loader's mappings are private.
pub fn at_shared_mapping(fault: Fault) -> Fault {
    fault.where_bits(3, libc::MAP_TYPE as u64, libc::MAP_SHARED as u64)
}
