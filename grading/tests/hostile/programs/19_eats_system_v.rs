//! Takes System V memory, semaphores and queues until there are none, and leaves all of them.
//! verdicts: fail fail skipped fail
fn main() {
    let mut bytes = 0usize;
    for key in 0..64 {
        unsafe {
            let length = 32 << 20;
            let id = libc::shmget(0x686f7300 + key, length, libc::IPC_CREAT | 0o600);
            let at = libc::shmat(id, std::ptr::null(), 0);
            if id == -1 || at as isize == -1 {
                break;
            }
            (0..length).step_by(4096).for_each(|byte| at.cast::<u8>().add(byte).write_volatile(1));
            bytes += length;
            libc::shmdt(at);
        }
    }
    if bytes > 1 << 30 {
        through(&format!("{bytes} bytes of System V memory"));
    }
    let sets = (0..4000).take_while(|key| unsafe { libc::semget(0x686f7300 + key, 250, libc::IPC_CREAT | 0o600) } != -1).count();
    if sets * 250 > 500_000 {
        through(&format!("{sets} sets of 250 semaphores"));
    }
    let queues = (0..4000).take_while(|key| unsafe { libc::msgget(0x686f7300 + key, libc::IPC_CREAT | 0o600) } != -1).count();
    if queues > 1000 {
        through(&format!("{queues} queues"));
    }
    relay()
}
