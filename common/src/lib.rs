//! The pure core: names, documents and the four functions that decide.
//!
//! Knows no runtime, network, file system, clock or randomness: same input,
//! same bytes. Time enters as a value.

pub mod assign;
pub mod assignment;
pub mod catalog;
pub mod diff;
pub mod document;
pub mod error;
pub mod handover;
pub mod id;
pub mod instance;
pub mod observed;
pub mod order;
pub mod plan;
pub mod plural;
pub mod problem;
pub mod reconcile;
pub mod report;
pub mod rollout;
pub mod spec;
#[cfg(test)]
mod testing;
pub mod time;
pub mod update;
pub mod yaml;
