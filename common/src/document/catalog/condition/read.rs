//! Reads conditions: `{SETTING: VALUE}`, or a list of such mappings.

use crate::document::catalog::literal;
use crate::document::catalog::setting::NumberRange;
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields, Value};

use super::{AllOf, Condition, SettingTest, ValueTest};

/// What can be written, for the hint of a problem.
const FORMS: &str = "write {SETTING: VALUE}, {SETTING: [VALUE, VALUE]}, {SETTING: {not: VALUE}} or \
                     {SETTING: {min: NUMBER}}; a list of these holds if one of them does";

/// Reads the condition under which something exists.
pub(in crate::document::catalog) fn read(
    field: &FieldNode<'_>,
    problems: &mut Problems,
) -> Option<Condition> {
    let alternatives = match &field.node.value {
        Value::List(_) => field.list(problems),
        Value::Map(_) => vec![field.clone()],
        Value::Text(_) | Value::Empty => {
            problems.push(field.problem("is not a condition").hint(FORMS));
            return None;
        }
    };
    let all: Vec<AllOf> = alternatives.iter().filter_map(|it| all_of(it, problems)).collect();
    if alternatives.is_empty() {
        problems.push(field.problem("is empty").hint(FORMS));
    }
    (all.len() == alternatives.len() && !all.is_empty()).then_some(Condition(all))
}

fn all_of(field: &FieldNode<'_>, problems: &mut Problems) -> Option<AllOf> {
    let entries = field.entries::<String>(problems);
    if entries.is_empty() {
        problems.push(field.problem("names no setting").hint(FORMS));
        return None;
    }
    let count = entries.len();
    let tests: AllOf = entries
        .into_iter()
        .filter_map(|(setting, field)| {
            Some(SettingTest { setting, test: value_test(&field, problems)? })
        })
        .collect();
    (tests.len() == count).then_some(tests)
}

fn value_test(field: &FieldNode<'_>, problems: &mut Problems) -> Option<ValueTest> {
    let Value::Map(_) = field.node.value else {
        return values(field, problems).map(ValueTest::OneOf);
    };
    let mut fields = Fields::open(field, problems)?;
    let not = fields.get("not");
    let (min, max) = (fields.get("min"), fields.get("max"));
    let before = problems.0.len();
    fields.finish(problems);
    let has_range = min.is_some() || max.is_some();
    match not {
        Some(not) if !has_range => values(&not, problems).map(ValueTest::NoneOf),
        Some(_) => {
            problems.push(field.problem("has not: beside min: or max:").hint(FORMS));
            None
        }
        None if has_range => {
            let min = min.map(|field| field.parse::<i64>(problems));
            let max = max.map(|field| field.parse::<i64>(problems));
            // A bound that cannot be read is no bound that is left out.
            if min == Some(None) || max == Some(None) {
                return None;
            }
            Some(ValueTest::Within(NumberRange { min: min.flatten(), max: max.flatten() }))
        }
        None => {
            if problems.0.len() == before {
                problems.push(field.problem("compares it with nothing").hint(FORMS));
            }
            None
        }
    }
}

/// Reads one value or a list of them.
fn values(field: &FieldNode<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let items = match &field.node.value {
        Value::List(_) => field.list(problems),
        Value::Text(_) => vec![field.clone()],
        Value::Map(_) => {
            problems.push(field.problem("must be a value or a list of values").hint(FORMS));
            return None;
        }
        Value::Empty => {
            problems.push(field.problem("is empty").hint("write \"\" for an empty value"));
            return None;
        }
    };
    if items.is_empty() {
        problems.push(field.problem("names no value").hint(FORMS));
        return None;
    }
    let count = items.len();
    let read: Vec<String> = items.iter().filter_map(|it| literal::text(it, problems)).collect();
    (read.len() == count).then_some(read)
}
