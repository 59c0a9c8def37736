//! Descriptors and paths relative to them: open(2), read(2), readlink(2), stat(2), pipe(2), poll-free non-blocking I/O.

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::{checked, retried};

/// A path as the kernel takes it.
pub fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("{}: a path with a NUL byte", path.display())))
}

/// A pipe, close-on-exec: its read end and its write end; pipe(2).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for two descriptors.
    checked(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: the call made this descriptor just now, and nothing else owns it.
    let read = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: as for the read end.
    let write = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    Ok((read, write))
}

/// openat(2), close-on-exec. `directory` is `None` for the working directory.
pub fn open_at(directory: Option<BorrowedFd<'_>>, path: &CStr, flags: i32, mode: u32) -> io::Result<OwnedFd> {
    let directory = directory.map_or(libc::AT_FDCWD, |directory| directory.as_raw_fd());
    // SAFETY: the path is NUL-terminated; the mode is passed as the variadic argument that openat(2) expects.
    let descriptor = retried(|| unsafe { libc::openat(directory, path.as_ptr(), flags | libc::O_CLOEXEC, mode) })?;
    // SAFETY: the call made this descriptor just now, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// read(2).
pub fn read(descriptor: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are the buffer's.
    retried(|| unsafe { libc::read(descriptor.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) }).map(isize::cast_unsigned)
}

/// write(2).
pub fn write(descriptor: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are the slice's.
    retried(|| unsafe { libc::write(descriptor.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) }).map(isize::cast_unsigned)
}

/// Makes I/O on this open file fail with EAGAIN rather than wait; fcntl(2).
pub fn set_nonblocking(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_GETFL takes no argument.
    let flags = checked(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: F_SETFL takes an int.
    checked(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}

/// All of a small file below `directory`, for `/proc`.
pub fn read_file_at(directory: BorrowedFd<'_>, path: &str) -> io::Result<Vec<u8>> {
    let path = CString::new(path)?;
    let file = open_at(Some(directory), &path, libc::O_RDONLY, 0)?;
    let mut content = Vec::new();
    io::Read::read_to_end(&mut std::fs::File::from(file), &mut content)?;
    Ok(content)
}

/// What one read(2) of a file of `/proc` gives at most, and what its longest record is, where the records are short (`net/tcp`, `PID/stat`), in bytes.
const PROC_PAGE: usize = 4096;
const SHORT_RECORD: usize = 1024;

/// The same for a file of short records, without the read that returns 0. The kernel gives whole records, as many as a page holds: a read that left room for
/// another was the last. For the kernel's tables every read begins with a walk through all of the table.
pub fn read_records_at(directory: BorrowedFd<'_>, path: &str) -> io::Result<Vec<u8>> {
    let path = CString::new(path)?;
    read_records(open_at(Some(directory), &path, libc::O_RDONLY, 0)?.as_fd())
}

/// The same for such a file that is open, from its beginning.
pub fn read_records(file: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    // SAFETY: no precondition.
    checked(unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_SET) })?;
    let mut content = Vec::new();
    let mut page = [0; PROC_PAGE];
    loop {
        let count = read(file, &mut page)?;
        content.extend_from_slice(&page[..count]);
        if count + SHORT_RECORD <= PROC_PAGE {
            return Ok(content);
        }
    }
}

/// readlinkat(2).
pub fn read_link_at(directory: BorrowedFd<'_>, path: &str) -> io::Result<OsString> {
    let path = CString::new(path)?;
    let mut buffer = vec![0u8; 4096];
    // SAFETY: the path is NUL-terminated; pointer and length are the buffer's.
    let length = checked(unsafe { libc::readlinkat(directory.as_raw_fd(), path.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) })?;
    buffer.truncate(length.cast_unsigned());
    Ok(OsString::from_vec(buffer))
}

/// What stat(2) says, as far as the harness asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Type and permissions.
    pub mode: u32,
    /// The inode's number.
    pub inode: u64,
    /// The device's number.
    pub device: u64,
}

impl Status {
    /// The type of the file (`S_IFIFO`, `S_IFSOCK` …).
    #[must_use]
    pub fn kind(&self) -> u32 {
        self.mode & libc::S_IFMT
    }
}

/// fstatat(2), following symbolic links.
pub fn status_at(directory: BorrowedFd<'_>, path: &str) -> io::Result<Status> {
    let path = CString::new(path)?;
    status(directory.as_raw_fd(), &path, 0)
}

/// fstat(2).
pub fn status_of(descriptor: BorrowedFd<'_>) -> io::Result<Status> {
    status(descriptor.as_raw_fd(), c"", libc::AT_EMPTY_PATH)
}

fn status(directory: i32, path: &CStr, flags: i32) -> io::Result<Status> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the path is NUL-terminated and the structure has room for the answer.
    checked(unsafe { libc::fstatat(directory, path.as_ptr(), status.as_mut_ptr(), flags) })?;
    // SAFETY: the call succeeded, so the structure is written.
    let status = unsafe { status.assume_init() };
    Ok(Status { mode: status.st_mode, inode: status.st_ino, device: status.st_dev })
}

/// The names in a directory, sorted, without `.` and `..`.
pub fn names_at(directory: BorrowedFd<'_>, path: &str) -> io::Result<Vec<String>> {
    let opened = open_at(Some(directory), &CString::new(path)?, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    let mut names = Vec::new();
    let mut buffer = vec![0u8; 32 << 10];
    loop {
        // SAFETY: pointer and length are the buffer's.
        let length = checked(unsafe { libc::syscall(libc::SYS_getdents64, opened.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) })?;
        if length == 0 {
            names.sort();
            return Ok(names);
        }
        // Each entry is `struct linux_dirent64`: inode (8), offset (8), its own length (2), type (1), name up to a NUL; getdents64(2).
        let mut rest = &buffer[..length as usize];
        while rest.len() > 19 {
            let size = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
            let name = rest[19..size].split(|byte| *byte == 0).next().unwrap_or_default();
            if name != b"." && name != b".." {
                names.push(String::from_utf8_lossy(name).into_owned());
            }
            rest = &rest[size..];
        }
    }
}

/// Whether this user may execute a file; access(2).
#[must_use]
pub fn may_execute(path: &[u8]) -> bool {
    // SAFETY: the path is a NUL-terminated string.
    CString::new(path).is_ok_and(|path| unsafe { libc::access(path.as_ptr(), libc::X_OK) } == 0)
}

/// A file without a name, in memory: to read it from its beginning, and to write it; memfd_create(2).
pub fn file_in_memory() -> io::Result<(OwnedFd, OwnedFd)> {
    // SAFETY: the name is a NUL-terminated string.
    let write = checked(unsafe { libc::memfd_create(c"output".as_ptr(), libc::MFD_CLOEXEC) })?;
    // SAFETY: the call before made the descriptor, and nothing else owns it.
    let write = unsafe { OwnedFd::from_raw_fd(write) };
    let read = open_at(None, &CString::new(format!("/proc/self/fd/{}", write.as_raw_fd()))?, libc::O_RDONLY, 0)?;
    Ok((read, write))
}

/// Locks an open file or folder for as long as it is open in this process or one that inherited it, unless it is locked already; flock(2).
pub fn lock(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no precondition.
    checked(unsafe { libc::flock(descriptor.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }).map(drop)
}

/// Whether this process may write to a file or folder, by what the kernel says; faccessat(2).
#[must_use]
pub fn may_write(path: &Path) -> bool {
    // SAFETY: the path is NUL-terminated.
    c_path(path).is_ok_and(|path| unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::W_OK, libc::AT_EACCESS) } == 0)
}

/// A short extended attribute of a file or folder; getxattr(2).
pub fn attribute(path: &Path, name: &str) -> io::Result<Vec<u8>> {
    let (path, name) = (c_path(path)?, CString::new(name)?);
    let mut value = vec![0u8; 256];
    // SAFETY: both strings are NUL-terminated; pointer and length are the buffer's.
    let length = checked(unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) })?;
    value.truncate(length.cast_unsigned());
    Ok(value)
}
