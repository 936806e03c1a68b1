//! Reads the operations of a component.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::spec::read_env;
use crate::id::{EnvName, OperationName, ValueName};
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields};

use super::literal;

/// The deadline of an operation that names none.
const DEADLINE_MS: u64 = 600_000;
/// The longest deadline of an operation.
const DEADLINE_MS_MAX: u64 = 24 * 3_600_000;
/// The longest deadline of a check, for which an update waits.
const CHECK_DEADLINE_MS_MAX: u64 = 30 * 60_000;
/// The most operations of a component.
const OPERATIONS_MAX: usize = 40;
/// The most values that an operator gives to one operation.
const VALUES_MAX: usize = 16;
/// The longest meaning.
const MEANING_CHARS_MAX: usize = 200;

/// When an operation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationMoment {
    /// When an operator asks for it.
    OnDemand,
    /// In the new image, before anything is stopped for it.
    Check,
    /// Once, before the first start of the component on its host.
    Prepare,
    /// Once, before the first start of another image.
    Migrate,
}

/// The words for the moments.
const MOMENTS: [(&str, OperationMoment); 4] = [
    ("on-demand", OperationMoment::OnDemand),
    ("check", OperationMoment::Check),
    ("prepare", OperationMoment::Prepare),
    ("migrate", OperationMoment::Migrate),
];

/// An operation of a component, before templates are filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationTemplate {
    pub moment: OperationMoment,
    /// What it does, in one sentence for people.
    pub means: String,
    /// The arguments that replace those of the component, as templates.
    pub command: Vec<String>,
    /// The program that replaces that of the component, as templates.
    pub entrypoint: Vec<String>,
    /// The environment variables beside those of the component, whose values are templates.
    pub env: BTreeMap<EnvName, String>,
    pub deadline_ms: u64,
    /// The values that the operator gives, which the templates name as `args.NAME`.
    pub args: Vec<ValueName>,
    /// Whether an earlier version cannot run any more after it has succeeded.
    pub irreversible: bool,
}

/// Reads the operations of a component with these variables that are secrets. Only a container has
/// operations, and a packaged unit has no variables at all.
pub(super) fn read_all(
    field: &FieldNode<'_>,
    secrets: Option<&BTreeSet<EnvName>>,
    problems: &mut Problems,
) -> BTreeMap<OperationName, OperationTemplate> {
    let Some(secrets) = secrets else {
        let message = "a packaged unit has no operations";
        let hint = "remove it, or run the component in a container";
        problems.push(field.problem(message).hint(hint));
        return BTreeMap::new();
    };
    let entries = field.entries::<OperationName>(problems);
    if entries.len() > OPERATIONS_MAX {
        let message = format!("a component has at most {OPERATIONS_MAX} operations");
        problems.push(field.problem(message));
    }
    let mut one = |field: &FieldNode<'_>| read(field, secrets, problems);
    entries.into_iter().filter_map(|(name, field)| Some((name, one(&field)?))).collect()
}

fn read(
    field: &FieldNode<'_>,
    secrets: &BTreeSet<EnvName>,
    problems: &mut Problems,
) -> Option<OperationTemplate> {
    let mut fields = Fields::open(field, problems)?;
    let moment = fields.need("run", problems).and_then(|it| it.choice(&MOMENTS, problems));
    let means = fields.need("means", problems).and_then(|it| meaning(&it, problems));
    let command = literal::templates(fields.get("command").as_ref(), problems);
    let entrypoint = literal::templates(fields.get("entrypoint").as_ref(), problems);
    let env = fields.get("env").map(|it| variables(&it, secrets, problems)).unwrap_or_default();
    let is_check = moment == Some(OperationMoment::Check);
    let deadline_ms = fields.get("deadline").and_then(|it| deadline_ms(&it, is_check, problems));
    let given = fields.get("args");
    let in_update = moment.filter(|moment| *moment != OperationMoment::OnDemand);
    if let (Some(given), Some(moment)) = (given.as_ref(), in_update) {
        let message =
            format!("nobody gives a value to a {}, which runs in an update", moment.noun());
        problems.push(given.problem(message).hint("remove it, or write run: on-demand"));
    }
    let is_irreversible =
        fields.get("irreversible").is_some_and(|it| irreversible(&it, moment, problems));
    let args = given.map(|it| args(&it, problems)).unwrap_or_default();
    fields.finish(problems);
    if command.is_empty() && entrypoint.is_empty() {
        let message = "an operation needs a command of its own";
        let hint = "write command: [PROGRAM, ARGUMENT], or entrypoint: for an image whose entry \
                    point is in the way";
        problems.push(field.problem(message).hint(hint));
    }
    let texts: Vec<&String> = command.iter().chain(&entrypoint).chain(env.values()).collect();
    for name in args.iter().filter(|name| !texts.iter().any(|text| names(text, name))) {
        let message = format!("no template of it names args.{name}");
        let hint = format!("write {{{{ args.{name} }}}} into its command, or remove it");
        problems.push(field.problem(message).hint(hint));
    }
    let deadline_ms = deadline_ms.unwrap_or(DEADLINE_MS);
    Some(OperationTemplate {
        moment: moment?,
        means: means?,
        command,
        entrypoint,
        env,
        deadline_ms,
        args,
        irreversible: is_irreversible,
    })
}

impl OperationMoment {
    /// Returns the word for an operation that runs at that moment.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::OnDemand => "operation",
            Self::Check => "check",
            Self::Prepare => "preparation",
            Self::Migrate => "migration",
        }
    }
}

/// Reads whether no earlier version can run after an operation.
fn irreversible(
    field: &FieldNode<'_>,
    moment: Option<OperationMoment>,
    problems: &mut Problems,
) -> bool {
    let is_irreversible = field.flag(problems) == Some(true);
    if is_irreversible && moment.is_some_and(|moment| moment != OperationMoment::Migrate) {
        let message = "only a migration can be irreversible";
        problems.push(field.problem(message).hint("remove it, or write run: migrate"));
    }
    is_irreversible
}

/// Reads the variables of an operation. The secrets of the component are in its environment too.
fn variables(
    field: &FieldNode<'_>,
    secrets: &BTreeSet<EnvName>,
    problems: &mut Problems,
) -> BTreeMap<EnvName, String> {
    let env = read_env(field, problems);
    for variable in env.keys().filter(|variable| secrets.contains(*variable)) {
        let message = format!("{variable} is a secret of the component");
        let hint = "remove it, and the operation gets the secret";
        problems.push(field.problem(message).hint(hint));
    }
    env
}

/// Returns whether a template names a value that the operator gives.
fn names(template: &str, value: &ValueName) -> bool {
    let wanted = format!("args.{value}");
    template.match_indices(&wanted).any(|(at, found)| {
        let next = template[at + found.len()..].chars().next();
        next.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_')
    })
}

fn meaning(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let text = literal::text(field, problems)?;
    let length = text.chars().count();
    if text.trim().is_empty() || length > MEANING_CHARS_MAX || text.contains('\n') {
        let message = format!("must be one sentence of at most {MEANING_CHARS_MAX} characters");
        problems.push(field.problem(message).hint("say what the operation does, for people"));
        return None;
    }
    Some(text)
}

fn deadline_ms(field: &FieldNode<'_>, is_check: bool, problems: &mut Problems) -> Option<u64> {
    let deadline_ms = field.duration_ms(problems)?;
    if !(1_000..=DEADLINE_MS_MAX).contains(&deadline_ms) {
        problems.push(field.problem("must be from 1s to 24h"));
        return None;
    }
    if is_check && deadline_ms > CHECK_DEADLINE_MS_MAX {
        let hint = "an update waits for it; let it look at less";
        problems.push(field.problem("must be from 1s to 30m for a check").hint(hint));
        return None;
    }
    Some(deadline_ms)
}

fn args(field: &FieldNode<'_>, problems: &mut Problems) -> Vec<ValueName> {
    /// The keys that the command for a run has for itself.
    const RESERVED: [&str; 2] = ["tenant", "node"];
    let names: Vec<ValueName> = field.parse_list(problems);
    if names.len() > VALUES_MAX {
        problems.push(field.problem(format!("an operation takes at most {VALUES_MAX} values")));
    }
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            problems.push(field.problem(format!("{name} is given twice")));
        }
        if RESERVED.contains(&name.as_str()) {
            let message = format!("{name} is a key of omlctl run itself");
            problems.push(field.problem(message).hint("choose another name"));
        }
    }
    names
}

#[cfg(test)]
mod tests;
