//! The settings of a tenant: checked by their types, and as values in templates.

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

use crate::document::catalog::{Catalog, Setting, SettingKind, SettingValues, is_template};
use crate::document::spec::TenantSpec;
use crate::text::problem::Problems;

use super::Input;

/// Checks what a tenant says of the settings of its catalog.
pub(super) fn check(input: Input<'_>, problems: &mut Problems) {
    let Input { spec, catalog, .. } = input;
    for (name, value) in &spec.settings {
        let at = |message: String| spec.problem(&format!("settings.{name}"), message);
        let Some(setting) = catalog.settings.get(name) else {
            let known = catalog.settings.keys().map(String::as_str);
            problems.push(at("unknown setting".to_owned()).suggest(name, known));
            continue;
        };
        if is_template(value) {
            // It would be passed on as it is, and nobody would notice.
            let problem = at("a setting cannot be a template".to_owned());
            problems.push(problem.hint("write the value, or use the template in env"));
        } else if let Err(mismatch) = setting.check(value) {
            problems.push(mismatch.problem(at));
        }
    }
    for (name, setting) in &catalog.settings {
        let path = format!("settings.{name}");
        let is_given = spec.settings.contains_key(name) || spec.is_unread(&path);
        if setting.default.is_none() && !is_given {
            let catalog = &catalog.name;
            let message = format!("is missing; catalog {catalog} has no default for it");
            let hint = format!(
                "write {name}: VALUE below settings; see omlctl settings catalog={catalog} {name}"
            );
            problems.push(spec.problem(&path, message).hint(hint));
        }
    }
}

/// Returns the value of every setting that has one: the tenant's own, or the default. A value
/// that is none of its setting's counts as not given.
pub(crate) fn chosen<'a>(spec: &'a TenantSpec, catalog: &'a Catalog) -> SettingValues<'a> {
    let value = |(name, setting): (&'a String, &'a Setting)| {
        let given = spec.settings.get(name).filter(|value| setting.check(value).is_ok());
        Some((name.as_str(), given.or(setting.default.as_ref())?.as_str()))
    };
    catalog.settings.iter().filter_map(value).collect()
}

/// Returns the values as templates see them. Each is written into text as the tenant wrote it; in
/// expressions, a bool is true or false and a number is a number.
pub(super) fn in_templates<'a>(
    chosen: &SettingValues<'a>,
    catalog: &Catalog,
) -> BTreeMap<&'a str, Value> {
    let value = |(name, text): (&&'a str, &&'a str)| {
        let kind = catalog.settings.get(*name).map(|setting| &setting.kind);
        (*name, kind.map_or_else(|| Value::from(*text), |kind| in_template(kind, text)))
    };
    chosen.iter().map(value).collect()
}

fn in_template(kind: &SettingKind, text: &str) -> Value {
    if *kind == SettingKind::Bool {
        Value::from_object(Flag(text == "true"))
    } else if kind.is_number() {
        text.parse::<i64>().map_or_else(|_empty| Value::from(text), Value::from)
    } else {
        Value::from(text)
    }
}

/// A bool that is written as catalogs write it. The engine's own is written `True`.
#[derive(Debug)]
struct Flag(bool);

impl Object for Flag {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.0
    }

    fn render(self: &Arc<Self>, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "true" } else { "false" })
    }
}

#[cfg(test)]
mod tests;
