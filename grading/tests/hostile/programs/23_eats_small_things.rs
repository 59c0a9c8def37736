//! Takes descriptors, watches, timers and pending signals until there are none.
//! verdicts: fail fail skipped fail
fn main() {
    let descriptors = (0..100_000).take_while(|_| unsafe { libc::dup(1) } != -1).count();
    if descriptors > 5000 {
        through(&format!("{descriptors} descriptors"));
    }
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    let instances = (0..5000).take_while(|_| unsafe { libc::inotify_init1(0) } != -1).count();
    if instances > 2000 {
        through(&format!("{instances} inotify instances"));
    }
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_NONE;
    let timers = (0..200_000).take_while(|_| {
        let mut timer = std::ptr::null_mut();
        unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) == 0 }
    });
    let timers = timers.count();
    if timers > 50_000 {
        through(&format!("{timers} timers"));
    }
    std::process::exit(3)
}
