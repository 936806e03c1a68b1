//! Reads the volumes of a component.

use std::collections::BTreeMap;

use crate::decide::mount::{HIDDEN, PROTECTED, normalised, reaches};
use crate::document::instance::Volume;
use crate::text::problem::Problems;
use crate::text::yaml::FieldNode;

use super::literal;

/// Reads the list of volumes. No two of them may have one place in the container.
pub(super) fn read_all(field: &FieldNode<'_>, problems: &mut Problems) -> Vec<Volume> {
    let mut taken = BTreeMap::new();
    let mut volumes = Vec::new();
    for item in field.list(problems) {
        let Some(volume) = read(&item, problems) else { continue };
        if let Some(other) = taken.insert(normalised(&volume.target), volume.source.clone()) {
            let message = format!("{} is already the place of {other}", volume.target);
            problems.push(item.problem(message));
        }
        volumes.push(volume);
    }
    volumes
}

fn read(field: &FieldNode<'_>, problems: &mut Problems) -> Option<Volume> {
    let text = literal::text(field, problems)?;
    let mut parts = text.split(':');
    let (source, target, mode) = (parts.next()?, parts.next().unwrap_or_default(), parts.next());
    let is_name = |s: &str| {
        !s.is_empty()
            && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    };
    let is_path = |s: &str| s.starts_with('/') && !s.split('/').any(|part| part == "..");
    let mode_is_known = matches!(mode, None | Some("ro"));
    if !(is_path(source) || is_name(source))
        || !is_path(target)
        || !mode_is_known
        || parts.next().is_some()
    {
        problems.push(
            field.problem("a volume must be source:target or source:target:ro, where source is a volume name or an absolute path and target is an absolute path"),
        );
        return None;
    }
    if is_path(source)
        && let Some(protected) = reaches(source, PROTECTED.iter().copied())
    {
        let what = format!("{source} must not be mounted into a container");
        let why = match normalised(source) == normalised(protected) {
            true => String::new(),
            false => format!(", because {protected} must not"),
        };
        problems.push(field.problem(format!("{what}{why}")).hint("mount a folder of its own"));
        return None;
    }
    if is_path(source)
        && let Some(hidden) = reaches(source, HIDDEN.iter().copied())
    {
        let message =
            format!("{source} cannot be checked on the host, whose agent does not see {hidden}");
        problems.push(field.problem(message).hint("mount a folder below /srv, /opt or /var/lib"));
        return None;
    }
    if normalised(target) == "/" {
        problems.push(field.problem("nothing can be mounted over / in the container"));
        return None;
    }
    Some(Volume { source: source.to_owned(), target: target.to_owned(), read_only: mode.is_some() })
}
