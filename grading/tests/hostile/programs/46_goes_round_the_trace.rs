//! Asks for the calls that do other calls' work unseen, and for those that reach beyond the sandbox.
//! verdicts: pass pass pass pass
fn main() {
    let calls = [
        ("io_uring_setup", libc::SYS_io_uring_setup), ("io_uring_enter", libc::SYS_io_uring_enter), ("bpf", libc::SYS_bpf),
        ("perf_event_open", libc::SYS_perf_event_open), ("userfaultfd", libc::SYS_userfaultfd), ("keyctl", libc::SYS_keyctl), ("add_key", libc::SYS_add_key),
        ("request_key", libc::SYS_request_key), ("kexec_load", libc::SYS_kexec_load),
    ];
    for (name, number) in calls {
        let mut buffer = [0u8; 256];
        if unsafe { libc::syscall(number, 0, buffer.as_mut_ptr(), 0, 0, 0) } != -1 {
            through(name);
        }
    }
    let mut context = 0u64;
    if unsafe { libc::syscall(libc::SYS_io_setup, 8, &mut context) } != -1 {
        through("io_setup");
    }
    // The session keyring that everything started from one login shares.
    if unsafe { libc::syscall(libc::SYS_add_key, c"user".as_ptr(), c"hostile".as_ptr(), c"x".as_ptr(), 1, -3) } != -1 {
        through("a key in the session's keyring");
    }
    relay()
}
