//! Turns an error of the YAML parser into a problem at the line where a person sees the mistake.

use crate::text::problem::Problem;

use super::line;

/// Makes a problem of the parser's message at a line, counted from 1.
pub(super) fn problem(text: &str, at: usize, complaint: &str) -> Problem {
    let lines: Vec<&str> = text.lines().collect();
    // An error at the end of the text is reported one line beyond the last.
    let last = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(1, |at| at + 1);
    let at = at.clamp(1, last);
    if let Some(at) = indented_by_tab(&lines, at, complaint) {
        return Problem::new("", "not valid YAML: a tab is used for indentation")
            .at_line(line(at))
            .hint("indent with spaces");
    }
    if let Some(at) = quote_left_open(&lines, at, complaint) {
        return Problem::new("", "not valid YAML: unclosed quote")
            .at_line(line(at))
            .hint("add the closing quote");
    }
    Problem::new("", format!("not valid YAML: {complaint}")).at_line(line(at))
}

/// Finds the line that is indented with a tab. The parser may have stopped before it, in
/// a value that it believed to continue, or one line after it.
fn indented_by_tab(lines: &[&str], at: usize, complaint: &str) -> Option<usize> {
    let has_tab = |at: &usize| {
        let Some(line) = lines.get(at - 1) else { return false };
        let words = line.trim_start_matches([' ', '\t']);
        !words.is_empty() && line[..line.len() - words.len()].contains('\t')
    };
    if complaint.contains("tab") {
        (at..=lines.len()).chain((1..at).rev()).find(has_tab)
    } else {
        (1..=at).rev().take(2).find(has_tab)
    }
}

/// Finds the line of the opening quote that has no closing one.
fn quote_left_open(lines: &[&str], at: usize, complaint: &str) -> Option<usize> {
    if !complaint.contains("unclosed quote") && !complaint.contains("quoted scalar") {
        return None;
    }
    if complaint.contains("escape") || complaint.contains("trailing") {
        return None;
    }
    let is_open = |at: &usize| {
        let odd = |quote| lines.get(at - 1).is_some_and(|l| l.matches(quote).count() % 2 == 1);
        odd('"') || odd('\'')
    };
    (1..=at).rev().find(is_open)
}
