//! Real hosts for end-to-end tests: each has systemd as its first process, D-Bus, its own Docker and its own address, on a bridge
//! of this machine. A lab cleans up after itself, also after a test that was killed; nothing outside its own names,
//! addresses and folders is touched.
//!
//! The lab knows nothing of the product it carries.
#![expect(clippy::disallowed_methods, reason = "real hosts, by real time, as whoever runs it says")]

mod cache;
mod cgroup;
mod debian;
mod disk;
mod error;
mod furnish;
mod host;
mod http;
mod images;
mod lab;
mod machine;
mod mounts;
mod network;
mod oci;
mod preflight;
mod prepare;
mod processes;
mod proxy;
mod push;
mod recipes;
mod record;
mod registry;
mod run;
mod say;
mod subnet;
mod wait;

pub use error::{LabError, Result};
pub use host::{Host, HostProcess};
pub use lab::{HostSpec, Lab, LabSpec, down_all, purge, sweep};
pub use preflight::{Preflight, look, preflight};
pub use prepare::prepare;
pub use proxy::{Fault, FaultyRegistry};
pub use registry::Registry;
pub use run::Output;
pub use wait::until;
