//! The file that describes a network: TOML, read and held against itself. Every error names the file, the line and the key.

use std::collections::HashMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use super::topology::{Interface, Lan, Node, Range, Role, Route, Topology};
use crate::manifest::did_you_mean;

/// Most hosts and routers of a network, and most LANs: far beyond what a picture shows, and few enough to be built in a second.
const MOST: usize = 64;
/// The longest name: interfaces and pictures have to hold it.
const LONGEST_NAME: usize = 12;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: Option<String>,
    #[serde(default)]
    lan: Vec<FileLan>,
    #[serde(default)]
    host: Vec<FileHost>,
    #[serde(default)]
    router: Vec<FileRouter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLan {
    name: Spanned<String>,
    network: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileHost {
    name: Spanned<String>,
    lan: Spanned<String>,
    address: Spanned<String>,
    gateway: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRouter {
    name: Spanned<String>,
    interfaces: Spanned<Vec<FileInterface>>,
    #[serde(default)]
    routes: Vec<FileRoute>,
    /// Whether the kernel is the router, or a program is to be.
    #[serde(default = "yes")]
    kernel: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileInterface {
    lan: Spanned<String>,
    address: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRoute {
    to: Spanned<String>,
    via: Spanned<String>,
}

fn yes() -> bool {
    true
}

/// A description that cannot be used; the text names the file, the line, the key and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTopology(pub String);

impl fmt::Display for BadTopology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadTopology {}

impl Topology {
    /// Reads a description from a file.
    ///
    /// # Errors
    /// A file that cannot be read, and all that [`Topology::parse`] does not take.
    pub fn load(path: &Path) -> Result<Self, BadTopology> {
        let text = std::fs::read_to_string(path).map_err(|error| BadTopology(format!("{}: {error}", path.display())))?;
        Self::parse(&text, path)
    }

    /// Reads a description. `origin` is the path that errors name.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown or missing key, a wrong type, and entries that contradict each other.
    pub fn parse(text: &str, origin: &Path) -> Result<Self, BadTopology> {
        let reader = Reader { text, origin };
        let file: File = toml::from_str(text).map_err(|error| reader.bad(error.span().map_or(0, |span| span.start), error.message()))?;
        reader.topology(&file)
    }
}

struct Reader<'text> {
    text: &'text str,
    origin: &'text Path,
}

impl Reader<'_> {
    /// The error at a place of the text, with the key whose value stands there.
    fn bad(&self, at: usize, reason: impl fmt::Display) -> BadTopology {
        let before = &self.text[..at.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let start = before.rsplit('\n').next().unwrap_or(before);
        let key = start.trim_end().strip_suffix('=').map(str::trim_end).and_then(|start| start.rsplit([' ', '{', ',', '\t']).next());
        let key = key.map_or_else(String::new, |key| format!("{key}: "));
        BadTopology(format!("{}:{line}: {key}{reason}", self.origin.display()))
    }

    fn bad_at(&self, value: &Spanned<String>, reason: impl fmt::Display) -> BadTopology {
        self.bad(value.span().start, reason)
    }

    fn parsed<T: FromStr>(&self, value: &Spanned<String>, reason: impl Fn(T::Err) -> String) -> Result<T, BadTopology> {
        value.get_ref().parse().map_err(|error| self.bad_at(value, reason(error)))
    }

    fn range(&self, value: &Spanned<String>) -> Result<Range, BadTopology> {
        self.parsed(value, |reason| reason)
    }

    fn address(&self, value: &Spanned<String>) -> Result<Ipv4Addr, BadTopology> {
        self.parsed(value, |_| format!("`{}` is no IPv4 address", value.get_ref()))
    }

    fn topology(&self, file: &File) -> Result<Topology, BadTopology> {
        self.names(file)?;
        let lans = self.lans(file)?;
        let mut nodes = Vec::new();
        for host in &file.host {
            let interfaces = vec![self.interface(&lans, &host.lan, &host.address)?];
            let any = Range { first: Ipv4Addr::UNSPECIFIED, prefix: 0 };
            let gateway = host.gateway.as_ref().map(|gateway| self.address(gateway)).transpose()?;
            let routes = gateway.map(|via| Route { to: any, via }).into_iter().collect();
            nodes.push(Node { name: host.name.get_ref().clone(), role: Role::Host, interfaces, routes });
        }
        for router in &file.router {
            let mut interfaces: Vec<Interface> = Vec::new();
            for entry in router.interfaces.get_ref() {
                let interface = self.interface(&lans, &entry.lan, &entry.address)?;
                if interfaces.iter().any(|other| other.lan == interface.lan) {
                    return Err(self.bad_at(&entry.lan, format!("the router {} is on this LAN twice", router.name.get_ref())));
                }
                interfaces.push(interface);
            }
            if interfaces.is_empty() {
                return Err(self.bad(router.interfaces.span().start, "a router has one interface at least"));
            }
            let route = |route: &FileRoute| Ok(Route { to: self.range(&route.to)?, via: self.address(&route.via)? });
            let routes = router.routes.iter().map(route).collect::<Result<_, _>>()?;
            let role = if router.kernel { Role::Router } else { Role::ProgramsRouter };
            nodes.push(Node { name: router.name.get_ref().clone(), role, interfaces, routes });
        }
        let topology = Topology { title: file.title.clone().unwrap_or_else(|| "A network".into()), lans, nodes };
        self.addresses_differ(file, &topology)?;
        self.gateways_exist(file, &topology)?;
        Ok(topology)
    }

    fn names(&self, file: &File) -> Result<(), BadTopology> {
        let nodes: Vec<_> = file.host.iter().map(|host| &host.name).chain(file.router.iter().map(|router| &router.name)).collect();
        let lans: Vec<_> = file.lan.iter().map(|lan| &lan.name).collect();
        if nodes.is_empty() || lans.is_empty() {
            return Err(self.bad(0, "a network has one [[lan]] and one [[host]] or [[router]] at least"));
        }
        for names in [nodes, lans] {
            let mut seen = HashMap::new();
            for name in names {
                let text = name.get_ref();
                if text.is_empty() || text.len() > LONGEST_NAME || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                    return Err(self.bad_at(name, format!("`{text}` is no name: letters, digits and `-`, at most {LONGEST_NAME}")));
                }
                if seen.insert(text.to_lowercase(), ()).is_some() {
                    return Err(self.bad_at(name, format!("`{text}` is there twice")));
                }
                if seen.len() > MOST {
                    return Err(self.bad_at(name, format!("more than {MOST} of a kind are not built")));
                }
            }
        }
        Ok(())
    }

    fn lans(&self, file: &File) -> Result<Vec<Lan>, BadTopology> {
        let mut lans: Vec<Lan> = Vec::new();
        for lan in &file.lan {
            let range = self.range(&lan.network)?;
            if let Some(other) = lans.iter().find(|other| other.range.contains(range.first) || range.contains(other.range.first)) {
                return Err(self.bad_at(&lan.network, format!("`{range}` has addresses of the LAN {} too", other.name)));
            }
            let name = lan.name.get_ref();
            let hosts = file.host.iter().map(|host| host.lan.get_ref());
            let routers = file.router.iter().flat_map(|router| router.interfaces.get_ref()).map(|interface| interface.lan.get_ref());
            if !hosts.chain(routers).any(|on| on == name) {
                return Err(self.bad_at(&lan.name, format!("no host and no router is on the LAN {name}")));
            }
            lans.push(Lan { name: name.clone(), range });
        }
        Ok(lans)
    }

    fn interface(&self, lans: &[Lan], lan: &Spanned<String>, address: &Spanned<String>) -> Result<Interface, BadTopology> {
        let name = lan.get_ref();
        let place = lans.iter().position(|lan| lan.name == *name).ok_or_else(|| {
            let names: Vec<&str> = lans.iter().map(|lan| &*lan.name).collect();
            self.bad_at(lan, format!("there is no LAN `{name}`{}", did_you_mean(name, &names)))
        })?;
        let (parsed, range) = (self.address(address)?, lans[place].range);
        if !range.has_node(parsed) {
            return Err(self.bad_at(address, format!("`{parsed}` is no address for a host or router of the LAN {name}, {range}")));
        }
        Ok(Interface { lan: place, address: parsed })
    }

    fn addresses_differ(&self, file: &File, topology: &Topology) -> Result<(), BadTopology> {
        let written = file.host.iter().map(|host| &host.address);
        let written = written.chain(file.router.iter().flat_map(|router| router.interfaces.get_ref()).map(|interface| &interface.address));
        let nodes = topology.nodes.iter().flat_map(|node| node.interfaces.iter().map(move |interface| (node, interface.address)));
        let mut seen: HashMap<Ipv4Addr, &str> = HashMap::new();
        for (value, (node, address)) in written.zip(nodes) {
            if let Some(other) = seen.insert(address, &node.name) {
                return Err(self.bad_at(value, format!("`{address}` is the address of {other} already")));
            }
        }
        Ok(())
    }

    /// Whoever is named as a gateway is a router on a LAN of the node's.
    fn gateways_exist(&self, file: &File, topology: &Topology) -> Result<(), BadTopology> {
        let written = file.host.iter().map(|host| host.gateway.iter().collect());
        let written = written.chain(file.router.iter().map(|router| router.routes.iter().map(|route| &route.via).collect::<Vec<_>>()));
        for (values, node) in written.zip(&topology.nodes) {
            for (value, route) in values.into_iter().zip(&node.routes) {
                let is_it =
                    |other: &&Node| other.role != Role::Host && other.name != node.name && other.interfaces.iter().any(|i| i.address == route.via);
                let near = node.interfaces.iter().any(|interface| topology.lans[interface.lan].range.contains(route.via));
                if !near || !topology.nodes.iter().any(|other| is_it(&other)) {
                    let reason = format!("`{}` is not the address of another router on a LAN of {}", route.via, node.name);
                    return Err(self.bad_at(value, reason));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
title = "Two LANs"

[[lan]]
name = "A"
network = "10.0.1.0/24"

[[lan]]
name = "B"
network = "10.0.2.0/24"

[[host]]
name = "A1"
lan = "A"
address = "10.0.1.11"
gateway = "10.0.1.1"

[[router]]
name = "R1"
interfaces = [{ lan = "A", address = "10.0.1.1" }, { lan = "B", address = "10.0.2.1" }]
"#;

    fn error(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        Topology::parse(&GOOD.replacen(from, to, 1), Path::new("n.toml")).unwrap_err().0
    }

    #[test]
    fn a_sound_description_is_read() {
        let topology = Topology::parse(GOOD, Path::new("n.toml")).unwrap();
        assert_eq!((topology.lans.len(), topology.nodes.len()), (2, 2));
        let host = topology.node("A1").unwrap();
        assert_eq!((host.role, host.routes[0].to.prefix, host.interfaces[0].mac()), (Role::Host, 0, [2, 0, 10, 0, 1, 11]));
        assert_eq!(topology.node("R1").unwrap().interfaces[1].lan, 1);
        let own = GOOD.replace("name = \"R1\"", "name = \"R1\"\nkernel = false");
        assert_eq!(Topology::parse(&own, Path::new("n.toml")).unwrap().nodes[1].role, Role::ProgramsRouter);
    }

    #[test]
    fn each_contradiction_is_told_with_file_line_and_key() {
        let cases = [
            ("title = \"Two LANs\"", "title = 3", "n.toml:2: title: invalid type: integer `3`, expected a string"),
            ("gateway = ", "gatway = ", "n.toml:16: unknown field `gatway`, expected one of `name`, `lan`, `address`, `gateway`"),
            ("lan = \"A\"\n", "", "n.toml:12: missing field `lan`"),
            ("network = \"10.0.2.0/24\"", "network = \"10.0.2.7/24\"", "n.toml:10: network: `10.0.2.7/24` has bits set"),
            ("network = \"10.0.2.0/24\"", "network = \"10.0.0.0/16\"", "n.toml:10: network: `10.0.0.0/16` has addresses of the LAN A too"),
            ("lan = \"A\"\n", "lan = \"C\"\n", "n.toml:14: lan: there is no LAN `C`"),
            ("address = \"10.0.1.11\"", "address = \"10.0.2.11\"", "n.toml:15: address: `10.0.2.11` is no address for a host or router of the LAN A"),
            ("address = \"10.0.1.11\"", "address = \"10.0.1.255\"", "n.toml:15: address: `10.0.1.255` is no address"),
            ("address = \"10.0.1.11\"", "address = \"ten\"", "n.toml:15: address: `ten` is no IPv4 address"),
            (
                "gateway = \"10.0.1.1\"",
                "gateway = \"10.0.1.9\"",
                "n.toml:16: gateway: `10.0.1.9` is not the address of another router on a LAN of A1",
            ),
            ("gateway = \"10.0.1.1\"", "gateway = \"10.0.2.1\"", "n.toml:16: gateway: `10.0.2.1` is not the address"),
            ("address = \"10.0.1.1\" }", "address = \"10.0.1.11\" }", "n.toml:20: address: `10.0.1.11` is the address of A1 already"),
            (
                "lan = \"B\", address = \"10.0.2.1\"",
                "lan = \"B\", address = \"10.0.2.1\" }, { lan = \"A\", address = \"10.0.1.2\"",
                "n.toml:20: lan: the router R1 is on this LAN twice",
            ),
            ("name = \"R1\"", "name = \"a1\"", "n.toml:19: name: `a1` is there twice"),
            ("name = \"R1\"", "name = \"a router\"", "n.toml:19: name: `a router` is no name"),
            (", { lan = \"B\", address = \"10.0.2.1\" }", "", "n.toml:9: name: no host and no router is on the LAN B"),
            ("[[lan]]", "[[lan]", "n.toml:4: "),
        ];
        for (from, to, expected) in cases {
            let observed = error(from, to);
            assert!(observed.starts_with(expected), "{from} -> {to}:\n{observed}\n{expected}");
        }
        assert!(Topology::parse("", Path::new("n.toml")).unwrap_err().0.starts_with("n.toml:1: a network has one [[lan]]"));
    }
}
