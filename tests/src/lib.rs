//! A whole fleet on the lab's hosts, with packages installed, hosts enrolled and one
//! tenant. The demonstration, the end-to-end tests and the benchmark use it.
#![expect(
    clippy::disallowed_methods,
    reason = "tests on real hosts use real time and read their own variables"
)]

pub mod edge;
pub mod field;
pub mod fleet;
pub mod lines;
pub mod observe;
pub mod packages;
pub mod previous;
pub mod release;
pub mod settings;
pub mod tools;
pub mod trial;
pub mod wanted;
pub mod workspace;

pub use fleet::{CtlOutput, Fleet};
pub use packages::rpm::Rpms;
pub use packages::{Build, Packages, TEST_FEATURES};
pub use workspace::cargo;
