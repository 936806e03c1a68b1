//! What a program takes over while it runs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::files::ContainerFile;
use super::kept_secret::KeptSecret;
use crate::document::is_default;
use crate::id::ContentHash;

/// The files of a container that its program takes over while it runs, and how it is asked to. They
/// are no part of the workload, so that another content of them is no reason for a restart; their
/// places in the container are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    pub by: ReloadBy,
    /// The longest time that a command takes.
    pub deadline_ms: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub files: Vec<ContainerFile>,
    /// Secrets of the controller, each with its place in the container.
    #[serde(default, skip_serializing_if = "is_default")]
    pub secrets: BTreeSet<KeptSecret>,
}

/// How a program is asked to take over its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ReloadBy {
    /// A command inside the container, whose exit status says whether the program took them over.
    Command { command: Vec<String> },
    /// A signal to the first process of the container, such as `SIGHUP`.
    Signal { signal: String },
    /// It is not asked: it reads them whenever it starts, and what it has read does until then.
    NextStart,
}

impl Reload {
    /// Returns the hash of the content: of every file with its permissions, and of the versions of
    /// secrets. Hosts keep it over an upgrade, so it is pinned like a document. The values may be written
    /// again for it, because neither kind can be read with a field that is not known.
    #[must_use]
    pub fn content(&self) -> ContentHash {
        let text = serde_json::to_vec(&(&self.files, &self.secrets));
        ContentHash::of(&text.expect("files and names of secrets are JSON"))
    }

    /// Returns true if the file at a place in the container is one of them.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.places().any(|place| place == path)
    }

    /// Returns the places of the files in the container.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().map(|file| file.path.as_str());
        files.chain(self.secrets.iter().filter_map(|secret| secret.file.as_deref()))
    }
}
