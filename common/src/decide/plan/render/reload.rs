//! Parts what a program takes over while it runs from the workload.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::catalog::ContainerTemplate;
use crate::document::instance::{Container, ContainerFile, KeptSecret, Reload, ReloadBy};
use crate::document::secret_use::SecretUse;
use crate::id::EnvName;

use super::Writer;

impl Writer<'_> {
    /// Returns the container without the content of the files that its program takes over while it
    /// runs, and these. Their places, and the variables that name them, stay in the container.
    pub(super) fn reload(
        &mut self,
        container: Container,
        template: &ContainerTemplate,
        tenants: Option<&BTreeMap<EnvName, SecretUse>>,
    ) -> (Container, Option<Reload>) {
        let Some(reload) = &template.reload else { return (container, None) };
        let by = match &reload.by {
            ReloadBy::Command { command } => {
                let command = command.iter().map(|text| self.fill("reload", text)).collect();
                ReloadBy::Command { command }
            }
            other @ (ReloadBy::Signal { .. } | ReloadBy::NextStart) => other.clone(),
        };
        let mut container = container;
        let kept = std::mem::take(&mut container.options.files);
        let (files, kept) = kept.into_iter().partition(|file| takes_over(template, file));
        container.options.files = kept;
        let secrets = take_secrets(&mut container, |variable| {
            let of_tenant = tenants.and_then(|uses| uses.get(variable));
            let used = of_tenant.or_else(|| template.secrets.get(variable));
            used.is_some_and(|used| used.is_reloaded)
        });
        let reload = Reload { by, deadline_ms: reload.deadline_ms, files, secrets };
        container.options.reloaded = reload.places().map(str::to_owned).collect();
        let has_any = !container.options.reloaded.is_empty();
        (container, has_any.then_some(reload))
    }
}

fn takes_over(template: &ContainerTemplate, file: &ContainerFile) -> bool {
    template.files.iter().any(|known| known.path == file.path && known.is_reloaded)
}

/// Takes the secrets out of a container that are files and of which this is true. Their variables
/// hold the places of the files.
fn take_secrets(
    container: &mut Container,
    is_taken: impl Fn(&EnvName) -> bool,
) -> BTreeSet<KeptSecret> {
    let mut taken = BTreeSet::new();
    for (variable, secret) in std::mem::take(&mut container.kept_secrets) {
        match secret.file.clone().filter(|_| is_taken(&variable)) {
            Some(path) => {
                container.env.insert(variable, path);
                taken.insert(secret);
            }
            None => _ = container.kept_secrets.insert(variable, secret),
        }
    }
    taken
}

#[cfg(test)]
mod tests;
