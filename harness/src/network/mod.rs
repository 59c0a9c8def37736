//! Networks of several hosts: described in a file, built from network namespaces, drawn.
//!
//! Theory of operation: a [`Topology`] is what the file says. [`build`] makes a network namespace for each host and router, and one for all that is between
//! them: a LAN of one or two ends is a cable (veth), one of more is a bridge. Namespaces have no processes of their own; descriptors of whoever built them
//! hold them, so that all is gone with that process. [`Plan`] places hosts and LANs on a grid, from which [`text`] and [`picture`] draw.

pub mod build;
mod file;
pub mod picture;
mod plan;
pub mod text;
mod topology;
pub mod walk;

pub use file::BadTopology;
pub use plan::Plan;
pub use topology::{Interface, Lan, Node, Range, Role, Route, Topology};
