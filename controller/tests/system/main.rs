//! The controller in process, with real gRPC and TLS on loopback: operators and
//! agents are plain clients that say what a script tells them.

#![expect(clippy::unwrap_used, reason = "a test program: failures are panics")]

mod agent;
mod changes;
mod fleet;
mod hooked;
mod nodes;
mod registry;
mod restore;
mod sessions;
mod verdicts;
mod web;
mod world;
