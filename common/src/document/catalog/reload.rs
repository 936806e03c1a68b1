//! Reads how the program of a component takes over its files while it runs.

use crate::document::instance::ReloadBy;
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields, Value};

use super::literal;

/// The deadline of a reload that names none.
const DEADLINE_MS: u64 = 30_000;
/// The longest deadline of a reload.
const DEADLINE_MS_MAX: u64 = 300_000;
/// The word for a program that reads its files only when it starts.
const NEXT_START: &str = "next-start";
/// The signals by which programs read their files again. Some programs end by one of them, most often
/// because it is that by which their container is stopped.
const SIGNALS: [(&str, &str); 8] = [
    ("HUP", "SIGHUP"),
    ("USR1", "SIGUSR1"),
    ("USR2", "SIGUSR2"),
    ("WINCH", "SIGWINCH"),
    ("SIGHUP", "SIGHUP"),
    ("SIGUSR1", "SIGUSR1"),
    ("SIGUSR2", "SIGUSR2"),
    ("SIGWINCH", "SIGWINCH"),
];

/// How the program of a component takes over its files while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadTemplate {
    /// The arguments of a command are templates.
    pub by: ReloadBy,
    pub deadline_ms: u64,
}

impl ReloadTemplate {
    /// Returns the texts that may be templates.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        match &self.by {
            ReloadBy::Command { command } => command,
            ReloadBy::Signal { .. } | ReloadBy::NextStart => &[],
        }
    }
}

/// Reads `{command: [nginx, -s, reload]}`, `{signal: HUP}` or `next-start` of a component that is
/// stopped by that signal, if it names one.
pub(super) fn read(
    field: &FieldNode<'_>,
    stop_signal: Option<&str>,
    problems: &mut Problems,
) -> Option<ReloadTemplate> {
    if let Value::Text(_) = &field.node.value {
        let by = field.choice(&[(NEXT_START, ())], problems).map(|()| ReloadBy::NextStart);
        return by.map(|by| ReloadTemplate { by, deadline_ms: DEADLINE_MS });
    }
    let mut fields = Fields::open(field, problems)?;
    let command_field = fields.get("command");
    let signal_field = fields.get("signal");
    let deadline = fields.get("deadline").map(|field| deadline_ms(&field, problems));
    fields.finish(problems);
    let by = match (&command_field, &signal_field) {
        (Some(field), None) => command(field, problems),
        (None, Some(field)) => by_signal(field, stop_signal, problems),
        (Some(_), Some(_)) | (None, None) => {
            let problem = field.problem("needs a command or a signal, one of both");
            let hint = "write {command: [nginx, -s, reload]}, {signal: HUP}, or next-start";
            problems.push(problem.hint(hint));
            None
        }
    };
    let deadline_ms = deadline.unwrap_or(Some(DEADLINE_MS))?;
    Some(ReloadTemplate { by: by?, deadline_ms })
}

fn command(field: &FieldNode<'_>, problems: &mut Problems) -> Option<ReloadBy> {
    let command = literal::templates(Some(field), problems);
    if command.is_empty() {
        let problem = field.problem("names no program");
        problems.push(problem.hint("write it as in [nginx, -s, reload]"));
        return None;
    }
    Some(ReloadBy::Command { command })
}

fn by_signal(
    field: &FieldNode<'_>,
    stop_signal: Option<&str>,
    problems: &mut Problems,
) -> Option<ReloadBy> {
    let signal = field.choice(&SIGNALS, problems)?;
    if stop_signal == Some(signal) {
        let problem = field.problem(format!("{signal} is the stop_signal of the component"));
        let hint = "choose the signal by which it reads its files again, or a command";
        problems.push(problem.hint(hint));
        return None;
    }
    Some(ReloadBy::Signal { signal: signal.to_owned() })
}

fn deadline_ms(field: &FieldNode<'_>, problems: &mut Problems) -> Option<u64> {
    let deadline_ms = field.duration_ms(problems)?;
    if !(1_000..=DEADLINE_MS_MAX).contains(&deadline_ms) {
        problems.push(field.problem("must be from 1s to 5m"));
        return None;
    }
    Some(deadline_ms)
}

#[cfg(test)]
mod tests;
