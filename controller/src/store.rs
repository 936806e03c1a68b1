//! The contract of the key-value store: four methods over keys, versions and
//! bytes.
//!
//! A commit is atomic, and durable when it returns. A read never returns data
//! that is not durable yet. The store does not interpret the values.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use oml_common::text::printable::shortened;

pub mod embedded;
pub mod memory;
mod nudge;

pub use embedded::Embedded;
pub use memory::Memory;
pub use nudge::ChangeSignal;

/// The greatest size of one value, in bytes.
pub const VALUE_SIZE_BYTES_MAX: usize = 1 << 20;
/// The greatest number of keys that one commit may write.
pub const COMMIT_WRITES_MAX: usize = 64;
/// The greatest total size of the values of one commit, in bytes.
pub const COMMIT_SIZE_BYTES_MAX: usize = 1 << 20;
/// The greatest length of a key, in bytes.
pub const KEY_SIZE_BYTES_MAX: usize = 512;

/// A store of keys with versioned values. It holds the desired state of all tenants.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Returns the value of `key`, or `None` if the key does not exist.
    async fn get(&self, key: &RawKey) -> Result<Option<Versioned>>;

    /// Returns every key that starts with `prefix`, in key order, from one consistent
    /// snapshot.
    async fn list(&self, prefix: &str) -> Result<Vec<(RawKey, Versioned)>>;

    /// Makes all of `writes` durable, or none of them.
    ///
    /// Dropping the returned future does not cancel a commit that was queued.
    ///
    /// # Errors
    /// Returns a [`StoreError`]; unless its variant says otherwise, nothing was
    /// written.
    async fn commit(&self, writes: Vec<Write>) -> Result<Commit>;

    /// Returns a signal that wakes its holder after each commit that writes a key under
    /// `prefix`.
    fn changed(&self, prefix: &str) -> ChangeSignal;
}

/// The result of a store operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A key of printable ASCII characters, whose parts are separated by slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawKey(String);

impl RawKey {
    /// Returns the key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for RawKey {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for RawKey {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A value and the number of the commit that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The number of the commit that wrote the value. A number is never used twice.
    pub version: u64,
    pub value: Bytes,
}

/// One change of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub key: RawKey,
    /// The condition on the key; the whole commit is refused if it does not hold.
    pub expect: Expect,
    pub change: WriteAction,
}

impl Write {
    /// Makes a write that sets a value under a condition.
    pub fn put(key: impl Into<RawKey>, expect: Expect, value: impl Into<Bytes>) -> Self {
        Self { key: key.into(), expect, change: WriteAction::Put(value.into()) }
    }

    /// Makes a write that removes a key under a condition.
    pub fn delete(key: impl Into<RawKey>, expect: Expect) -> Self {
        Self { key: key.into(), expect, change: WriteAction::Delete }
    }
}

/// A condition on one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The write has no condition.
    Any,
    /// The key must not exist.
    Absent,
    /// The key must exist with this version.
    Version(u64),
}

impl Expect {
    fn holds(self, found: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Version(wanted) => found == Some(wanted),
        }
    }
}

/// The effect of a write on its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteAction {
    Put(Bytes),
    /// Removes the key. Removing a missing key is not an error.
    Delete,
}

/// The outcome of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// The number of the commit, which is the version of every value that it put. An
    /// empty commit returns the number of the last one.
    pub version: u64,
}

/// The error of a store operation. Nothing was written, except where a variant
/// says that the outcome is unknown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A condition does not hold, because another commit changed the key first.
    #[error("{key} was changed by another commit; read it again and retry")]
    Conflict {
        /// The first key whose condition does not hold.
        key: RawKey,
    },
    /// The request exceeds a limit of the store.
    #[error("commit refused: {0}")]
    Refused(String),
    #[error("the store in {} is full: {reason}; nothing was written; free disk space and retry", dir.display())]
    Full { dir: PathBuf, reason: String },
    /// A later release wrote the value.
    #[error(
        "{key} in the store needs a newer controller: {reason}; install a newer release of the controller"
    )]
    NeedsNewer { key: RawKey, reason: String },
    /// A stored value cannot be read.
    #[error("{key} in the store is damaged: {reason}")]
    Damaged { key: RawKey, reason: String },
    /// The store no longer serves requests. Whether the last commit was written
    /// is unknown until the store is opened again.
    #[error("the store in {} has stopped: {reason}", dir.display())]
    Stopped { dir: PathBuf, reason: String },
}

impl StoreError {
    /// Returns whether another commit came first, so that the caller must read and
    /// decide again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Returns whether the same commit may succeed later without a change to it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Full { .. } | Self::Stopped { .. } => true,
            Self::Conflict { .. }
            | Self::Refused(_)
            | Self::NeedsNewer { .. }
            | Self::Damaged { .. } => false,
        }
    }
}

/// Checks the limits that apply to every store.
fn check_limits(writes: &[Write]) -> Result<()> {
    if writes.len() > COMMIT_WRITES_MAX {
        let count = writes.len();
        return Err(StoreError::Refused(format!("{count} keys (maximum {COMMIT_WRITES_MAX})")));
    }
    let mut total = 0;
    let mut seen = std::collections::BTreeSet::new();
    for write in writes {
        check_key(&write.key)?;
        if !seen.insert(&write.key) {
            return Err(StoreError::Refused(format!("{} is written twice", write.key)));
        }
        let value_len = match &write.change {
            WriteAction::Put(value) => value.len(),
            WriteAction::Delete => 0,
        };
        if value_len > VALUE_SIZE_BYTES_MAX {
            return Err(StoreError::Refused(format!(
                "the value of {} has {value_len} bytes (maximum {VALUE_SIZE_BYTES_MAX})",
                write.key
            )));
        }
        total += value_len;
    }
    if total > COMMIT_SIZE_BYTES_MAX {
        return Err(StoreError::Refused(format!(
            "{total} bytes of values (maximum {COMMIT_SIZE_BYTES_MAX})"
        )));
    }
    Ok(())
}

fn check_key(key: &RawKey) -> Result<()> {
    let text = key.as_str();
    let printable = text.bytes().all(|b| b.is_ascii_graphic());
    if printable && (1..=KEY_SIZE_BYTES_MAX).contains(&text.len()) {
        return Ok(());
    }
    let shown = shortened(text, 80);
    Err(StoreError::Refused(format!(
        "{shown:?} is not a key: a key has 1 to {KEY_SIZE_BYTES_MAX} printable ASCII characters and no spaces"
    )))
}

#[cfg(test)]
mod contract;
#[cfg(test)]
mod tests;
