//! What is answered at one place where a stand-in listens.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::contract::Listen;

use super::drive::Drive;

/// A place where a stand-in listens, with everything filled in.
pub(super) struct Site {
    pub(super) image: String,
    pub(super) tag: String,
    pub(super) listen: Listen,
    /// The names that a `Host` header may have, if not every one; `*` is every one too.
    pub(super) hosts: Option<BTreeSet<String>>,
    /// The folder of what is stored.
    pub(super) folder: PathBuf,
    /// The form in which it is stored.
    pub(super) drive: Drive,
}
