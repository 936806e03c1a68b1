//! Real hosts for end-to-end tests. Each host has systemd as its first process, D-Bus, its own Docker and its own address
//! on a bridge of this machine. A lab cleans up after itself, even when the test that made it was killed, and it touches
//! nothing outside its own names, addresses and folders.
//!
//! The lab does not depend on the product that is tested on it.
#![expect(
    clippy::disallowed_methods,
    reason = "tests on real hosts use real time and read their own variables"
)]

mod cache;
mod cgroup;
pub mod contract;
mod data_images;
mod debian;
mod disk;
mod error;
mod host;
mod host_files;
mod http;
mod images;
mod inotify;
mod lab;
mod library;
mod lines;
mod machine;
mod mounts;
mod network;
mod oci;
mod own_address;
mod pebble;
mod preflight;
mod prepare;
mod processes;
mod progress;
mod proxy;
mod push;
mod recipes;
mod record;
mod registries;
mod registry;
mod release;
mod room;
mod run;
pub mod stand_in;
mod subnet;
mod telephone;
mod variant;
mod wait;

pub use error::{LabError, Result};
pub use host::{Host, HostProcess};
pub use lab::{HostSpec, Lab, LabSpec, down_all, purge, sweep};
pub use lines::{build_stand_in, images_of, line};
pub use own_address::own_address;
pub use preflight::{Preflight, check_without_root, preflight};
pub use prepare::prepare;
pub use proxy::{Fault, FaultyRegistry};
pub use registries::{FurtherRegistry, RegistrySpec, Tls};
pub use registry::Registry;
pub use release::Debian;
pub use run::Output;
pub use telephone::{AgentLogin, Browser, SipWay, Telephone, TelephoneReport, TelephoneState};
pub use variant::Variant;
pub use wait::until;
