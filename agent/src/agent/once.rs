//! What the loop has to know of operations that run once in an update.

use std::collections::BTreeMap;

use oml_common::decide::observed::ObservedRun;
use oml_common::decide::run_once::observed;
use oml_common::id::{ComponentName, TenantId};
use oml_common::text::error::chain;
use tracing::warn;

use super::Agent;
use crate::documents;
use crate::files::FileError;
use crate::observe::Started;
use crate::paths::{Paths, Slot};
use crate::runs;

impl Agent {
    /// Looks at the runs of updates and at the images that were started, for the instances before
    /// which something has to run once, or had to.
    pub(super) fn read_started(&mut self) {
        let tenant = self.state.assignment.as_ref().map(|assignment| &assignment.tenant);
        let mut runs = match runs_of_updates(&self.host.paths, tenant) {
            Ok(runs) => runs,
            // If the folder cannot be listed, keep what is known.
            Err(error) => {
                warn!(error = chain(&error), "cannot list the runs of updates");
                return;
            }
        };
        let desired = self.state.assignment.iter().flat_map(|it| it.content.share.instances.iter());
        let instances = desired.map(|(_, desired)| &desired.instance);
        let started = instances.filter_map(|instance| {
            let component = &instance.component;
            let runs = runs.remove(component).unwrap_or_default();
            let is_once = instance.has_steps_before_start();
            let read = |slot| {
                let read = || documents::read_usable(&self.host.paths, component, slot);
                Some(is_once.then(read)?.ok().flatten()?.container()?.digest.clone())
            };
            let (image, image_before) = (read(Slot::Current), read(Slot::Previous));
            let is_any = is_once || !runs.is_empty();
            is_any.then(|| (component.clone(), Started { image, image_before, runs }))
        });
        self.state.started = started.collect();
    }
}

/// Returns the runs of updates by their components.
fn runs_of_updates(
    paths: &Paths,
    tenant: Option<&TenantId>,
) -> Result<BTreeMap<ComponentName, Vec<ObservedRun>>, FileError> {
    let known = runs::of_updates(paths, tenant)?;
    let mut by_component: BTreeMap<ComponentName, Vec<ObservedRun>> = BTreeMap::new();
    for (id, run) in known {
        let component = run.order.as_ref().map(|order| order.instance.component.clone());
        let (Some(component), Some(run)) = (component, observed(id, run)) else { continue };
        by_component.entry(component).or_default().push(run);
    }
    Ok(by_component)
}
