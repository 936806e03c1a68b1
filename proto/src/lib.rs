//! What the programs say to each other: generated messages and their
//! conversions to and from the core's types.
//!
//! Knows no store, runtime or command line.

/// The generated messages and services of `oml/v1/oml.proto`.
#[expect(
    missing_docs,
    clippy::allow_attributes_without_reason,
    clippy::excessive_nesting,
    clippy::too_many_lines,
    reason = "generated; the .proto carries the comments"
)]
pub mod v1 {
    tonic::include_proto!("oml.v1");
}

pub mod problem;
pub mod report;
pub mod words;

/// Largest message either side accepts.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Largest report of a host; [`report::to_wire`] keeps within it.
pub const REPORT_BYTES_MAX: usize = 256 << 10;
/// Largest message of a host: such a report and what it is wrapped in.
pub const AGENT_MESSAGE_BYTES_MAX: usize = REPORT_BYTES_MAX + 1024;
/// Largest status an operator's program accepts: that of all nodes at once.
pub const STATUS_BYTES_MAX: usize = 64 << 20;
