//! The names of a component's containers. The one that runs has the component's own name, the
//! one before it has `…-prev`, and all others have `…-next-HASH`.

use bollard::models::ContainerSummary;
use oml_common::document::instance::Container;
use oml_common::id::ContentHash;

use super::calls::EngineCalls;
use super::label;
use crate::runtime::{ContainerInstance, RuntimeError};

/// Returns the name for a container that has not run yet, or was superseded since.
pub(super) fn next(container: &Container, hash: &ContentHash) -> String {
    format!("{}-next-{}", container.name, hash.short())
}

/// Gives the running container its own name. No step changes a label, so all of it can be done
/// again after an interruption.
pub(super) async fn promote(
    engine: &dyn EngineCalls,
    all: &[ContainerSummary],
    instance: ContainerInstance<'_>,
) -> Result<(), RuntimeError> {
    let (instance, container) = (instance.document(), instance.container());
    let hash = instance.workload_hash();
    let own = container.name.as_str();
    let previous = format!("{own}-prev");
    let marked: Vec<_> = all
        .iter()
        .filter_map(label::read)
        .filter(|c| c.component == instance.component && c.tenant == instance.tenant)
        .collect();
    let named = |name: &str| all.iter().find(|c| label::name_of(c) == name);
    let ours = |name: &str| marked.iter().find(|c| c.name == name);
    let Some(running) = marked.iter().find(|c| c.hash == hash && c.is_running) else {
        return Err(RuntimeError::Refused {
            verb: "rename",
            object: own.to_owned(),
            detail: "no container of that workload runs".to_owned(),
            transient: true,
        });
    };
    if running.name == own {
        return Ok(());
    }
    if named(own).is_some() && ours(own).is_none() {
        return Err(RuntimeError::Foreign(format!("container {own}")));
    }
    if running.name == previous {
        // Its name is needed for the one that it takes the place of.
        engine.rename(&running.id, &next(container, &hash)).await?;
    }
    if let Some(holder) = ours(own) {
        if let Some(older) = ours(&previous).filter(|c| c.id != running.id) {
            // It may be the last one that proved good: only a keep removes.
            let spare = next(container, &older.hash);
            match ours(&spare) {
                // A twin is left; the engine refuses if this one runs.
                Some(_) => engine.remove(&older.id).await?,
                None => engine.rename(&older.id, &spare).await?,
            }
        }
        engine.rename(&holder.id, &previous).await?;
    }
    engine.rename(&running.id, own).await
}
