//! The errors of the agent itself that are reported until they are over.

use oml_common::decide::rights::UnusablePolicy;
use oml_common::text::error::chain;

use crate::cache::NotOwn;
use crate::files::FileError;

/// The errors at present.
#[derive(Debug, Default)]
pub(super) struct AgentErrors {
    /// The cached assignment is not acted on.
    pub(super) assignment: Option<NotOwn>,
    /// The updates cannot be written to disk.
    pub(super) cache: Option<FileError>,
    /// The documents on disk cannot be listed.
    pub(super) documents: Option<FileError>,
    /// What is wrong with the policy of this host; empty if nothing is.
    pub(super) policy: String,
}

impl AgentErrors {
    /// Returns the errors as they are reported.
    pub(super) fn sentences(&self) -> impl Iterator<Item = String> {
        let assignment = self.assignment.as_ref().map(|error| chain(error));
        let files = [&self.cache, &self.documents].into_iter().flatten();
        let policy = Some(UnusablePolicy(&self.policy)).filter(|_| !self.policy.is_empty());
        let policy = policy.map(|policy| policy.to_string());
        assignment.into_iter().chain(files.map(|error| chain(error))).chain(policy)
    }
}
