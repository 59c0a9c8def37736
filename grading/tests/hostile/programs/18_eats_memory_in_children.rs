//! Takes memory in several processes, each of which stays below its own limit.
//! verdicts: fail fail skipped fail
//! says in tier A: all processes of a run together have at most 1024 MiB of memory
fn main() {
    let mut gate = [0; 2];
    unsafe { libc::pipe(gate.as_mut_ptr()) };
    let (read, write) = (gate[0], gate[1]);
    let mut ready = [0; 2];
    unsafe { libc::pipe(ready.as_mut_ptr()) };
    let mut byte = 0u8;
    for _ in 0..3 {
        if unsafe { libc::fork() } == 0 {
            unsafe { libc::close(write) };
            let mut memory = vec![0u8; 500 << 20];
            memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
            unsafe { libc::write(ready[1], std::ptr::from_ref(&byte).cast(), 1) };
            unsafe { libc::read(read, std::ptr::from_mut(&mut byte).cast(), 1) };
            std::process::exit(i32::from(memory[4096]) - 1);
        }
        unsafe { libc::read(ready[0], std::ptr::from_mut(&mut byte).cast(), 1) };
    }
    unsafe { libc::close(write) };
    (0..3).for_each(|_| drop(unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) }));
    // 1500 MiB at one time. Where each process alone is limited that can be had.
    std::process::exit(3)
}
