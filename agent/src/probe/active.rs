//! Reads a count of calls, dialogs or sessions from what a program printed.

use oml_common::decide::update::Counted;
use oml_common::text::printable::printable;

use crate::runtime::ExecOutput;

/// The number of characters of a program's own words that a reason shows.
const SHOWN_CHARS: usize = 120;

/// Returns the number that stands before `before` on the first line that has one. A line
/// "12 of 100 max active calls" says 12: Asterisk prints it so if a maximum is set.
///
/// # Errors
/// Returns why no number can be read, with what the program printed.
pub fn count(output: &ExecOutput, before: &str) -> Counted {
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
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let lines: Vec<&str> = shown.lines().map(str::trim).collect();
    format!("printed \"{}\"", printable(&lines.join(" / ")))
}

#[cfg(test)]
mod tests;
