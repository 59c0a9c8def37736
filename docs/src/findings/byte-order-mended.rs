/// A server for port 4660.
fn main() {
    unsafe {
        let server = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        let mut address: libc::sockaddr_in = std::mem::zeroed();
        address.sin_family = libc::AF_INET as libc::sa_family_t;
        address.sin_port = 4660u16.to_be();
        address.sin_addr.s_addr = u32::from(std::net::Ipv4Addr::LOCALHOST).to_be();
        libc::bind(server, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t);
        libc::listen(server, 1);
        let connection = libc::accept(server, std::ptr::null_mut(), std::ptr::null_mut());
        libc::write(connection, c"hello".as_ptr().cast(), 5);
    }
}
