//! The secrets of the controller as the loop sees them: which are missing, and which nothing names.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::decide::difference::OwnFile;
use oml_common::document::instance::{Instance, KeptSecret};
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tracing::{info, warn};

use super::Agent;
use crate::kept_secrets::{find_edited, forget_edit, is_here, remove_unnamed};

/// The secrets of which somebody edited a file, by the components that name them.
pub(super) type ByComponent = BTreeMap<ComponentName, BTreeSet<KeptSecret>>;

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

    /// Looks for secrets of which somebody edited a file, and takes over those that were put right.
    pub(super) fn read_secrets(&mut self) {
        let mut named = self.named_secrets();
        let all: BTreeSet<&KeptSecret> = named.values().flatten().collect();
        let found = find_edited(&self.host.paths, all);
        for secret in &found.put_right {
            warn!(%secret, "a file of a secret was edited by hand; it is written again");
            if let Err(error) = forget_edit(&self.host.paths, secret) {
                warn!(error = chain(&error), "cannot write the note of a secret");
            }
        }
        let of = |secrets: &BTreeSet<KeptSecret>, edited: &BTreeSet<KeptSecret>| -> Vec<OwnFile> {
            secrets.intersection(edited).cloned().map(OwnFile::Secret).collect()
        };
        for (name, secrets) in &named {
            let files = of(secrets, &found.put_right);
            if !files.is_empty() {
                self.state.put_right.entry(name.clone()).or_default().extend(files);
            }
        }
        named.retain(|_, secrets| {
            secrets.retain(|secret| found.left.contains(secret));
            !secrets.is_empty()
        });
        self.state.edited_secrets = named;
    }

    /// Returns the secrets that the desired instances and those by which the host works name.
    fn named_secrets(&self) -> ByComponent {
        let share = self.state.assignment.as_deref().map(|it| &it.content.share);
        let mut named = ByComponent::new();
        let mut add = |name: &ComponentName, instance: &Instance| {
            named.entry(name.clone()).or_default().extend(instance.named_secrets().cloned());
        };
        for (name, desired) in share.into_iter().flat_map(|share| &share.instances) {
            add(name, &desired.instance);
        }
        for (name, held) in &self.state.documents {
            let desired = share.and_then(|share| share.instances.get(name));
            let is_desired = desired.is_some_and(|it| *it.instance.hash() == held.hash());
            if let Some(Ok(instance)) = (!is_desired).then(|| held.whole()) {
                add(name, &instance);
            }
        }
        named
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
