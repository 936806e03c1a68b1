//! Runs the program as an operator does, against a controller with scripted answers.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod changes;
mod contexts;
mod fake;
mod lists;
mod mistakes;
mod pki;
mod questions;
mod reach;
mod runs;
mod secrets;
mod superseded;
mod tls;
mod validate;
mod world;
