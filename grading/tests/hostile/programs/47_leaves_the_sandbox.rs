//! Makes namespaces, mounts and devices, and enters those of others.
//! verdicts: pass pass pass pass
fn main() {
    unsafe {
        for flags in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWPID, libc::CLONE_NEWNET, libc::CLONE_NEWIPC, libc::CLONE_NEWUSER | libc::CLONE_NEWNS] {
            if libc::unshare(flags) != -1 {
                through(&format!("namespaces {flags:x}"));
            }
        }
        for (kind, target) in [(c"tmpfs", c"/tmp"), (c"proc", c"/proc"), (c"cgroup2", c"/tmp"), (c"mqueue", c"/tmp")] {
            if libc::mount(c"none".as_ptr(), target.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) != -1 {
                through("mounts");
            }
        }
        if libc::mount(c"".as_ptr(), c"/usr".as_ptr(), c"".as_ptr(), libc::MS_REMOUNT | libc::MS_BIND, std::ptr::null()) != -1 {
            through("makes /usr writable");
        }
        if libc::umount2(c"/proc".as_ptr(), libc::MNT_DETACH) != -1 || libc::umount2(c"/lab/0/relay".as_ptr(), libc::MNT_DETACH) != -1 {
            through("unmounts");
        }
        if libc::chroot(c"/tmp".as_ptr()) != -1 || libc::setuid(0) != -1 || libc::setgid(0) != -1 || libc::sethostname(c"x".as_ptr(), 1) != -1 {
            through("privileges");
        }
        if libc::mknod(c"/tmp/disk".as_ptr(), libc::S_IFBLK | 0o666, 0x800) != -1 {
            through("a device");
        }
        for name in [c"user", c"mnt", c"pid", c"net", c"ipc"] {
            let path = std::ffi::CString::new(format!("/proc/1/ns/{}", name.to_str().unwrap())).unwrap();
            let namespace = libc::open(path.as_ptr(), libc::O_RDONLY);
            if namespace != -1 && libc::setns(namespace, 0) != -1 {
                through("enters a namespace");
            }
        }
        let raised = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        for resource in [libc::RLIMIT_CPU, libc::RLIMIT_NPROC, libc::RLIMIT_NOFILE, libc::RLIMIT_FSIZE, libc::RLIMIT_DATA, libc::RLIMIT_CORE] {
            if libc::setrlimit(resource, &raised) != -1 {
                through(&format!("limit {resource}"));
            }
        }
        if libc::setpriority(libc::PRIO_PROCESS, 0, -5) != -1 {
            through("priority");
        }
        for path in [c"/proc/sys/kernel/shmmax", c"/proc/sys/user/max_user_namespaces", c"/proc/sys/fs/mqueue/queues_max", c"/proc/sysrq-trigger"] {
            if libc::open(path.as_ptr(), libc::O_WRONLY) != -1 {
                through("writes the kernel's settings");
            }
        }
    }
    relay()
}
