//! The pure core: names, documents and the functions that decide.
//!
//! The crate knows no runtime, network, file system, clock or randomness, so the same
//! input gives the same bytes. Time comes in as a value.

pub mod decide;
pub mod document;
pub mod id;
#[cfg(feature = "planted-bugs")]
pub mod planted;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
