//! The files that a container has beside those of its image.

use serde::{Deserialize, Serialize};

use crate::document::is_default;

/// A file that is mounted read-only into a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerFile {
    /// Its absolute path in the container.
    pub path: String,
    /// Its permissions (chmod(2)), as a number: 420 for `rw-r--r--`.
    pub mode: u32,
    /// The number of its user.
    #[serde(default, skip_serializing_if = "is_default")]
    pub uid: u32,
    /// The number of its group.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gid: u32,
    pub text: String,
}
