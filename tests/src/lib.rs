//! A whole fleet on the lab's hosts, with packages installed, hosts enrolled and one
//! tenant. The demonstration, the end-to-end tests and the benchmark use it.
//! The module [`scenario`] tells the same stories as text, without hosts.

pub mod fleet;
pub mod packages;
pub mod scenario;
pub mod settings;
pub mod tools;

pub use fleet::{CtlOutput, Fleet};
pub use packages::{Build, Packages, TEST_FEATURES, cargo};
