//! The agent's parts; `main.rs` joins them.
//!
//! `agent` is the loop. It uses `execute`, `observe`, `cache` and, through
//! them, a `runtime`; no runtime knows of a session or of the wire.

pub mod agent;
pub mod alive;
pub mod assembly;
pub mod cache;
pub mod config;
pub mod container_files;
pub mod disk;
pub mod documents;
pub mod enroll;
pub mod execute;
pub mod file_rights;
pub mod files;
#[cfg(test)]
mod fixtures;
mod follow;
pub mod host;
pub mod identity;
pub mod kept_secrets;
pub mod metrics;
mod observe;
pub mod operate;
pub mod operations;
pub mod paths;
pub mod pause;
mod policy;
pub mod preflight;
pub mod probe;
pub mod reloaded_files;
mod reserve;
pub mod runs;
pub mod runtime;
pub mod session;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod sockets;
pub mod status;
pub mod statuses;
pub mod supervise;
pub mod usage;
