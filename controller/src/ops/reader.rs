//! The reader of statuses, and the status of the controller itself.

use std::sync::Arc;

use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use tokio::sync::watch;

use super::Result;
use super::catalogs::Catalogs;
use super::presence::Presence;
use super::tenants::Tenants;
use crate::records::{Records, keys};

pub use crate::records::CommitCounts;

/// Reads the status of tenants and nodes. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct StatusReader {
    pub(super) env: Env,
    pub(super) records: Records,
    pub(super) tenants: Tenants,
    pub(super) presence: Arc<Presence>,
    pub(super) catalogs: Arc<Catalogs>,
}

impl StatusReader {
    /// Returns the wall time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// Returns a receiver that wakes when a task may have to act on a report or a
    /// connection.
    #[must_use]
    pub fn presence_changes(&self) -> watch::Receiver<u64> {
        self.presence.actionable()
    }

    /// Returns a line for every catalog and every component of one that cannot be used.
    #[must_use]
    pub fn broken_catalogs(&self) -> Vec<String> {
        self.catalogs.reports().collect()
    }

    /// Returns the numbers of commits since the start.
    #[must_use]
    pub fn commits(&self) -> CommitCounts {
        self.records.commits()
    }

    /// Checks that the store can be read.
    pub async fn check_store(&self) -> Result<()> {
        self.records.get(&keys::epoch()).await?;
        Ok(())
    }
}
