//! Makes POSIX queues until there are no more, full ones, and leaves them.
//! verdicts: pass fail pass pass
//! says: left behind: the POSIX queue
fn main() {
    let made = (0..2000).take_while(|number| unsafe {
        let name = std::ffi::CString::new(format!("/hostile{number}")).unwrap();
        let queue = libc::mq_open(name.as_ptr(), libc::O_CREAT | libc::O_RDWR | libc::O_NONBLOCK, 0o600, std::ptr::null_mut::<libc::mq_attr>());
        let message = [1u8; 8192];
        while queue != -1 && libc::mq_send(queue, message.as_ptr().cast(), message.len(), 0) == 0 {}
        queue != -1 && libc::close(queue) == 0
    });
    let made = made.count();
    if made > 1000 {
        through(&format!("{made} queues"));
    }
    relay()
}
