//! Reads a count of calls, dialogs or sessions from what a program printed.

use oml_common::decide::update::Counted;
use oml_common::document::instance::ActiveProbe;
use oml_common::text::error::chain;
use oml_common::text::printable::printable;

use crate::runtime::{ExecOutput, RuntimeError};

/// The number of characters of a program's own words that a reason shows.
const SHOWN_CHARS: usize = 120;

/// Why calls are not counted in a way that only a later release understands.
pub const NEEDS_NEWER_AGENT: &str =
    "needs a newer agent, which understands how its calls are counted";

/// Returns the count of a probe by the answers of all its commands, in their order.
///
/// # Errors
/// Returns why one of them cannot be read, or was not asked: what it would count may be cut, so the
/// others alone say nothing.
pub fn count_of(active: &ActiveProbe, answers: Vec<Result<ExecOutput, RuntimeError>>) -> Counted {
    let mut answers = answers.into_iter();
    let mut counts = Vec::new();
    for (command, before) in active.sources() {
        let counted = match answers.next() {
            Some(Ok(output)) => count(&output, before),
            Some(Err(error)) => Err(chain(&error)),
            None => Err("its command was not run".to_owned()),
        };
        // Of several it is not known otherwise whose words these are.
        let named = |why: String| match active.several.is_empty() {
            true => why,
            false => format!("{why}; the command is {}", printable(&shown(&command.join(" ")))),
        };
        counts.push(counted.map_err(named)?);
    }
    Ok(active.total.of(&counts))
}

/// Returns the number that stands before `before` on the first line that has one. A line
/// "12 of 100 max active calls" says 12: Asterisk prints it so if a maximum is set.
///
/// # Errors
/// Returns why no number can be read, with what the program printed.
fn count(output: &ExecOutput, before: &str) -> Counted {
    let ExecOutput { exit_code, stdout, stderr } = output;
    if *exit_code != 0 {
        let said = said(if stderr.trim().is_empty() { stdout } else { stderr });
        return Err(format!("its command ended with exit code {exit_code} and {said}"));
    }
    number(stdout, before).ok_or_else(|| {
        let said = said(if stdout.trim().is_empty() { stderr } else { stdout });
        format!("its command {said}, where no number stands before {before:?}")
    })
}

fn number(output: &str, before: &str) -> Option<u64> {
    output.lines().find_map(|line| {
        let (left, _) = line.split_once(before)?;
        let words: Vec<&str> = left.split_whitespace().collect();
        let word = match words.as_slice() {
            [.., number, "of", _, "max"] | [.., number, "of", _]
                if number.parse::<u64>().is_ok() =>
            {
                number
            }
            [.., number] => number,
            [] => return None,
        };
        word.parse().ok()
    })
}

/// Says what the program printed, in one line.
fn said(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return "printed nothing".to_owned();
    }
    let shown = shown(text);
    let lines: Vec<&str> = shown.lines().map(str::trim).collect();
    format!("printed \"{}\"", printable(&lines.join(" / ")))
}

/// Returns the begin of a text.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
