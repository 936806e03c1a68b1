//! The protocol between the programs: the generated messages and their conversions to
//! and from the types of the core.

/// The generated messages and services of `oml/v1/oml.proto`.
#[expect(
    missing_docs,
    clippy::allow_attributes_without_reason,
    clippy::excessive_nesting,
    clippy::too_many_lines,
    reason = "the code is generated, and the comments are in the .proto file"
)]
pub mod v1 {
    tonic::include_proto!("oml.v1");
}

/// The description of the protocol (an encoded `FileDescriptorSet`), for reflection.
pub const DESCRIPTION: &[u8] = tonic::include_file_descriptor_set!("oml");

pub mod enums;
pub mod host_policy;
pub mod problem;
pub mod report;
pub mod run;
mod secret;

/// The size of the largest message that either side accepts, except the two below.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// The size of the largest report of a host. [`report::to_wire`] cuts reports to it.
pub const REPORT_BYTES_MAX: usize = 256 << 10;
/// The size of the largest message of a host, which is a report in its envelope.
pub const AGENT_MESSAGE_BYTES_MAX: usize = REPORT_BYTES_MAX + 1024;
/// The size of the largest status that omlctl accepts, which is that of all nodes at once.
pub const STATUS_BYTES_MAX: usize = 64 << 20;
