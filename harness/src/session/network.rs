//! The run's hosts and routers: programs and peers on them.
//!
//! Theory of operation: the supervisor builds the network inside its own user namespace and holds its namespaces by descriptors, so that it is gone with the
//! supervisor. A socket belongs to the network in which it was made, wherever its process is later: a peer goes to a host, opens its sockets and comes back.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::Path;

use super::{Session, Start};
use crate::kernel::descriptor::c_path;
use crate::network::build::Network;
use crate::network::{Role, Topology};
use crate::verdict::Unpassed;

/// Where programs of the system's are looked for.
const INSTALLED_IN: [&str; 6] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The network, and on which of its nodes anything is.
pub(super) struct Hosts {
    network: Network,
    lived_on: BTreeSet<String>,
}

impl Deref for Hosts {
    type Target = Network;

    fn deref(&self) -> &Network {
        &self.network
    }
}

impl Session {
    /// Builds the network of this description (a file's text), once in a run. Programs and peers can be on its hosts and routers from then on.
    ///
    /// # Errors
    /// Broken, if the description is not sound; skipped, with the mend, where the system does not let it be built.
    pub fn build_network(&mut self, description: &str) -> Result<(), Unpassed> {
        self.needs_namespaces()?;
        let topology = Topology::parse(description, Path::new("the network's description")).map_err(|error| Unpassed::Broken(error.to_string()))?;
        let network = Network::build(topology).map_err(|refused| Unpassed::Skipped(format!("needs a network of its own; {refused}")))?;
        self.tracer.nobody_at_home = self.running.is_empty();
        self.network = Some(Hosts { network, lived_on: BTreeSet::new() });
        Ok(())
    }

    /// The description of the network.
    ///
    /// # Errors
    /// Broken, if none was built.
    pub fn topology(&self) -> Result<&Topology, Unpassed> {
        Ok(self.hosts()?.topology())
    }

    /// Does something on a host or router: sockets that it opens are there, connections and mailboxes too. Interfaces have the names that they have there.
    ///
    /// # Errors
    /// What `act` returns; broken, if there is no such node.
    pub fn at<T>(&mut self, node: &str, act: impl FnOnce(&mut Self) -> Result<T, Unpassed>) -> Result<T, Unpassed> {
        self.note_life_on(node)?;
        let namespace = self.namespace_of(node)?;
        let home = self.hosts()?.home().try_clone()?;
        crate::kernel::namespace::enter_network(std::os::fd::AsFd::as_fd(&namespace))?;
        let result = act(self);
        crate::kernel::namespace::enter_network(std::os::fd::AsFd::as_fd(&home))?;
        result
    }

    /// A program that is installed on this machine, as one more program of the run; `package` is the one that has it on Debian.
    ///
    /// # Errors
    /// Skipped, if it is not there.
    pub fn installed_program(&mut self, name: &str, package: &str) -> Result<Start<'_>, Unpassed> {
        let found = INSTALLED_IN.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
        let path = found.ok_or_else(|| Unpassed::Skipped(format!("needs the program {name}: apt install {package}")))?;
        Ok(Start::installed(self, name, c_path(&path)?))
    }

    /// Does something in the namespace of a node that has no other use for the session.
    pub(super) fn inside<T>(&mut self, node: &str, act: impl FnOnce() -> T) -> Result<T, Unpassed> {
        self.note_life_on(node)?;
        let hosts = self.hosts()?;
        let namespace = hosts.namespace(node).ok_or_else(|| unknown(node))?;
        Ok(hosts.inside(namespace, act)?)
    }

    pub(super) fn hosts(&self) -> Result<&Hosts, Unpassed> {
        self.network.as_ref().ok_or_else(|| Unpassed::Broken("the run has no network of several hosts; build it first".into()))
    }

    fn namespace_of(&self, node: &str) -> Result<std::os::fd::OwnedFd, Unpassed> {
        Ok(self.hosts()?.namespace(node).ok_or_else(|| unknown(node))?.try_clone()?)
    }

    /// Connections may be on this node from now on: as long as a segment of theirs is under way, the run is not at rest.
    fn note_life_on(&mut self, node: &str) -> Result<(), Unpassed> {
        if self.hosts()?.lived_on.contains(node) {
            return Ok(());
        }
        let hosts = self.hosts()?;
        let namespace = hosts.namespace(node).ok_or_else(|| unknown(node))?;
        // Where the kernel has no address, nobody has connections; and the table is long.
        if hosts.topology().node(node).is_some_and(|node| node.role == Role::ProgramsRouter) {
            return Ok(());
        }
        let table = hosts.inside(namespace, || self.tracer.proc.open_table("self/net/tcp"))??;
        self.tracer.connections_elsewhere.push(table);
        if let Some(hosts) = &mut self.network {
            hosts.lived_on.insert(node.to_owned());
        }
        Ok(())
    }
}

fn unknown(node: &str) -> Unpassed {
    Unpassed::Broken(format!("the network has no host or router `{node}`"))
}
