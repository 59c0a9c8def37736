//! Namespaces and mounts: unshare(2), mount(2), pivot_root(2), the loopback interface.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::checked;
use super::socket;

/// Puts this process into namespaces of its own: user, mount, IPC, UTS and network; its children also into a PID namespace.
pub fn unshare_all() -> io::Result<()> {
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNET | libc::CLONE_NEWPID;
    // SAFETY: no precondition beyond a single thread, which the user namespace needs and the kernel checks.
    checked(unsafe { libc::unshare(flags) }).map(drop)
}

/// Puts this process into a mount, network and UTS namespace of its own, and where asked for a user namespace first; its children also into a PID namespace.
pub fn unshare_for_network(with_user: bool) -> io::Result<()> {
    let user = if with_user { libc::CLONE_NEWUSER } else { 0 };
    let flags = libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWUTS | libc::CLONE_NEWPID | user;
    // SAFETY: no precondition beyond a single thread, which the user namespace needs and the kernel checks.
    checked(unsafe { libc::unshare(flags) }).map(drop)
}

/// Puts this process into a network namespace of its own.
pub fn unshare_network() -> io::Result<()> {
    // SAFETY: no precondition.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// Puts this process into a network namespace that there is; setns(2).
pub fn enter_network(namespace: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no precondition.
    checked(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

/// mount(2). Empty strings stand for arguments that the kernel ignores.
pub fn mount(source: &CStr, target: &CStr, filesystem: &CStr, flags: libc::c_ulong, data: &CStr) -> io::Result<()> {
    // SAFETY: all strings are NUL-terminated.
    checked(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), filesystem.as_ptr(), flags, data.as_ptr().cast()) }).map(drop)
}

/// A mount of one file or folder that is not yet anywhere in the tree; open_tree(2), Linux 5.2.
pub fn open_tree(path: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    // SAFETY: the path is NUL-terminated.
    let descriptor = checked(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })?;
    // SAFETY: the call made this descriptor just now, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}

/// Puts a mount from [`open_tree`] at its place; move_mount(2), Linux 5.2.
pub fn move_mount(mount: BorrowedFd<'_>, target: &CStr) -> io::Result<()> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH;
    // SAFETY: both paths are NUL-terminated.
    checked(unsafe { libc::syscall(libc::SYS_move_mount, mount.as_raw_fd(), c"".as_ptr(), libc::AT_FDCWD, target.as_ptr(), flags) }).map(drop)
}

/// Makes a mount and all below it read-only, without set-user-ID and devices; mount_setattr(2), Linux 5.12.
pub fn make_read_only(target: &CStr) -> io::Result<()> {
    set_read_only(libc::AT_FDCWD, target, libc::AT_RECURSIVE)
}

/// The same of one mount, and not of those below it.
pub fn make_only_this_read_only(target: &CStr) -> io::Result<()> {
    set_read_only(libc::AT_FDCWD, target, 0)
}

/// The same of a mount that is not yet anywhere: see [`open_tree`].
pub fn make_detached_read_only(mount: BorrowedFd<'_>) -> io::Result<()> {
    set_read_only(mount.as_raw_fd(), c"", libc::AT_EMPTY_PATH)
}

fn set_read_only(directory: i32, target: &CStr, flags: i32) -> io::Result<()> {
    let mut attributes = MaybeUninit::<libc::mount_attr>::zeroed();
    // SAFETY: zeroed plain integers are a valid value: nothing to set, nothing to clear.
    let attributes = unsafe { attributes.assume_init_mut() };
    attributes.attr_set = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    // SAFETY: the path is NUL-terminated, and the size is that of the structure.
    checked(unsafe {
        libc::syscall(libc::SYS_mount_setattr, directory, target.as_ptr(), flags, &raw const *attributes, size_of::<libc::mount_attr>())
    })
    .map(drop)
}

/// Makes the working directory the root of the mount namespace and lets go of the old one; pivot_root(2).
pub fn pivot_to_working_directory() -> io::Result<()> {
    // SAFETY: both paths are NUL-terminated; with the same directory twice the old root is stacked on it (pivot_root(2), "pivot_root(".", ".")").
    checked(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) })?;
    // SAFETY: the path is NUL-terminated.
    checked(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) }).map(drop)
}

/// sethostname(2).
pub fn set_host_name(name: &str) -> io::Result<()> {
    // SAFETY: pointer and length are the string's.
    checked(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }).map(drop)
}

/// chdir(2).
pub fn change_directory(path: &CStr) -> io::Result<()> {
    // SAFETY: the path is NUL-terminated.
    checked(unsafe { libc::chdir(path.as_ptr()) }).map(drop)
}

/// Switches the loopback interface on; netdevice(7).
pub fn loopback_up() -> io::Result<()> {
    let socket = socket::tcp()?;
    let mut request = MaybeUninit::<libc::ifreq>::zeroed();
    // SAFETY: zeroed plain data is a valid value of this structure.
    let request = unsafe { request.assume_init_mut() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = *byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: SIOCSIFFLAGS reads a `struct ifreq`.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const *request) }).map(drop)
}
