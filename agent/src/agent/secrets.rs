//! The secrets of the controller as the loop sees them: which are missing, and which nothing names.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::document::instance::KeptSecret;
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tracing::{info, warn};

use super::Agent;
use crate::kept_secrets::{is_here, remove_unnamed};

impl Agent {
    /// Returns the secrets of the desired instances that are not on this host yet.
    pub(super) fn missing_secrets(&self) -> BTreeMap<ComponentName, BTreeSet<KeptSecret>> {
        let assignment = self.state.assignment.iter();
        let instances = assignment.flat_map(|it| &it.content.share.instances);
        let missing = instances.map(|(name, desired)| {
            let named = desired.instance.named_secrets();
            let missing = named.filter(|secret| !is_here(&self.host.paths, secret)).cloned();
            (name.clone(), missing.collect::<BTreeSet<_>>())
        });
        missing.filter(|(_, missing)| !missing.is_empty()).collect()
    }

    /// Removes the secrets that nothing on this host names any more. The session hands an assignment
    /// to the loop before it writes the secrets of it, so the newest one counts.
    pub(super) fn remove_unnamed_secrets(&self) {
        let assignment = self.inputs.assignment.borrow().clone();
        match remove_unnamed(&self.host.paths, assignment.as_deref()) {
            Ok(0) => {}
            Ok(files) => info!(files, "secrets that nothing names any more were removed"),
            Err(error) => warn!(error = chain(&error), "cannot remove secrets that nothing names"),
        }
    }
}
