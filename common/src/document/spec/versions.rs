//! Writes other versions into the text of a specification. Everything else stays as its author
//! wrote it, comments included.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::document::spec::TenantSpec;
use crate::id::{ComponentName, ImageReference, ImageVersion};
use crate::text::problem::{Problem, Problems};
use crate::text::yaml::{DOCUMENT_BYTES_MAX, Node, Value, parse};

/// A part of the text that another version replaces.
struct Edit<'v> {
    component: &'v ComponentName,
    bytes: Range<usize>,
    version: &'v ImageVersion,
    /// What stands there: the version, or the image with the version behind it.
    text: String,
}

/// Writes other versions into a specification. Everything else stays as it was
/// written, comments included. A version that is in the text already is not written again.
///
/// # Errors
/// Returns a problem for every component that the specification does not have or
/// that has no version, and for every version that cannot be replaced where it is written.
pub fn with_versions(
    text: &str,
    versions: &BTreeMap<ComponentName, ImageVersion>,
) -> Result<String, Problems> {
    let spec = TenantSpec::parse(text)?;
    let root = parse(text)?;
    let mut problems = Problems::default();
    let mut edits = Vec::new();
    for (component, version) in versions {
        let known = spec.components.keys().map(AsRef::as_ref);
        let wanted = Some(version);
        match spec.components.get(component) {
            Some(written) if written.version.as_ref() == wanted => {}
            Some(_) => match version_place(&root, component, version) {
                Some((bytes, text)) => edits.push(Edit { component, bytes, version, text }),
                None => {
                    let message =
                        format!("{component} has no version to set: it is a packaged unit");
                    problems.push(Problem::new(component.as_str(), message));
                }
            },
            None => {
                let message = format!("{} has no component {component}", spec.tenant);
                problems.push(
                    Problem::new(component.as_str(), message).suggest(component.as_str(), known),
                );
            }
        }
    }
    let edits = problems.into_result(edits)?;
    let edited = splice(text, &edits);
    check(&edited, &edits, spec)?;
    Ok(edited)
}

/// Writes those versions into a specification that it can have, as [`with_versions`] does. Returns the
/// text with a problem for each of the others.
#[must_use]
pub fn with_known_versions(
    text: &str,
    versions: &BTreeMap<ComponentName, ImageVersion>,
) -> (String, Problems) {
    let mut problems = match with_versions(text, versions) {
        Ok(edited) => return (edited, Problems::default()),
        Err(problems) => problems,
    };
    let is_wrong = |name: &ComponentName| {
        let paths = [name.to_string(), format!("components.{name}")];
        problems.0.iter().any(|problem| paths.contains(&problem.path))
    };
    let others = versions.iter().filter(|(name, _)| !is_wrong(name));
    let others = others.map(|(name, version)| (name.clone(), version.clone())).collect();
    match with_versions(text, &others) {
        Ok(edited) => (edited, problems),
        Err(more) => {
            problems.0.extend(more.0);
            (text.to_owned(), problems.sorted())
        }
    }
}

/// Replaces the parts of the text, each by its version between quotation marks.
fn splice(text: &str, edits: &[Edit<'_>]) -> String {
    // An edit moves what comes after it, so the last one is made first.
    let mut last_first: Vec<&Edit<'_>> = edits.iter().collect();
    last_first.sort_by_key(|edit| std::cmp::Reverse(edit.bytes.start));
    let mut edited = text.to_owned();
    for Edit { bytes, text: new, .. } in last_first {
        let rest = rest_of_header(&text[bytes.clone()]);
        edited.replace_range(bytes.clone(), &format!("\"{new}\"{rest}"));
    }
    edited
}

/// Returns the comment behind the header of a block scalar, such as ` # voice` behind `>-`.
fn rest_of_header(scalar: &str) -> &str {
    if !scalar.starts_with(['|', '>']) {
        return "";
    }
    let header = scalar.split(['\n', '\r']).next().unwrap_or_default();
    header.trim_start_matches(|c: char| matches!(c, '|' | '>' | '+' | '-') || c.is_ascii_digit())
}

/// Checks that the edited text says what was asked for and nothing else. Authors can write YAML
/// in more ways than an edit can foresee, and a wrong text must not become the tenant's.
fn check(edited: &str, edits: &[Edit<'_>], mut wanted: TenantSpec) -> Result<(), Problems> {
    for Edit { component, version, .. } in edits {
        if let Some(changed) = wanted.components.get_mut(*component) {
            changed.version = Some((*version).clone());
        }
    }
    match TenantSpec::parse(edited) {
        Ok(read) if read.says_the_same_as(&wanted) => Ok(()),
        Err(problems) if edited.len() > DOCUMENT_BYTES_MAX => Err(problems),
        Ok(_) | Err(_) => Err(edits.iter().map(|edit| not_editable(edit, &wanted)).collect()),
    }
}

fn not_editable(Edit { component, version, .. }: &Edit<'_>, spec: &TenantSpec) -> Problem {
    let message = format!("the version of {component} cannot be replaced where it is written");
    let hint =
        format!("write {component}: \"{version}\" into the file and type omlctl apply -f FILE");
    spec.problem(&format!("components.{component}"), message).hint(hint)
}

/// Returns the place of the version and the text that stands there with another version.
fn version_place(
    root: &Node,
    component: &ComponentName,
    version: &ImageVersion,
) -> Option<(Range<usize>, String)> {
    let component = entry(entry(root, "components")?, component.as_str())?;
    let place = match &component.value {
        Value::Text(_) => component,
        Value::Map(_) => match entry(component, "version") {
            Some(place) => place,
            None => return image_place(entry(component, "image")?, version),
        },
        Value::Empty | Value::List(_) => return None,
    };
    Some((place.bytes.clone(), version.to_string()))
}

/// Returns the place of an image with a version behind it, and the image with the other version.
fn image_place(place: &Node, version: &ImageVersion) -> Option<(Range<usize>, String)> {
    let Value::Text(text) = &place.value else { return None };
    let image: ImageReference = text.parse().ok()?;
    let image = ImageReference { version: Some(version.clone()), ..image };
    Some((place.bytes.clone(), image.to_string()))
}

fn entry<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, n)| n),
        Value::Empty | Value::Text(_) | Value::List(_) => None,
    }
}

#[cfg(test)]
mod tests;
