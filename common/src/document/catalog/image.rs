//! Reads the images of a catalog, which have no version: every tenant chooses its own.

use std::collections::BTreeMap;

use crate::id::{ComponentName, ImageReference, InvalidReference, Repository};
use crate::text::problem::{Problem, Problems};
use crate::text::yaml::FieldNode;

use super::{Component, Mistakes, WorkloadTemplate};

/// Reads the image of a component: one that names its registry, such as
/// `docker.io/omnileads/asterisk`, or the part of the name after the catalog's registry.
pub(super) fn read(field: &FieldNode<'_>, problems: &mut Problems) -> Option<Repository> {
    let text = field.text(problems)?;
    let problem = match text.parse::<ImageReference>() {
        Ok(ImageReference { repository, version: None }) => return Some(repository),
        Ok(ImageReference { repository, version: Some(_) }) => with_version(field, &repository),
        Err(InvalidReference::NoRegistry(_)) => return read_part(field, text, problems),
        Err(error) => {
            let problem = field.problem(error.to_string());
            error.hint().into_iter().fold(problem, Problem::hint)
        }
    };
    problems.push(problem);
    None
}

/// Reads a part of a name, whose registry is the catalog's or the tenant's.
fn read_part(field: &FieldNode<'_>, text: &str, problems: &mut Problems) -> Option<Repository> {
    let (name, version) = crate::id::split_version(text);
    match (name.parse::<Repository>(), version) {
        (Ok(part), None) => return Some(part),
        (Ok(part), Some(_)) => problems.push(with_version(field, &part)),
        (Err(error), _) => problems.push(field.problem(error.to_string())),
    }
    None
}

fn with_version(field: &FieldNode<'_>, name: &Repository) -> Problem {
    let problem = field.problem("an image of a catalog has no version; every tenant chooses it");
    problem.hint(format!("write {name}"))
}

/// Reports every image that needs a registry, in a catalog without one.
pub(super) fn need_registry(components: &BTreeMap<ComponentName, Component>, found: &mut Mistakes) {
    let parts = components.iter().filter(|(_, component)| match &component.workload {
        WorkloadTemplate::Container(container) => !container.image.names_registry(),
        WorkloadTemplate::Unit { .. } => false,
    });
    let parts: Vec<&ComponentName> = parts.map(|(name, _)| name).collect();
    // One mistake, however many components it breaks.
    let Some(first) = parts.first() else { return };
    let message = format!("is missing, and the image of {first} names no registry");
    let hint = "write registry: docker.io/omnileads, or images such as docker.io/library/redis";
    let problem = Problem::new("registry", message).hint(hint);
    for name in parts {
        found.entry(name.clone()).or_default().push(problem.clone());
    }
}
