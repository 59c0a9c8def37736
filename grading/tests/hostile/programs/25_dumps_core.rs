//! Lifts its limit for core files, and dies with a large memory: nothing of it is written.
//! verdicts: pass pass pass pass
fn main() {
    unsafe {
        let all = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        if libc::setrlimit(libc::RLIMIT_CORE, &all) == 0 {
            through("lifts the limit of core files");
        }
        let child = libc::fork();
        if child == 0 {
            libc::abort();
        }
        let mut status = 0;
        libc::waitpid(child, &mut status, 0);
        if libc::WCOREDUMP(status) {
            through("a core file is written");
        }
    }
    relay()
}
