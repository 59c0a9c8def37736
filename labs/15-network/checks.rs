//! Checks for the network lab, one for each promise in its README. In the first part the programs talk across the kernel's routers; in the second the router is
//! the program, and the check plays all hosts around it, or lets the kernel play them.

#[path = "checks/bench.rs"]
mod bench;
#[path = "checks/errors.rs"]
mod errors;
#[path = "checks/frames.rs"]
mod frames;
#[path = "checks/refusals.rs"]
mod refusals;
#[path = "checks/routing.rs"]
mod routing;
#[path = "checks/talking.rs"]
mod talking;
#[path = "checks/towns.rs"]
mod towns;

use harness::prelude::*;

harness::checks! {
    tcp_across, udp_across, all_at_once, refused, answers_arp, forwards, waits, longest_prefix, options, bad_headers, not_for_it, time_exceeded, unreachable,
    silence, echo, own_routers, tools, stops, interrupted, errors_reported, usage
}

/// Over TCP, `talk` on A1 prints all that it has sent to `talkd` on E2, and `talkd` prints a line with the address of A1.
fn tcp_across(lab: &Lab) -> Verdict {
    talking::tcp_across(lab)
}

/// Over UDP, `talk` on A1 prints the datagram that it has sent to `talkd` on E2, be it empty or in many fragments, and `talkd` prints a line with the address of
/// A1 and the number of bytes.
fn udp_across(lab: &Lab) -> Verdict {
    talking::udp_across(lab)
}

/// `talkd` serves all at once: a connection on which nobody says anything keeps no other connection and no datagram waiting.
fn all_at_once(lab: &Lab) -> Verdict {
    talking::all_at_once(lab)
}

/// Where nothing listens on the port of the other host, `talk` reports it and exits with 1, over TCP and over UDP.
fn refused(lab: &Lab) -> Verdict {
    talking::refused(lab)
}

/// The router answers a request of ARP for its own address on that LAN, to who asked; it answers no other.
fn answers_arp(lab: &Lab) -> Verdict {
    routing::answers_arp(lab)
}

/// The router asks all on a LAN for the Ethernet address of a host there, and sends it the packet in a frame from its own: with one less to live, with the
/// header's checksum right, with all else as it came, and once.
fn forwards(lab: &Lab) -> Verdict {
    routing::forwards(lab)
}

/// Packets for an address that is not known yet wait, three at least, and go in their order when its own answer comes; packets after that go without asking.
fn waits(lab: &Lab) -> Verdict {
    routing::waits(lab)
}

/// Of all routes that fit, the one with the longest prefix counts, in whatever order they are given; its gateway gets the frame, and the packet's destination
/// stays.
fn longest_prefix(lab: &Lab) -> Verdict {
    routing::longest_prefix(lab)
}

/// Headers with options, of up to 60 bytes, and packets of every checksum are passed on right.
fn options(lab: &Lab) -> Verdict {
    routing::options(lab)
}

/// A packet whose header cannot be right is dropped: another version than 4, a header or a packet longer than what came, or a wrong checksum. What follows a
/// packet in its frame is not passed on.
fn bad_headers(lab: &Lab) -> Verdict {
    routing::bad_headers(lab)
}

/// Frames for other hosts, frames that are neither ARP nor IPv4, packets in frames for all and packets for groups or for all are left alone.
fn not_for_it(lab: &Lab) -> Verdict {
    routing::not_for_it(lab)
}

/// A packet for others that comes with a time to live of 0 or 1 is not passed on; its sender gets `time exceeded` from the router's address on that LAN, with
/// the packet's header and the 8 bytes after it.
fn time_exceeded(lab: &Lab) -> Verdict {
    errors::time_exceeded(lab)
}

/// A packet that no route fits is not passed on; its sender gets `network unreachable` in the same way.
fn unreachable(lab: &Lab) -> Verdict {
    errors::unreachable(lab)
}

/// The router sends no error about a message of ICMP that is one itself, about a fragment other than the first, or to a source that is no single host.
fn silence(lab: &Lab) -> Verdict {
    errors::silence(lab)
}

/// The router answers echo requests to each of its addresses, on whichever LAN and with whatever time to live they come, with the same number, sequence and
/// data.
fn echo(lab: &Lab) -> Verdict {
    errors::echo(lab)
}

/// Hosts whose only way is through two of these routers talk over TCP and UDP, in frames of full length.
fn own_routers(lab: &Lab) -> Verdict {
    towns::own_routers(lab)
}

/// `ping`, `traceroute` and `curl` find their way through two of these routers.
fn tools(lab: &Lab) -> Verdict {
    towns::tools(lab)
}

/// SIGTERM or SIGINT ends `talkd` and `router` with exit status 0.
fn stops(lab: &Lab) -> Verdict {
    refusals::stops(lab)
}

/// All three programs go on where a call fails with EINTR because a signal came, and where TCP moves fewer bytes than were asked for.
fn interrupted(lab: &Lab) -> Verdict {
    refusals::interrupted(lab)
}

/// A failed call is reported on standard error as `PROGRAM: CALL: message (ERRNO)`, and the program exits with 1.
fn errors_reported(lab: &Lab) -> Verdict {
    refusals::errors_reported(lab)
}

/// Wrong usage prints the usage line on standard error, and the program exits with 2.
fn usage(lab: &Lab) -> Verdict {
    refusals::usage(lab)
}
