//! A network as its file describes it, once it is known to be sound.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A network: LANs, and the hosts and routers on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// What it is called in pictures.
    pub title: String,
    /// The LANs, in the file's order.
    pub lans: Vec<Lan>,
    /// The hosts, then the routers, in the file's order.
    pub nodes: Vec<Node>,
}

/// A network segment: whoever is on it gets each other's frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lan {
    /// Its name.
    pub name: String,
    /// The addresses on it.
    pub range: Range,
}

/// Addresses that begin alike: a network in the notation of CIDR, RFC 4632.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first address.
    pub first: Ipv4Addr,
    /// How many bits are the same in all, from 0 to 32.
    pub prefix: u8,
}

/// What a node is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Programs run here.
    Host,
    /// The kernel passes packets on here.
    Router,
    /// The kernel leaves packets alone here: it has interfaces without addresses, for a router that is a program.
    ProgramsRouter,
}

/// A host or a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// Its interfaces: `eth0`, `eth1` and so on.
    pub interfaces: Vec<Interface>,
    /// Where packets go that are for none of its own LANs.
    pub routes: Vec<Route>,
}

/// A node's place on a LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// The LAN, by its place in [`Topology::lans`].
    pub lan: usize,
    /// The address there.
    pub address: Ipv4Addr,
}

/// Where packets for a range of addresses go next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The addresses.
    pub to: Range,
    /// The router that takes them, on a LAN of the node's.
    pub via: Ipv4Addr,
}

impl Topology {
    /// The node of this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The nodes on a LAN, each with the number of its interface there.
    pub fn members(&self, lan: usize) -> impl Iterator<Item = (&Node, usize)> {
        self.nodes.iter().filter_map(move |node| Some((node, node.interfaces.iter().position(|interface| interface.lan == lan)?)))
    }
}

impl Node {
    /// The name of an interface by its number.
    #[must_use]
    pub fn interface_name(number: usize) -> String {
        format!("eth{number}")
    }
}

impl Interface {
    /// Its address of Ethernet, which shows the other: 02:00 and its four bytes.
    #[must_use]
    pub fn mac(&self) -> [u8; 6] {
        let [a, b, c, d] = self.address.octets();
        [2, 0, a, b, c, d]
    }
}

impl Range {
    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    /// Whether it has this address.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & self.mask() == u32::from(self.first)
    }

    /// Whether a node can have this address here: neither the network's own nor that of all its nodes together.
    #[must_use]
    pub fn has_node(self, address: Ipv4Addr) -> bool {
        let rest = u32::from(address) & !self.mask();
        self.contains(address) && (self.prefix > 30 || (rest != 0 && rest != !self.mask()))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || format!("`{text}` is no range of addresses like 10.0.1.0/24");
        let (first, prefix) = text.split_once('/').ok_or_else(shape)?;
        let (first, prefix): (Ipv4Addr, u8) = (first.parse().map_err(|_| shape())?, prefix.parse().map_err(|_| shape())?);
        let range = Self { first, prefix: prefix.min(32) };
        if prefix > 32 {
            return Err(shape());
        }
        if !range.contains(first) {
            let first = Ipv4Addr::from(u32::from(first) & range.mask());
            return Err(format!("`{text}` has bits set behind its prefix; did you mean `{first}/{prefix}`?"));
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_knows_its_addresses() {
        let range: Range = "10.1.2.0/24".parse().unwrap();
        assert!(range.has_node(Ipv4Addr::new(10, 1, 2, 1)) && !range.contains(Ipv4Addr::new(10, 1, 3, 1)));
        assert!(!range.has_node(Ipv4Addr::new(10, 1, 2, 0)) && !range.has_node(Ipv4Addr::new(10, 1, 2, 255)));
        assert!("0.0.0.0/0".parse::<Range>().unwrap().contains(Ipv4Addr::BROADCAST));
        assert!("10.1.2.3/32".parse::<Range>().unwrap().has_node(Ipv4Addr::new(10, 1, 2, 3)));
    }

    #[test]
    fn what_is_no_range_is_told() {
        for wrong in ["10.0.1.0", "10.0.1/24", "10.0.1.0/33", "ten/8"] {
            assert!(wrong.parse::<Range>().unwrap_err().contains("like 10.0.1.0/24"));
        }
        assert!("10.0.1.7/24".parse::<Range>().unwrap_err().ends_with("did you mean `10.0.1.0/24`?"));
    }
}
