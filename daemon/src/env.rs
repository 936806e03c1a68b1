//! The environment of a program as a value: what time it is.

mod clock;

pub use clock::{Clock, Mark};
