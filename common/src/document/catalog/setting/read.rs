//! Reads the settings of a catalog: `NAME: default`, or a mapping with a type.

use std::collections::BTreeMap;

use crate::document::catalog::literal;
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields, Value};

use super::{NumberRange, Setting, SettingChoice, SettingKind, TextPattern};

/// The words for the types.
const TYPES: [(&str, SettingType); 10] = [
    ("text", SettingType::Text),
    ("number", SettingType::Number),
    ("bool", SettingType::Bool),
    ("choice", SettingType::Choice),
    ("address", SettingType::Address),
    ("host", SettingType::Host),
    ("port", SettingType::Port),
    ("duration", SettingType::Duration),
    ("size", SettingType::Size),
    ("url", SettingType::Url),
];

/// A type, before what belongs to it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SettingType {
    Text,
    Number,
    Bool,
    Choice,
    Address,
    Host,
    Port,
    Duration,
    Size,
    Url,
}

/// Reads all settings of a catalog.
pub(in crate::document::catalog) fn read_all(
    field: &FieldNode<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, Setting> {
    let entries = field.entries::<String>(problems);
    // One with a mistake is a setting all the same, so that nobody who names it is at fault.
    let mut setting = |field| read(&field, problems).unwrap_or_else(|| plain(None));
    entries.into_iter().map(|(name, field)| (name, setting(field))).collect()
}

fn read(field: &FieldNode<'_>, problems: &mut Problems) -> Option<Setting> {
    match &field.node.value {
        Value::Empty => Some(plain(None)),
        Value::Text(_) => Some(plain(literal::text(field, problems))),
        Value::Map(_) => read_typed(field, problems),
        Value::List(_) => {
            let problem = field.problem("must be the default, or a mapping with a type");
            let hint = "write nothing if every tenant must give a value";
            problems.push(problem.hint(hint));
            None
        }
    }
}

/// Returns the setting of which only the default is written: any text.
fn plain(default: Option<String>) -> Setting {
    Setting { kind: SettingKind::Text(None), default, may_be_empty: true, means: String::new() }
}

fn read_typed(field: &FieldNode<'_>, problems: &mut Problems) -> Option<Setting> {
    let mut fields = Fields::open(field, problems)?;
    let kind = read_kind(&mut fields, problems);
    let means = fields.get("means").and_then(|field| literal::text(&field, problems));
    let default_field = fields.get("default");
    let default = default_field.as_ref().and_then(|field| literal::text(field, problems));
    let required_field = fields.get("required");
    let is_required = required_field.as_ref().and_then(|field| field.flag(problems));
    fields.finish(problems);
    let is_required = is_required == Some(true);
    match (&default_field, is_required) {
        (None, false) => {
            let problem = field.problem("has no default");
            let hint = "write default:, or required: true if every tenant must give a value";
            problems.push(problem.hint(hint));
        }
        (Some(default), true) => {
            let problem = default.problem("a required setting has no default");
            problems.push(problem.hint("remove one of both"));
        }
        (Some(_), false) | (None, true) => {}
    }
    let kind = kind?;
    let is_any_text = kind == SettingKind::Text(None) && !is_required;
    let is_empty_by_default = default.as_deref() == Some("") && kind != SettingKind::Bool;
    let may_be_empty = is_any_text || is_empty_by_default;
    let setting = Setting { kind, default, may_be_empty, means: means.unwrap_or_default() };
    if let (Some(field), Some(default)) = (&default_field, &setting.default)
        && let Err(mismatch) = setting.check(default)
    {
        problems.push(mismatch.problem(|message| field.problem(message)));
    }
    Some(setting)
}

fn read_kind(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<SettingKind> {
    let kind = fields.need("type", problems).and_then(|field| field.choice(&TYPES, problems));
    let choices = match kind {
        Some(SettingType::Choice) => fields.need("choices", problems),
        Some(_) | None => fields.get("choices"),
    };
    let pattern = fields.get("pattern");
    let (min, max) = (fields.get("min"), fields.get("max"));
    let kind = kind?;
    let mut refuse = |field: Option<&FieldNode<'_>>, of: &str| {
        if let Some(field) = field {
            let problem = field.problem(format!("is only for {of}"));
            problems.push(problem.hint("remove it, or write another type"));
        }
    };
    if kind != SettingType::Choice {
        refuse(choices.as_ref(), "type: choice");
    }
    if kind != SettingType::Text {
        refuse(pattern.as_ref(), "type: text");
    }
    if !matches!(kind, SettingType::Number | SettingType::Port) {
        refuse(min.as_ref(), "type: number, or port");
        refuse(max.as_ref(), "type: number, or port");
    }
    Some(match kind {
        SettingType::Text => SettingKind::Text(pattern.and_then(|p| read_pattern(&p, problems))),
        SettingType::Number => SettingKind::Number(read_range(min, max, problems)),
        SettingType::Port => SettingKind::Port(read_range(min, max, problems)),
        SettingType::Choice => SettingKind::Choice(read_choices(&choices?, problems)),
        SettingType::Bool => SettingKind::Bool,
        SettingType::Address => SettingKind::Address,
        SettingType::Host => SettingKind::Host,
        SettingType::Duration => SettingKind::Duration,
        SettingType::Size => SettingKind::Size,
        SettingType::Url => SettingKind::Url,
    })
}

fn read_pattern(field: &FieldNode<'_>, problems: &mut Problems) -> Option<TextPattern> {
    let text = field.text(problems)?;
    let report = |error| problems.push(field.problem(format!("is no regular expression: {error}")));
    TextPattern::new(text).map_err(report).ok()
}

fn read_range(
    min: Option<FieldNode<'_>>,
    max: Option<FieldNode<'_>>,
    problems: &mut Problems,
) -> NumberRange {
    let min = min.and_then(|field| field.parse::<i64>(problems));
    let max_field = max;
    let max = max_field.as_ref().and_then(|field| field.parse::<i64>(problems));
    if let (Some(min), Some(max), Some(field)) = (min, max, &max_field)
        && min > max
    {
        problems.push(field.problem(format!("is less than min, which is {min}")));
    }
    NumberRange { min, max }
}

/// Reads the values of a choice, each with the sentence about what follows from it.
fn read_choices(field: &FieldNode<'_>, problems: &mut Problems) -> Vec<SettingChoice> {
    let mut entries = field.entries::<String>(problems);
    let Value::Map(written) = &field.node.value else {
        problems.push(field.problem("names no value"));
        return Vec::new();
    };
    let in_order = written.iter().filter_map(|(key, _)| entries.remove_entry(&key.name));
    in_order
        .filter_map(|(value, field)| {
            let means = literal::text(&field, problems)?;
            Some(SettingChoice { value, means })
        })
        .collect()
}
