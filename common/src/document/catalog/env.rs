//! Reads the environment of a catalog's container: values, and those that may be left out.

use std::collections::BTreeMap;

use crate::document::spec::read_value;
use crate::id::EnvName;
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields, Value};

use super::condition::{self, Condition};

/// The value of an environment variable, before templates are filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvTemplate {
    /// The value, as a template.
    pub value: String,
    /// When the variable is set; without a condition it always is.
    pub when: Option<Condition>,
}

/// Reads `NAME: VALUE` and `NAME: {value: VALUE, when: CONDITION}`.
pub(super) fn read(
    field: &FieldNode<'_>,
    problems: &mut Problems,
) -> BTreeMap<EnvName, EnvTemplate> {
    let entries = field.entries::<EnvName>(problems);
    entries.into_iter().filter_map(|(name, field)| Some((name, one(&field, problems)?))).collect()
}

fn one(field: &FieldNode<'_>, problems: &mut Problems) -> Option<EnvTemplate> {
    match &field.node.value {
        Value::Empty => Some(EnvTemplate { value: String::new(), when: None }),
        Value::Text(_) | Value::List(_) => {
            Some(EnvTemplate { value: read_value(field, problems)?, when: None })
        }
        Value::Map(_) => {
            let mut fields = Fields::open(field, problems)?;
            let value = fields.need("value", problems).and_then(|it| read_value(&it, problems));
            let when = fields.need("when", problems).and_then(|it| condition::read(&it, problems));
            fields.finish(problems);
            Some(EnvTemplate { value: value?, when: Some(when?) })
        }
    }
}
