//! The controller keeps the desired state of every tenant and gives each node its share.
//!
//! Imports run `main → {api, web, session, tasks} → {wire, policy} → ops → {records,
//! registry, acme, tls} → {pki, seal, store}`, and never backwards.

pub mod acme;
pub mod admin;
pub mod api;
pub mod backup;
pub mod config;
pub mod init;
pub mod notify;
pub mod offline;
pub mod ops;
pub mod pki;
pub mod policy;
pub mod records;
pub mod registry;
pub mod run;
pub mod seal;
pub mod session;
pub mod shutdown;
pub mod store;
pub mod tasks;
pub mod tls;
pub mod web;
mod whole_file;
mod wire;
