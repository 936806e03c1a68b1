//! The program as an operator runs it, against a controller whose answers are scripted.
#![expect(clippy::unwrap_used, reason = "a test program: failures are panics")]

mod changes;
mod contexts;
mod fake;
mod lists;
mod mistakes;

mod pki;
mod reach;
mod superseded;
mod world;
