/// The buffer has room for the longest message that the queue permits.
fn main() {
    unsafe {
        let mut attributes: libc::mq_attr = std::mem::zeroed();
        (attributes.mq_maxmsg, attributes.mq_msgsize) = (4, 64);
        let queue = libc::mq_open(c"/example".as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o600, &raw mut attributes);
        libc::mq_unlink(c"/example".as_ptr());
        libc::mq_send(queue, c"hello".as_ptr(), 5, 0);
        let mut buffer = [0; 64];
        if libc::mq_receive(queue, buffer.as_mut_ptr(), buffer.len(), std::ptr::null_mut()) != 5 {
            eprintln!("mq_receive: {}", std::io::Error::last_os_error());
            std::process::exit(1);
        }
    }
}
