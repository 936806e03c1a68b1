//! The names that templates use, found without filling them in.

use std::collections::BTreeSet;

use minijinja::Environment;

use crate::document::catalog::{Catalog, Component, SettingKind, TemplateText, is_template};
use crate::text::problem::{Problem, Problems};

use super::template::{NAMES, engine, unknown_filters};

/// Returns the names that a text uses, such as `settings.TZ`; `settings` alone if it reaches into
/// them by a name that is computed. A text that is no template uses none.
///
/// # Errors
/// Returns why a template cannot be read.
pub(crate) fn used(engine: &Environment<'_>, text: &str) -> Result<BTreeSet<String>, String> {
    if !is_template(text) {
        return Ok(BTreeSet::new());
    }
    let read = engine.template_from_str(text);
    let template = read.map_err(|error| error.detail().unwrap_or("it has an error").to_owned())?;
    Ok(template.undeclared_variables(true).into_iter().collect())
}

/// Checks the templates of every component without a tenant: whether they can be read, name what
/// there is, use filters that there are, and compare settings with values of their types.
#[must_use]
pub fn check_templates(catalog: &Catalog) -> Problems {
    let engine = engine();
    let mut problems = Problems::default();
    for (name, component) in &catalog.components {
        for TemplateText { field, text, args } in component.templates() {
            let path = format!("components.{name}.{field}");
            match used(&engine, text) {
                Err(why) => problems.push(unreadable(&path, text, &why)),
                Ok(names) => {
                    let is_arg = |name: &&String| {
                        let arg = name.strip_prefix("args.");
                        arg.is_some_and(|arg| args.iter().any(|it| it.as_str() == arg))
                    };
                    let names = names.iter().filter(|name| !is_arg(name));
                    let wrong = names.filter_map(|name| unknown(catalog, &path, name));
                    problems.0.extend(wrong);
                    problems.0.extend(compared(catalog, &path, text));
                    problems.0.extend(filters(&engine, &path, text));
                }
            }
        }
    }
    problems
}

/// Checks the templates of a part of catalogs by itself: whether they can be read. What they name may
/// be in another part.
#[must_use]
pub fn check_templates_of_part(part: &Catalog) -> Problems {
    let engine = engine();
    let mut problems = Problems::default();
    for (name, component) in &part.components {
        for TemplateText { field, text, .. } in component.templates() {
            if let Err(why) = used(&engine, text) {
                problems.push(unreadable(&format!("components.{name}.{field}"), text, &why));
            }
        }
    }
    problems
}

fn unreadable(path: &str, text: &str, why: &str) -> Problem {
    Problem::new(path, format!("cannot read {text:?}: {why}"))
}

/// Returns a problem for a name that no template can use.
fn unknown(catalog: &Catalog, path: &str, name: &str) -> Option<Problem> {
    let mut parts = name.split('.');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    let problem = |what: &str| Problem::new(path, what.to_owned());
    match (first, second) {
        ("tenant", None) | ("settings" | "host" | "node", None) => None,
        ("node", Some("name" | "address")) => None,
        // Whether this file may use it was checked when the catalog was read.
        ("acme", Some("thumbprint")) if path.contains(".files.") => None,
        ("settings", Some(setting)) if catalog.settings.contains_key(setting) => None,
        ("settings", Some(setting)) => {
            let problem = problem(&format!("{setting} is not a setting of the catalog"));
            Some(problem.suggest(setting, catalog.settings.keys().map(String::as_str)))
        }
        ("host", Some(component)) if has_component(catalog, component) => None,
        ("host", Some(component)) => {
            let problem = problem(&format!("{component} is not a component"));
            Some(problem.suggest(component, catalog.components.keys().map(AsRef::as_ref)))
        }
        _ => Some(problem(&format!("there is no name {name}")).hint(NAMES)),
    }
}

/// Returns a problem for every filter that the engine does not have.
fn filters<'a>(
    engine: &Environment<'_>,
    path: &'a str,
    text: &'a str,
) -> impl Iterator<Item = Problem> + use<'a> {
    unknown_filters(engine, text).into_iter().map(move |name| {
        let problem = Problem::new(path, format!("there is no filter {name}"));
        problem.hint("there are those of Jinja, and bytes, mebibytes, seconds and milliseconds")
    })
}

/// Whether a catalog defines a component, also with mistakes.
fn has_component(catalog: &Catalog, name: &str) -> bool {
    let mut defined = catalog.components.keys().chain(catalog.broken.keys());
    defined.any(|component| component.as_str() == name)
}

/// Returns a problem for every bool that is compared, and every number that is compared with a
/// text: neither would ever be equal, and nobody would notice.
fn compared<'a>(
    catalog: &'a Catalog,
    path: &'a str,
    text: &'a str,
) -> impl Iterator<Item = Problem> + use<'a> {
    catalog.settings.iter().filter_map(move |(name, setting)| {
        let is_number = setting.kind.is_number();
        if !is_number && setting.kind != SettingKind::Bool {
            return None;
        }
        // A number whose value may be empty can be compared with "".
        let is_wrong = |other: &str| match is_number {
            true => !(setting.may_be_empty && matches!(other, "\"\"" | "''")) && is_quoted(other),
            false => true,
        };
        let wrong = operands(text, name).into_iter().any(is_wrong);
        let (message, hint) = if is_number {
            let message = format!("{name} is a number, and is compared with a text");
            (message, "write the number without quotes".to_owned())
        } else {
            let message = format!("{name} is true or false by itself, and is compared");
            (message, format!("write settings.{name}, or not settings.{name}"))
        };
        wrong.then(|| Problem::new(path, message).hint(hint))
    })
}

fn is_quoted(operand: &str) -> bool {
    operand.starts_with(['"', '\''])
}

/// Returns what a setting is compared with by `==` and `!=`, on either side.
fn operands<'t>(text: &'t str, setting: &str) -> Vec<&'t str> {
    let name = format!("settings.{setting}");
    let mut found = Vec::new();
    for (at, _) in text.match_indices(&name) {
        let (before, after) = (text[..at].trim_end(), &text[at + name.len()..]);
        if after.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let after = after.trim_start();
        let right = ["==", "!="].into_iter().find_map(|it| after.strip_prefix(it));
        found.extend(right.map(|right| first_operand(right.trim_start())));
        let left = ["==", "!="].into_iter().find_map(|it| before.strip_suffix(it));
        found.extend(left.map(|left| last_operand(left.trim_end())));
    }
    found
}

/// Returns the quoted text at the beginning, or else the beginning itself.
fn first_operand(text: &str) -> &str {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return text };
    text[1..].find(quote).map_or(text, |end| &text[..end + 2])
}

/// Returns the quoted text at the end, or else the end itself, without a quote at its beginning.
fn last_operand(text: &str) -> &str {
    let last = text.chars().next_back().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = last else { return "" };
    let inside = &text[..text.len() - 1];
    inside.rfind(quote).map_or("", |begin| &text[begin..])
}

/// Returns the settings that change what a component runs: those in its templates, and in those of
/// a tenant's own variables. `None` stands for all of them.
pub(crate) fn settings_of<'t>(
    engine: &Environment<'_>,
    component: &'t Component,
    of_tenant: impl Iterator<Item = &'t String>,
) -> Option<BTreeSet<String>> {
    let texts = component.workload_templates().into_iter().map(|template| template.text);
    let mut settings = BTreeSet::new();
    for text in texts.chain(of_tenant.map(String::as_str)) {
        // A template that cannot be read is refused when it is filled in.
        for name in used(engine, text).unwrap_or_default() {
            match name.split_once('.') {
                Some(("settings", rest)) => {
                    settings.insert(rest.split('.').next().unwrap_or_default().to_owned());
                }
                None if name == "settings" => return None,
                Some(_) | None => {}
            }
        }
    }
    Some(settings)
}

#[cfg(test)]
mod tests;
