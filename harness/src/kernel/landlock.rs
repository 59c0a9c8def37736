//! landlock(7): which files a program can reach, where there is no mount namespace to say so.
//!
//! A set of rules names trees of files and what may be done in them; whoever puts it on itself and all that it starts can do nothing else with files that it
//! opens from then on. Descriptors that are open already stay as they are.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use super::checked;
use super::descriptor::{c_path, open_at, status_of};

/// Rights of `linux/landlock.h`.
const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_FOLDER: u64 = 1 << 3;
/// All rights of the first version, and those that the second and the third added: linking from folder to folder, and setting a file's length.
const FIRST: u64 = (1 << 13) - 1;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
/// What can be asked for at something that is no folder.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE;

const CREATE_RULESET_VERSION: u32 = 1;
const RULE_PATH_BENEATH: u32 = 1;

/// `struct landlock_ruleset_attr` as the first version has it: later fields that are not given are 0.
#[repr(C)]
struct Handled {
    files: u64,
}

/// `struct landlock_path_beneath_attr`, which is packed.
#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    parent: i32,
}

/// What may be done in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading and executing.
    Read,
    /// Reading and writing files that are there.
    Write,
    /// Everything.
    All,
}

/// The version of the kernel's Landlock; `None` where it has none or it is switched off.
#[must_use]
pub fn version() -> Option<u32> {
    // SAFETY: with this flag the kernel takes no structure.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Handled>(), 0usize, CREATE_RULESET_VERSION) };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// A set of rules for [`super::process::Launch::files`]: what they do not name cannot be reached. Paths that are not there, or that this user cannot reach, are left out.
/// `None` where the kernel has no Landlock.
///
/// # Errors
/// What the kernel refused.
pub fn ruleset<P: AsRef<Path>>(rules: &[(P, Access)]) -> io::Result<Option<OwnedFd>> {
    let Some(version) = version() else { return Ok(None) };
    let handled = FIRST | if version >= 2 { REFER } else { 0 } | if version >= 3 { TRUNCATE } else { 0 };
    let attributes = Handled { files: handled };
    // SAFETY: the size is that of the structure, which the kernel reads during the call only.
    let set = checked(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const attributes, size_of::<Handled>(), 0u32) })?;
    // SAFETY: the call made this descriptor just now, and nothing else owns it.
    let set = unsafe { OwnedFd::from_raw_fd(set as i32) };
    for (path, access) in rules {
        let Ok(parent) = open_at(None, &c_path(path.as_ref())?, libc::O_PATH, 0) else { continue };
        let wanted = match access {
            Access::Read => EXECUTE | READ_FILE | READ_FOLDER,
            Access::Write => READ_FILE | READ_FOLDER | WRITE_FILE | TRUNCATE,
            Access::All => handled,
        };
        let kind = if status_of(parent.as_fd())?.kind() == libc::S_IFDIR { handled } else { OF_FILES };
        let rule = Beneath { allowed: wanted & kind & handled, parent: parent.as_raw_fd() };
        // SAFETY: the structure is the one that this type of rule takes; the kernel reads it during the call only.
        checked(unsafe { libc::syscall(libc::SYS_landlock_add_rule, set.as_raw_fd(), RULE_PATH_BENEATH, &raw const rule, 0u32) })?;
    }
    Ok(Some(set))
}

/// Puts a set of rules on this thread and all that it starts; for a child between fork and exec. Needs PR_SET_NO_NEW_PRIVS.
pub(super) fn restrict(set: i32) -> bool {
    // SAFETY: no precondition.
    unsafe { libc::syscall(libc::SYS_landlock_restrict_self, set, 0u32) == 0 }
}
