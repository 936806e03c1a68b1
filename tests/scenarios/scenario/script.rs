//! The form of a script: prose, commands, and what each command printed. This module
//! knows no verb.

use super::ScenarioError;

/// Begins a command.
const PROMPT: &str = "$ ";

/// A part of a script, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A comment or an empty line, kept as it is.
    Prose(String),
    /// A command; what it printed last time is not kept.
    Command(Command),
}

/// A command of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// The line in the script, counted from 1.
    pub(super) line: usize,
    /// The text without the prompt and the mark of a document.
    pub(super) text: String,
    /// The lines up to `END`, where the command asks for a document.
    pub(super) document: Option<String>,
}

/// Splits a script into its parts.
pub(super) fn parse(script: &str) -> Result<Vec<Part>, ScenarioError> {
    let mut parts = Vec::new();
    let mut lines = script.lines().enumerate();
    let mut after_command = false;
    while let Some((number, text)) = lines.next() {
        if let Some(command) = text.strip_prefix(PROMPT) {
            let line = number + 1;
            let (text, document) = match command.strip_suffix("<<END") {
                Some(command) => (command, Some(read_document(line, &mut lines)?)),
                None => (command, None),
            };
            let text = text.trim().to_owned();
            parts.push(Part::Command(Command { line, text, document }));
            after_command = true;
        } else if text.trim().is_empty() || text.starts_with('#') {
            parts.push(Part::Prose(text.to_owned()));
            after_command = false;
        } else if !after_command {
            let message = format!("{text:?} stands below no command; write comments with #");
            return Err(ScenarioError::Mistake { line: number + 1, message });
        }
    }
    Ok(parts)
}

fn read_document<'a>(
    line: usize,
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
) -> Result<String, ScenarioError> {
    let mut document = String::new();
    for (_, text) in lines {
        if text == "END" {
            return Ok(document);
        }
        document.push_str(text);
        document.push('\n');
    }
    let message = "the document has no line END".to_owned();
    Err(ScenarioError::Mistake { line, message })
}

/// Returns a command as it is written in the script.
pub(super) fn print(command: &Command) -> String {
    match &command.document {
        Some(document) => format!("{PROMPT}{} <<END\n{document}END\n", command.text),
        None => format!("{PROMPT}{}\n", command.text),
    }
}
