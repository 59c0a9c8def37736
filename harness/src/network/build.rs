//! A network of namespaces, as its description says.
//!
//! Theory of operation: each host and router is a network namespace, and one more holds what is between them: for each LAN a bridge with a port for each of
//! its members, or for a LAN with one member the other end of that member's cable. Whoever builds it needs CAP_SYS_ADMIN in the user namespace that it is in,
//! and no more: `unshare(CLONE_NEWUSER)` gives that to anyone. No namespace has a process of its own; the descriptors in [`Network`] hold them.
//!
//! Everything that could differ from machine to machine is set: IPv6 is off, so that nobody talks unasked; addresses of Ethernet follow from those of IPv4;
//! errors of ICMP are sent however many there are; and what hardware would do (checksums, segments) is done by the kernel before a frame goes out, so that a
//! packet socket sees frames as they are on a real wire.

use std::ffi::{CStr, CString};
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::topology::{Node, Role, Topology};
use crate::kernel::namespace;
use crate::kernel::netlink::Netlink;

/// How long links may take until they carry packets: the kernel sees to it at once, in a thread of its own.
const CARRIES_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks at that.
const LOOK: Duration = Duration::from_micros(200);

/// A network that is there as long as this is.
pub struct Network {
    topology: Topology,
    /// A namespace for each node, in the order of the description.
    namespaces: Vec<OwnedFd>,
    between: OwnedFd,
    home: OwnedFd,
}

/// Why a network cannot be built here, and what would help.
#[derive(Debug)]
pub struct NotBuilt {
    step: String,
    error: io::Error,
}

impl fmt::Display for NotBuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the system refuses to {}: {}; {}", self.step, self.error, self.mend())
    }
}

impl NotBuilt {
    fn mend(&self) -> String {
        match self.error.raw_os_error() {
            Some(libc::EOPNOTSUPP) if self.step.contains("cable") => "as root: modprobe veth (the kernel needs CONFIG_VETH)".into(),
            Some(libc::EOPNOTSUPP) => "as root: modprobe bridge (the kernel needs CONFIG_BRIDGE)".into(),
            Some(libc::ENOSPC) => "as root: sysctl -w user.max_net_namespaces=10000".into(),
            Some(libc::EROFS) => "start the container with --security-opt systempaths=unconfined".into(),
            _ => crate::sandbox::mend(&self.error),
        }
    }
}

fn step(step: impl Into<String>) -> impl FnOnce(io::Error) -> NotBuilt {
    move |error| NotBuilt { step: step.into(), error }
}

impl Network {
    /// Builds it. The calling process stays in the namespace that it is in.
    ///
    /// # Errors
    /// The step that the system refuses, with the mend.
    pub fn build(topology: Topology) -> Result<Self, NotBuilt> {
        let home = Netlink::open().and_then(|netlink| netlink.namespace()).map_err(step("say in which network namespace this process is"))?;
        let built = Self::build_from(topology, &home);
        namespace::enter_network(home.as_fd()).map_err(step("come back from a network namespace"))?;
        let (topology, namespaces, between) = built?;
        Ok(Self { topology, namespaces, between, home })
    }

    fn build_from(topology: Topology, home: &OwnedFd) -> Result<(Topology, Vec<OwnedFd>, OwnedFd), NotBuilt> {
        let (between, between_namespace) = fresh(None)?;
        let nodes = topology.nodes.iter().map(|node| fresh(Some(node.role))).collect::<Result<Vec<_>, _>>()?;
        namespace::enter_network(home.as_fd()).map_err(step("come back from a network namespace"))?;
        for lan in 0..topology.lans.len() {
            connect(&topology, lan, &nodes, &between, &between_namespace)?;
        }
        for (node, (netlink, _)) in topology.nodes.iter().zip(&nodes) {
            configure(&topology, node, netlink).map_err(step(format!("configure {}", node.name)))?;
        }
        for (node, (netlink, _)) in topology.nodes.iter().zip(&nodes) {
            for number in 0..node.interfaces.len() {
                until_carries(netlink, &name(&Node::interface_name(number))).map_err(step(format!("switch the interfaces of {} on", node.name)))?;
            }
        }
        for (lan, count) in (0..topology.lans.len()).map(|lan| (lan, topology.members(lan).count())) {
            for port in 0..count {
                until_carries(&between, &port_name(lan, port, count)).map_err(step("switch the ports of a LAN on"))?;
            }
        }
        Ok((topology, nodes.into_iter().map(|(_, namespace)| namespace).collect(), between_namespace))
    }

    /// Its description.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The namespace of a host or router.
    #[must_use]
    pub fn namespace(&self, node: &str) -> Option<&OwnedFd> {
        self.topology.nodes.iter().zip(&self.namespaces).find(|(known, _)| known.name == node).map(|(_, namespace)| namespace)
    }

    /// The namespaces of all hosts and routers, in the order of the description.
    #[must_use]
    pub fn namespaces(&self) -> &[OwnedFd] {
        &self.namespaces
    }

    /// The namespace of what is between the hosts and routers.
    #[must_use]
    pub fn between(&self) -> &OwnedFd {
        &self.between
    }

    /// The name that a LAN's bridge (or the other end of its only cable) has in [`Network::between`].
    #[must_use]
    pub fn switch(&self, lan: usize) -> CString {
        switch_name(lan)
    }

    /// Does something inside a namespace.
    ///
    /// # Errors
    /// A namespace that cannot be entered or left.
    pub fn inside<T>(&self, place: &OwnedFd, act: impl FnOnce() -> T) -> io::Result<T> {
        namespace::enter_network(place.as_fd())?;
        let result = act();
        namespace::enter_network(self.home.as_fd())?;
        Ok(result)
    }

    /// The namespace in which it was built.
    #[must_use]
    pub fn home(&self) -> &OwnedFd {
        &self.home
    }
}

/// A namespace that is new, in which this process is then; without a role it is the one of what is between the others.
fn fresh(role: Option<Role>) -> Result<(Netlink, OwnedFd), NotBuilt> {
    namespace::unshare_network().map_err(step("make a network namespace (unshare)"))?;
    settings(role)?;
    let open = || {
        namespace::loopback_up()?;
        let netlink = Netlink::open()?;
        let namespace = netlink.namespace()?;
        Ok((netlink, namespace))
    };
    open().map_err(step("open a netlink socket"))
}

/// What interfaces that this namespace gets from now on do by themselves.
fn settings(role: Option<Role>) -> Result<(), NotBuilt> {
    let forwarding = if role == Some(Role::Router) { "1" } else { "0" };
    for (place, value) in [("forwarding", forwarding), ("rp_filter", "0"), ("send_redirects", "0"), ("accept_redirects", "0")] {
        for whose in ["all", "default"] {
            set(&format!("/proc/sys/net/ipv4/conf/{whose}/{place}"), value)?;
        }
    }
    set("/proc/sys/net/ipv4/icmp_ratelimit", "0")?;
    for whose in ["all", "default"] {
        let path = format!("/proc/sys/net/ipv6/conf/{whose}/disable_ipv6");
        // A kernel without IPv6 has nothing to switch off.
        if std::fs::exists(&path).unwrap_or(false) {
            set(&path, "1")?;
        }
    }
    Ok(())
}

fn set(path: &str, value: &str) -> Result<(), NotBuilt> {
    std::fs::write(path, value).map_err(step(format!("write {path}")))
}

/// Connects the members of a LAN with each other.
fn connect(topology: &Topology, lan: usize, nodes: &[(Netlink, OwnedFd)], between: &Netlink, between_namespace: &OwnedFd) -> Result<(), NotBuilt> {
    let count = topology.members(lan).count();
    let switch = switch_name(lan);
    if count > 1 {
        between.add_bridge(&switch).map_err(step("make a bridge"))?;
    }
    for (port, (node, number)) in topology.members(lan).enumerate() {
        let place = topology.nodes.iter().position(|known| known.name == node.name).unwrap_or_default();
        let (own, other) = (name(&Node::interface_name(number)), port_name(lan, port, count));
        // The other end is nobody's: its address only has to differ.
        let far = [6, 0, 0, 0, lan as u8, port as u8];
        let cable = nodes[place].0.add_cable((&own, node.interfaces[number].mac()), (&other, far), between_namespace.as_fd());
        cable.map_err(step("make a cable (a pair of veth)"))?;
        let rest = || {
            between.finish_frames(&other)?;
            if count > 1 {
                between.put_into(&other, &switch)?;
            }
            between.switch_on(&other)
        };
        rest().map_err(step("plug a cable in"))?;
    }
    if count > 1 {
        between.switch_on(&switch).map_err(step("switch a bridge on"))?;
    }
    Ok(())
}

/// A node's own interfaces, addresses and routes.
fn configure(topology: &Topology, node: &Node, netlink: &Netlink) -> io::Result<()> {
    for (number, interface) in node.interfaces.iter().enumerate() {
        let own = name(&Node::interface_name(number));
        netlink.finish_frames(&own)?;
        netlink.switch_on(&own)?;
        if node.role != Role::ProgramsRouter {
            netlink.add_address(&own, interface.address, topology.lans[interface.lan].range.prefix)?;
        }
    }
    if node.role != Role::ProgramsRouter {
        for route in &node.routes {
            netlink.add_route(route.to.first, route.to.prefix, route.via)?;
        }
    }
    Ok(())
}

fn until_carries(netlink: &Netlink, link: &CStr) -> io::Result<()> {
    let since = Instant::now();
    while !netlink.link(link)?.carries {
        if since.elapsed() > CARRIES_WITHIN {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("the link {} carries nothing", link.to_string_lossy())));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn switch_name(lan: usize) -> CString {
    name(&format!("lan{lan}"))
}

/// The end of a member's cable; the only one is the switch itself.
fn port_name(lan: usize, port: usize, count: usize) -> CString {
    if count > 1 { name(&format!("lan{lan}.{port}")) } else { switch_name(lan) }
}

fn name(name: &str) -> CString {
    CString::new(name).unwrap_or_default()
}

/// The file of names that goes with a network: what `/etc/hosts` has to say there; hosts(5).
#[must_use]
pub fn hosts(topology: &Topology) -> String {
    let line = |address: Ipv4Addr, name: &str| format!("{address} {name}\n");
    let nodes = topology.nodes.iter().filter_map(|node| Some(line(node.interfaces.first()?.address, &node.name)));
    line(Ipv4Addr::LOCALHOST, "localhost") + &nodes.collect::<String>()
}
