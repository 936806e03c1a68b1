//! Checks text of a catalog that is passed on as it is written.

use crate::text::printable::{is_hidden, name_of};
use crate::text::problem::Problems;
use crate::text::yaml::FieldNode;

/// Reads a text that is not a template. One that looks like a template would be passed on with
/// its braces, and nobody would notice.
pub(super) fn text(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let text = field.text(problems)?;
    if is_template(text) {
        problems.push(field.problem("a template is not filled in here").hint("write the value"));
    }
    Some(text.to_owned())
}

/// Returns true if the template engine would do something with a text.
pub(crate) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|open| text.contains(open))
}

/// Reads a list of texts that may be templates.
pub(super) fn templates(field: Option<&FieldNode<'_>>, problems: &mut Problems) -> Vec<String> {
    let items = field.map(|field| field.list(problems)).unwrap_or_default();
    items.iter().filter_map(|item| item.text(problems).map(str::to_owned)).collect()
}

/// Reads the lines of a drop-in, a template. systemd would drop a line that it cannot read and
/// still start the unit, so what cannot be meant is refused here.
pub(super) fn drop_in(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let text = field.text(problems)?;
    let shown = |c: &char| is_hidden(*c) && !matches!(c, '\n' | '\t');
    if let Some(c) = text.chars().find(shown) {
        problems.push(field.problem(format!("contains {}", name_of(c))));
    }
    if has_specifier(&without_tags(text)) {
        let message = "contains a %, which systemd would replace";
        problems.push(field.problem(message).hint("write %% for a percent sign"));
    }
    if text.trim_end().ends_with('\\') {
        problems.push(field.problem("the last line ends in a backslash, which continues it"));
    }
    Some(text.to_owned())
}

/// Whether a text has a `%` that is not one of a pair.
fn has_specifier(text: &str) -> bool {
    text.replace("%%", "").contains('%')
}

/// Returns a template without its tags, in which a `%` has a meaning of its own.
fn without_tags(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    let tags = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];
    loop {
        let found = tags.iter().filter_map(|(open, close)| Some((rest.find(open)?, *close))).min();
        let Some((at, close)) = found else { break };
        kept.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        rest = inside.find(close).map_or("", |end| &inside[end + 2..]);
    }
    kept + rest
}
