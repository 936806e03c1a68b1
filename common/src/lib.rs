//! The pure core: names, documents and the functions that decide.
//!
//! Knows no runtime, network, file system, clock or randomness: same input,
//! same bytes. Time enters as a value.

pub mod decide;
pub mod document;
pub mod id;
#[cfg(feature = "planted-bugs")]
pub mod planted;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
