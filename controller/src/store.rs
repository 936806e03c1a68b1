//! The store's contract: four methods over keys, versions and bytes.
//!
//! A commit is all or nothing and durable when it returns; a read never shows
//! what is not yet durable. The store knows nothing of what the bytes mean.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;

pub mod embedded;
pub mod memory;
mod nudge;

pub use embedded::Embedded;
pub use memory::Memory;
pub use nudge::ChangeSignal;

/// The longest value, in bytes.
pub const VALUE_SIZE_BYTES_MAX: usize = 1 << 20;
/// The most keys one commit may touch.
pub const COMMIT_WRITES_MAX: usize = 64;
/// The most bytes the values of one commit may have together.
pub const COMMIT_SIZE_BYTES_MAX: usize = 1 << 20;
/// The longest key, in bytes.
pub const KEY_SIZE_BYTES_MAX: usize = 512;

/// Where the desired state is kept.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Reads one key.
    async fn get(&self, key: &RawKey) -> Result<Option<Versioned>>;

    /// Reads every key that starts with `prefix`, in key order, as of one moment.
    async fn list(&self, prefix: &str) -> Result<Vec<(RawKey, Versioned)>>;

    /// Makes all of `writes` durable, or none of them.
    ///
    /// A caller that stops waiting does not take its commit back.
    async fn commit(&self, writes: Vec<Write>) -> Result<Commit>;

    /// Nudges whoever waits on it after a commit touched a key under `prefix`.
    fn changed(&self, prefix: &str) -> ChangeSignal;
}

/// A result of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A key: printable ASCII, parts separated by slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawKey(String);

impl RawKey {
    /// The key as text.
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
    /// The number of the commit that wrote the value; never used twice.
    pub version: u64,
    pub value: Bytes,
}

/// One change of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub key: RawKey,
    /// What must be true of the key for the commit to happen.
    pub expect: Expect,
    pub change: WriteAction,
}

impl Write {
    /// A put under a condition.
    pub fn put(key: impl Into<RawKey>, expect: Expect, value: impl Into<Bytes>) -> Self {
        Self { key: key.into(), expect, change: WriteAction::Put(value.into()) }
    }

    /// A delete under a condition.
    pub fn delete(key: impl Into<RawKey>, expect: Expect) -> Self {
        Self { key: key.into(), expect, change: WriteAction::Delete }
    }
}

/// A condition on one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing is asked.
    Any,
    /// The key must not exist.
    Absent,
    /// The key must exist and carry this version.
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

/// What a write does to its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteAction {
    Put(Bytes),
    /// Removes the key; a key that is not there is no error.
    Delete,
}

/// The outcome of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// The store's number after the commit, and the version of all it put.
    pub version: u64,
}

/// Why the store did not do what was asked. Unless it says otherwise, nothing
/// was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A condition does not hold: somebody else was first.
    #[error("{key} was changed by somebody else")]
    Conflict {
        /// The first key whose condition does not hold.
        key: RawKey,
    },
    /// The request itself is outside the store's limits.
    #[error("commit refused: {0}")]
    Refused(String),
    #[error("the store in {} is full: {reason}; free some space, nothing was written", dir.display())]
    Full {
        /// The folder of the store.
        dir: PathBuf,
        reason: String,
    },
    /// What is stored cannot be read.
    #[error("{key} in the store is damaged: {reason}")]
    Damaged { key: RawKey, reason: String },
    /// The store stopped working. Whether the last commit is kept is known
    /// only after a restart.
    #[error("the store in {} has stopped: {reason}", dir.display())]
    Stopped {
        /// The folder of the store.
        dir: PathBuf,
        reason: String,
    },
}

impl StoreError {
    /// Somebody else was first: read again and decide again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// The same commit may succeed later without anything else changing in it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Full { .. } | Self::Stopped { .. } => true,
            Self::Conflict { .. } | Self::Refused(_) | Self::Damaged { .. } => false,
        }
    }
}

/// Checks the limits that hold for every store.
fn check_limits(writes: &[Write]) -> Result<()> {
    if writes.len() > COMMIT_WRITES_MAX {
        let count = writes.len();
        return Err(StoreError::Refused(format!("{count} keys, {COMMIT_WRITES_MAX} are allowed")));
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
                "the value of {} has {value_len} bytes, {VALUE_SIZE_BYTES_MAX} are allowed",
                write.key
            )));
        }
        total += value_len;
    }
    if total > COMMIT_SIZE_BYTES_MAX {
        return Err(StoreError::Refused(format!(
            "{total} bytes, {COMMIT_SIZE_BYTES_MAX} are allowed"
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
    let shown: String = text.chars().take(80).collect();
    Err(StoreError::Refused(format!(
        "{shown:?} is not a key: 1 to {KEY_SIZE_BYTES_MAX} printable ASCII characters without spaces"
    )))
}

#[cfg(test)]
mod contract;
#[cfg(test)]
mod tests;
