//! System tests. The controller runs in the test process, with real gRPC and TLS on
//! loopback; operators and agents are clients of the test.

#![expect(clippy::unwrap_used, reason = "a test program: failures are panics")]

mod agent;
mod catalogs;
mod certificates;
mod changes;
mod directory;
mod downgrade;
mod fleet;
mod hooked;
mod logins;
mod mistakes;
mod nodes;
mod ordered;
mod registry;
mod releases;
mod restore;
mod rotations;
mod runs;
mod secrets;
mod sessions;
mod stock;
mod tags;
mod tls;
mod unreadable;
mod verdicts;
mod web;
mod world;
