//! The documents of version 1, which this release writes.

pub mod assignment;
pub(super) mod feature;
pub mod instance;
pub mod report;
pub(super) mod share;
