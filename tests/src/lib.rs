//! A whole fleet on the lab's hosts: packages installed, hosts enrolled, one
//! tenant. The demonstration, the end-to-end tests and the benchmark stand on it.
#![expect(clippy::disallowed_methods, reason = "real hosts, by real time, as whoever runs it says")]

pub mod fleet;
pub mod packages;
pub mod settings;
pub mod tools;

pub use fleet::{Ended, Fleet};
pub use packages::{Build, Packages, TEST_FEATURES, cargo};
