//! The agent's parts; `main.rs` joins them.

pub mod runtime;
