//! Formats the settings of a tenant or a catalog.

use oml_common::text::printable::printable;
use oml_proto::v1::{ListSettingsReply, Setting, SettingOrigin, SettingUse};

use crate::output::Output;
use crate::table::Column::{Prose, Whole};
use crate::table::{Column, Field, plain};

const HEADER: [Column; 5] =
    [Whole("SETTING"), Whole("TYPE"), Prose("VALUE"), Prose("FROM"), Prose("MEANING")];

/// Formats a line for every setting.
pub(crate) fn settings(output: &Output, reply: &ListSettingsReply) -> String {
    let row = |setting: &Setting| -> Vec<Field> {
        let meaning = match setting.problem.as_str() {
            "" => setting.means.clone(),
            problem => format!("not valid: {problem}"),
        };
        let cells = [&setting.name, &setting.r#type, &value(setting), &origin(setting), &meaning];
        cells.into_iter().map(plain).collect()
    };
    output.tables.table(&HEADER, reply.settings.iter().map(row).collect())
}

/// Formats everything about one setting. `tenant` is empty if it was asked about a catalog.
pub(crate) fn setting(setting: &Setting, tenant: &str) -> String {
    let mut lines = vec![format!("{} ({})", setting.name, setting.r#type)];
    let mut add = |line: String| lines.push(format!("  {line}"));
    if !setting.means.is_empty() {
        add(setting.means.clone());
    }
    if !setting.problem.is_empty() {
        add(format!("not valid: {}", setting.problem));
    }
    add(format!("value: {} (from: {})", value(setting), origin(setting)));
    match &setting.default {
        Some(default) => add(format!("default: {}", shown(default))),
        None => add("default: none, so every tenant must give a value".to_owned()),
    }
    if let Some(range) = range(setting) {
        add(range);
    }
    if !setting.pattern.is_empty() {
        add(format!("matches: {}", setting.pattern));
    }
    if !setting.choices.is_empty() {
        add("choices:".to_owned());
        for choice in &setting.choices {
            add(format!("  {}: {}", shown(&choice.value), choice.means));
        }
    }
    lines.extend(touches(setting, tenant).iter().map(|line| format!("  {line}")));
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

/// Says which components a setting touches.
fn touches(setting: &Setting, tenant: &str) -> Vec<String> {
    let names = |of: &dyn Fn(&&SettingUse) -> bool| -> String {
        let found = setting.components.iter().filter(of);
        found.map(|it| it.component.as_str()).collect::<Vec<_>>().join(", ")
    };
    let is_shown = |it: &SettingUse| tenant.is_empty() || it.in_tenant;
    let mut lines = Vec::new();
    let workload = names(&|it| is_shown(it) && it.in_workload);
    match (setting.components.is_empty(), workload.is_empty()) {
        (true, _) => lines.push("no component uses it".to_owned()),
        (false, false) => lines.push(format!("a change is a change of: {workload}")),
        (false, true) => {}
    }
    let condition = names(&|it| is_shown(it) && it.in_condition);
    if !condition.is_empty() {
        lines.push(format!("decides what exists of: {condition}"));
    }
    let others = names(&|it| !is_shown(it));
    if !others.is_empty() {
        lines.push(format!("also used by, and not in the document of {tenant}: {others}"));
    }
    lines
}

fn range(setting: &Setting) -> Option<String> {
    match (setting.min, setting.max) {
        (None, None) => None,
        (Some(min), None) => Some(format!("at least {min}")),
        (None, Some(max)) => Some(format!("at most {max}")),
        (Some(min), Some(max)) => Some(format!("from {min} to {max}")),
    }
}

fn value(setting: &Setting) -> String {
    setting.value.as_deref().map_or_else(|| "none".to_owned(), shown)
}

/// Returns a value as it is shown; an empty one would not be seen.
fn shown(value: &str) -> String {
    if value.is_empty() { "\"\"".to_owned() } else { value.to_owned() }
}

fn origin(setting: &Setting) -> String {
    match setting.origin() {
        SettingOrigin::Default => "default".to_owned(),
        SettingOrigin::Tenant if setting.line > 0 => format!("tenant, line {}", setting.line),
        SettingOrigin::Tenant => "tenant".to_owned(),
        SettingOrigin::Missing | SettingOrigin::Unspecified => "nowhere".to_owned(),
    }
}
