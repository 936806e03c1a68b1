//! The controller: keeps the desired state of every tenant and hands each node
//! its share.
//!
//! Imports run `main → {api, web, session, tasks} → ops → records → store`,
//! never backwards. `pki`, `tls` and `registry` stand beside them and know
//! nothing of the store.

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
pub mod session;
pub mod shutdown;
pub mod store;
pub mod tasks;
pub mod tls;
pub mod web;
mod wire;
