//! Where the parts of a picture stand.
//!
//! Theory of operation: each LAN is a line across the picture, with its hosts below it. Each router is a column to the right of all hosts, from its uppermost
//! LAN to its lowest; where it crosses a LAN that it is not on, it only passes.

use super::topology::{Role, Topology};

/// A picture's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What stands above it.
    pub title: String,
    /// The LANs from above.
    pub lans: Vec<PlannedLan>,
    /// The routers from the left.
    pub routers: Vec<PlannedRouter>,
    /// Most hosts on one LAN.
    pub widest: usize,
}

/// One LAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLan {
    /// Its name and its addresses.
    pub name: String,
    /// Its addresses.
    pub range: String,
    /// Name and address of each host on it.
    pub hosts: Vec<(String, String)>,
}

/// One router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRouter {
    /// Its name.
    pub name: String,
    /// Whether it is a program.
    pub is_program: bool,
    /// The LANs that it is on, from above, with its address on each.
    pub lans: Vec<(usize, String)>,
}

impl Plan {
    /// The plan of a network's picture.
    #[must_use]
    pub fn new(topology: &Topology) -> Self {
        let lans = topology.lans.iter().enumerate().map(|(number, lan)| {
            let hosts = topology.members(number).filter(|(node, _)| node.role == Role::Host);
            let hosts = hosts.map(|(node, interface)| (node.name.clone(), node.interfaces[interface].address.to_string())).collect();
            PlannedLan { name: lan.name.clone(), range: lan.range.to_string(), hosts }
        });
        let routers = topology.nodes.iter().filter(|node| node.role != Role::Host).map(|node| {
            let mut lans: Vec<_> = node.interfaces.iter().map(|interface| (interface.lan, interface.address.to_string())).collect();
            lans.sort();
            PlannedRouter { name: node.name.clone(), is_program: node.role == Role::ProgramsRouter, lans }
        });
        let lans: Vec<PlannedLan> = lans.collect();
        let widest = lans.iter().map(|lan| lan.hosts.len()).max().unwrap_or(0);
        Self { title: topology.title.clone(), routers: routers.collect(), widest, lans }
    }
}

impl PlannedRouter {
    /// Its address on a LAN that it is on.
    #[must_use]
    pub fn address_on(&self, lan: usize) -> Option<&str> {
        self.lans.iter().find(|(number, _)| *number == lan).map(|(_, address)| &**address)
    }

    /// Whether its column goes from above that LAN's line to below it.
    #[must_use]
    pub fn passes(&self, lan: usize) -> bool {
        let ends = self.lans.first().zip(self.lans.last());
        ends.is_some_and(|((first, _), (last, _))| *first < lan && lan < *last)
    }

    /// The first LAN and the last one.
    #[must_use]
    pub fn ends(&self) -> (usize, usize) {
        let number = |end: Option<&(usize, String)>| end.map_or(0, |(number, _)| *number);
        (number(self.lans.first()), number(self.lans.last()))
    }
}
