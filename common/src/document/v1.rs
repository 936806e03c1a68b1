//! The documents of version 1, which this release writes.
//!
//! `fixtures/` holds one full and one minimal text of each kind; a test pins their hashes.

pub mod acme;
pub mod assignment;
pub mod backup;
pub mod bundle;
pub mod cluster;
pub mod container_labels;
mod desired;
pub(super) mod feature;
pub mod host_notes;
pub mod host_policy;
pub mod instance;
pub mod left_out;
pub mod node;
pub mod operation;
pub mod plan;
pub mod report;
pub mod revision;
pub mod rollout;
pub mod run_labels;
pub mod secret;
pub(super) mod share;
pub mod status;
pub mod tls_facts;
pub mod token;
pub mod unit_mark;
pub mod update;
