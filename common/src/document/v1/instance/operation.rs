//! The operations of an instance: what they run, and those that are steps of its updates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::is_default;
use crate::id::{EnvName, OperationName};

/// What an operation runs, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationCommand {
    /// The arguments that replace those of the component, unless empty.
    #[serde(default, skip_serializing_if = "is_default")]
    pub command: Vec<String>,
    /// The program that replaces that of the component, with its first arguments, unless empty.
    #[serde(default, skip_serializing_if = "is_default")]
    pub entrypoint: Vec<String>,
    /// The environment variables that it has beside those of the component, or instead of them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub env: BTreeMap<EnvName, String>,
    /// The longest time that it may run.
    pub deadline_ms: u64,
}

/// An operation that is a step of an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationStep {
    pub operation: OperationName,
    pub run: OperationCommand,
    /// Whether an earlier version cannot run any more after it has succeeded.
    #[serde(default, skip_serializing_if = "is_default")]
    pub irreversible: bool,
}
