//! Makes foreign text safe for terminals, logs and unit files.

/// Whether a character acts on a terminal or on the text around it instead of being shown:
/// control characters, characters that change the direction of writing (Unicode Standard
/// Annex #9) and Unicode's own line and paragraph separators.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Makes a text safe for one line of a terminal or a log: hidden characters are escaped and
/// all but the first 400 characters are cut.
#[must_use]
pub fn printable(text: &str) -> String {
    const SHOWN_MAX: usize = 400;
    let mut shown = String::with_capacity(text.len().min(SHOWN_MAX));
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN_MAX {
            shown.push('…');
            break;
        }
        push(&mut shown, c);
    }
    shown
}

/// Cuts a text after a number of characters and marks the cut with `…`.
#[must_use]
pub fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

/// Makes a text of several lines safe for a terminal or a log: hidden characters other than
/// line feeds and tabs are escaped. Nothing is cut.
#[must_use]
pub fn printable_lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\n' | '\t') {
            shown.push(c);
        } else {
            push(&mut shown, c);
        }
    }
    shown
}

/// Returns the name under which a message shows a hidden character.
#[must_use]
pub fn name_of(c: char) -> String {
    let name = match c {
        '\0' => "a zero byte",
        '\t' => "a tab",
        '\n' => "a line feed",
        '\r' => "a carriage return",
        '\u{1b}' => "an escape character",
        '\u{feff}' => "a byte order mark",
        _ if c.is_control() => "a control character",
        _ => "a character that changes the direction or the lines of the text",
    };
    format!("{name} (U+{:04X})", u32::from(c))
}

fn push(shown: &mut String, c: char) {
    if is_hidden(c) {
        shown.extend(c.escape_default());
    } else {
        shown.push(c);
    }
}

#[cfg(test)]
mod tests;
