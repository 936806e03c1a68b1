//! Reads what the loop works by on the disk of its host: the policy, the documents, and what somebody
//! changed in files.

use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tracing::warn;

use super::Agent;
use crate::container_files;
use crate::documents;
use crate::policy;
use crate::reloaded_files;

impl Agent {
    /// Reads again what this host allows, and tells the session if it is something else.
    pub(super) fn read_policy(&mut self) {
        let found = policy::read(&self.host.paths);
        self.state.errors.policy = found.problem.clone();
        self.policy.send_if_modified(|policy| {
            let is_new = *policy != found;
            if is_new {
                policy::log(&found);
                *policy = found;
            }
            is_new
        });
    }

    /// Reads the current documents again. One that cannot be read is treated as missing.
    pub(super) fn read_documents(&mut self) {
        let names = match documents::components(&self.host.paths) {
            Ok(names) => names,
            // If the folder cannot be listed, keep the last known documents.
            Err(error) => {
                self.state.errors.documents = Some(error);
                return;
            }
        };
        self.state.errors.documents = None;
        let read = |name: ComponentName| match documents::read_held(&self.host.paths, &name) {
            Ok(document) => document.map(|document| (name, document)),
            Err(error) => {
                warn!(component = %name, error = chain(&error), "cannot read document; treating it as missing");
                None
            }
        };
        self.state.documents = names.into_iter().filter_map(read).collect();
        self.read_files();
        self.read_started();
        self.read_noted();
        self.read_settled();
        self.read_secrets();
        self.read_own_files();
    }

    /// Looks at the files that containers have mounted, of the workloads by which the host works.
    pub(super) fn read_files(&mut self) {
        let share = self.state.assignment.as_deref().map(|it| &it.content.share);
        let desired = |name: &ComponentName| Some(&share?.instances.get(name)?.instance);
        let changed = self.state.documents.iter().filter_map(|(name, document)| {
            let works_by = desired(name).filter(|it| document.workload.hash == it.workload_hash());
            // The files of a version that only a later release can read are not known.
            let in_use = if works_by.is_some() { None } else { Some(document.whole().ok()?) };
            let instance = in_use.as_ref().or(works_by)?;
            let paths = &self.host.paths;
            let mut changes = container_files::changes(paths, instance);
            let held = document.reload.as_ref();
            changes.extend(reloaded_files::changes(paths, instance, held));
            (!changes.is_empty()).then(|| (name.clone(), changes))
        });
        self.state.file_changes = changed.collect();
    }
}
