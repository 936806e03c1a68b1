//! The id of a machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of a machine, from `/etc/machine-id` (machine-id(5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineId(String);

/// The error of a text that is not a machine id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a machine id must have 32 hexadecimal digits")]
pub struct InvalidMachineId;

impl std::str::FromStr for MachineId {
    type Err = InvalidMachineId;

    fn from_str(text: &str) -> Result<Self, InvalidMachineId> {
        let is_valid = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if is_valid { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidMachineId) }
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
