//! One entry of a share: an instance that should run, and how it is changed to.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::document::instance::Instance;
use crate::document::{Document, Verbatim, is_default};

/// An instance that should run, and how it is changed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    pub instance: Verbatim<Instance>,
    pub policy: ChangePolicy,
}

/// How a change to an instance is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePolicy {
    /// How long a new version must stay healthy before it becomes the last good one.
    pub soak_ms: u64,
    /// The longest wait for calls to end.
    pub drain_deadline_ms: u64,
    /// What happens when calls are still up at the drain deadline.
    pub on_deadline: OnDeadline,
    /// Whether the version before cannot read what this one writes, so that it is not started again
    /// once this one has answered. It is a feature: an agent that does not know it starts it all the
    /// same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forward_only: bool,
}

/// How the instances of a tenant are changed, in the bytes in which it was written, so that
/// a program that knows fewer fields passes on all of them. An assignment has it also when
/// its share is empty: the agent removes by it what is no longer desired.
///
/// A policy that this release cannot read, because a later one made it, is passed on and has
/// no value. Nothing refuses it: without a policy a removal waits for its calls to end.
#[derive(Debug, Clone)]
pub struct TenantPolicy {
    text: Box<RawValue>,
    value: Option<ChangePolicy>,
}

impl TenantPolicy {
    /// Returns the policy; there is none if only a later release can read it.
    #[must_use]
    pub fn value(&self) -> Option<&ChangePolicy> {
        self.value.as_ref()
    }
}

impl From<ChangePolicy> for TenantPolicy {
    fn from(policy: ChangePolicy) -> Self {
        let text = serde_json::value::to_raw_value(&policy).expect("a policy is JSON");
        Self { text, value: Some(policy) }
    }
}

impl PartialEq for TenantPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.text.get() == other.text.get()
    }
}

impl Eq for TenantPolicy {}

impl Serialize for TenantPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TenantPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let value = serde_json::from_str(text.get()).ok();
        Ok(Self { text, value })
    }
}

/// What happens when calls are still up at the drain deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDeadline {
    /// The agent goes on waiting.
    Wait,
    /// The change fails and the old version goes on running.
    Abort,
    /// The old version is stopped, and the calls that this cuts are counted.
    Cut,
}

impl OnDeadline {
    /// Returns the word for it in a specification.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Abort => "abort",
            Self::Cut => "cut",
        }
    }
}

impl Document for Desired {
    const KIND: &'static str = "an instance";
    const VERSION: Option<u32> = None;
}
