//! The servers and clients of the book, run against each other: Rust and C, in all four combinations.

mod support;

use std::io::{BufRead, BufReader};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::{both, run, rust};

/// A server that runs until this is dropped.
struct Server {
    child: Child,
    port: String,
}

impl Server {
    fn start(program: &Path) -> Self {
        let mut child = Command::new(program)
            .arg("0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        // A server that dies first closes the pipe, so this always ends.
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("the server's line");
        let port = line
            .trim()
            .strip_prefix("listening ")
            .unwrap_or_else(|| panic!("expected `listening PORT`, observed {line:?}"))
            .to_owned();
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Each server, asked by each client, each of the messages.
fn every_combination(protocol: &str, messages: &[&str]) {
    let clients = both(&format!("{protocol}-client"));
    for server in both(&format!("{protocol}-server")) {
        let running = Server::start(&server);
        for client in &clients {
            for message in messages {
                let pair = format!(
                    "{} and {}, {} bytes",
                    server.display(),
                    client.display(),
                    message.len()
                );
                let ask = || run(client, &["127.0.0.1", &running.port, message]);
                let mut ended = ask();
                // A datagram may be lost, and on a busy machine an answer may take longer than a
                // client waits.
                for _ in 0..20 {
                    if ended.stderr == "udp-client: no answer\n" {
                        ended = ask();
                    }
                }
                assert_eq!(
                    ended.stdout,
                    format!("{} bytes\n", message.len()),
                    "{pair}: {}",
                    ended.stderr
                );
                assert_eq!(ended.stderr, "", "{pair}");
                assert!(ended.status.success(), "{pair}: {}", ended.status);
            }
        }
    }
}

#[test]
fn tcp_pairs_talk_to_each_other() {
    // The last one is more than a buffer of the server, and comes in pieces.
    every_combination("tcp", &["hello", "", "two words", &"x".repeat(100_000)]);
}

#[test]
fn udp_pairs_talk_to_each_other() {
    // The last one is the most that a UDP datagram over IPv4 can carry.
    every_combination("udp", &["hello", "", "two words", &"x".repeat(65_507)]);
}

#[test]
fn a_tcp_client_that_breaks_off_does_not_end_the_server() {
    for server in both("tcp-server") {
        let running = Server::start(&server);
        let address = format!("127.0.0.1:{}", running.port);
        // Closing with unread data, or with the answer under way, resets the connection.
        for _ in 0..3 {
            let broken = std::net::TcpStream::connect(&address).expect("the server listens");
            broken.shutdown(std::net::Shutdown::Write).expect("connected");
            drop(broken);
        }
        let ended = run(&rust("tcp-client"), &["127.0.0.1", &running.port, "still there"]);
        assert_eq!(ended.stdout, "11 bytes\n", "{}: {}", server.display(), ended.stderr);
    }
}

#[test]
fn a_client_without_a_server_says_so() {
    // Bound and not listening: nobody else gets this port, and a connection to it is refused.
    // SAFETY: takes no pointer.
    let bound =
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert_ne!(bound, -1, "socket: {}", std::io::Error::last_os_error());
    // SAFETY: the descriptor is new and nobody else's.
    let bound = std::net::TcpListener::from(unsafe { OwnedFd::from_raw_fd(bound) });
    // SAFETY: all zeros is a valid address structure.
    let mut here: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    here.sin_family = libc::AF_INET as libc::sa_family_t;
    here.sin_addr.s_addr = libc::INADDR_LOOPBACK.to_be();
    // SAFETY: `here` is an address structure of the length given.
    let done = unsafe {
        libc::bind(
            bound.as_raw_fd(),
            (&raw const here).cast(),
            size_of::<libc::sockaddr_in>() as libc::socklen_t,
        )
    };
    assert_ne!(done, -1, "bind: {}", std::io::Error::last_os_error());
    let port = bound.local_addr().expect("bound").port().to_string();
    for client in both("tcp-client") {
        let ended = run(&client, &["127.0.0.1", &port, "hello"]);
        assert_eq!(ended.status.code(), Some(1), "{}", client.display());
        assert!(
            ended.stderr.contains("connect: Connection refused"),
            "{}: {}",
            client.display(),
            ended.stderr
        );
    }
}

#[test]
fn wrong_usage_is_told() {
    for name in ["tcp-server", "tcp-client", "udp-server", "udp-client"] {
        for program in both(name) {
            let ended = run(&program, &[]);
            assert_eq!(ended.status.code(), Some(2), "{}", program.display());
            assert!(
                ended.stderr.starts_with(&format!("usage: {name} ")),
                "{}: {}",
                program.display(),
                ended.stderr
            );
        }
    }
}

#[test]
fn a_udp_client_that_hears_nothing_asks_three_times() {
    // Both at once: each waits for three seconds.
    std::thread::scope(|scope| {
        for client in both("udp-client") {
            scope.spawn(move || {
                let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
                let port = silent.local_addr().expect("bound").port().to_string();
                let ended = run(&client, &["127.0.0.1", &port, "hello"]);
                assert_eq!(ended.status.code(), Some(1), "{}", client.display());
                assert_eq!(ended.stderr, "udp-client: no answer\n", "{}", client.display());
                silent.set_nonblocking(true).expect("a socket");
                let mut buffer = [0; 16];
                let heard = std::iter::from_fn(|| silent.recv(&mut buffer).ok()).count();
                assert_eq!(heard, 3, "{}", client.display());
            });
        }
    });
}
