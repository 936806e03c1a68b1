//! The controller: keeps the desired state of every tenant and hands each node
//! its share.
//!
//! Imports run `main → {api, web, session, tasks} → ops → records → store`,
//! never backwards. `pki`, `tls` and `registry` stand beside them and know
//! nothing of the store.

pub mod pki;
pub mod registry;
pub mod store;
pub mod tls;
