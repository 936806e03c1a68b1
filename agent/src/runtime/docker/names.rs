//! The names of a component's containers. The one that runs has the component's own name, the
//! one before it has `…-prev`, and all others have `…-next-HASH`.

use bollard::models::ContainerSummary;
use oml_common::decide::difference::ForeignObject;
use oml_common::decide::ownership::{previous_name, spare_names};
use oml_common::document::instance::Container;
use oml_common::id::ContentHash;

use super::calls::EngineCalls;
use super::label;
use crate::runtime::{ContainerInstance, Marked, RuntimeError};

/// The containers of a host.
#[derive(Clone, Copy)]
pub(super) struct Listed<'a> {
    pub(super) all: &'a [ContainerSummary],
    pub(super) ours: &'a [Marked],
}

impl<'a> Listed<'a> {
    fn is_taken(self, name: &str) -> bool {
        self.all.iter().any(|container| label::name_of(container) == name)
    }

    fn ours(self, name: &str) -> Option<&'a Marked> {
        self.ours.iter().find(|container| container.name == name)
    }
}

/// Returns a name for a container that did not run yet, or was superseded since: the first one
/// that no container holds. If all are held, the engine's refusal of the first is reported.
pub(super) fn spare(all: &[ContainerSummary], container: &Container, hash: &ContentHash) -> String {
    let listed = Listed { all, ours: &[] };
    let mut names = spare_names(container.name.as_str(), hash).peekable();
    let first = names.peek().cloned().unwrap_or_default();
    names.find(|name| !listed.is_taken(name)).unwrap_or(first)
}

/// Gives the running container its own name. No step changes a label, so all of it can be done
/// again after an interruption.
pub(super) async fn promote(
    engine: &dyn EngineCalls,
    listed: Listed<'_>,
    instance: ContainerInstance<'_>,
) -> Result<(), RuntimeError> {
    let (instance, container) = (instance.document(), instance.container());
    let hash = instance.workload_hash();
    let own = container.name.as_str();
    let previous = previous_name(own);
    let marked: Vec<Marked> = listed
        .ours
        .iter()
        .filter(|c| c.component == instance.component && c.tenant == instance.tenant)
        .cloned()
        .collect();
    let others = listed.ours;
    let listed = Listed { ours: &marked, ..listed };
    let spare = |hash: &ContentHash| spare(listed.all, container, hash);
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
    if listed.is_taken(own) && listed.ours(own).is_none() {
        move_aside(engine, listed.all, others, own).await?;
    }
    if running.name == previous {
        // Its name is needed for the one that it takes the place of.
        engine.rename(&running.id, &spare(&hash)).await?;
    }
    if let Some(holder) = listed.ours(own) {
        let mut place = previous.clone();
        match listed.ours(&previous).filter(|c| c.id != running.id) {
            // It may be the last good one, which only a commit removes.
            Some(older) => match twin(listed, container, &older.hash) {
                // A twin is left; the engine refuses if this one runs.
                true => engine.remove(&older.id).await?,
                false => engine.rename(&older.id, &spare(&older.hash)).await?,
            },
            // Somebody else's container holds the name.
            None if listed.is_taken(&previous) && running.name != previous => {
                place = spare(&holder.hash);
            }
            None => {}
        }
        engine.rename(&holder.id, &place).await?;
    }
    engine.rename(&running.id, own).await
}

/// Takes the name from a container of another component of ours, which was renamed by hand, and gives
/// it a spare name of its own. One that the engine could not remove gets a name that says so. A container
/// that is not ours keeps its name.
pub(super) async fn move_aside(
    engine: &dyn EngineCalls,
    all: &[ContainerSummary],
    ours: &[Marked],
    name: &str,
) -> Result<(), RuntimeError> {
    let is_dying =
        |found: &&ContainerSummary| label::name_of(found) == name && label::is_dying(found);
    if let Some(id) = all.iter().find(is_dying).and_then(|found| found.id.as_ref()) {
        let place = format!("{name}-dead-{}", id.get(..12).unwrap_or(id));
        return engine.rename(id, &place).await;
    }
    let holder = ours.iter().find(|container| container.name == name);
    let instance = holder.and_then(Marked::instance);
    let container = instance.as_ref().and_then(|instance| instance.container());
    match (holder, container) {
        (Some(holder), Some(container)) => {
            engine.rename(&holder.id, &spare(all, container, &holder.hash)).await
        }
        _ => {
            let name = name.to_owned();
            Err(RuntimeError::Foreign(ForeignObject::Container { name }))
        }
    }
}

/// Returns true if a container of ours holds a spare name of that workload.
fn twin(listed: Listed<'_>, container: &Container, hash: &ContentHash) -> bool {
    let mut spares = spare_names(container.name.as_str(), hash);
    spares.any(|spare| listed.ours(&spare).is_some())
}
