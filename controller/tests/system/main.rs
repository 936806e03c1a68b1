//! The controller in process, with real gRPC and TLS on loopback: operators and
//! agents are plain clients that say what a script tells them.

mod agent;
mod changes;
mod fleet;
mod nodes;
mod registry;
mod sessions;
mod web;
mod world;
