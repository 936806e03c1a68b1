//! Writes an error and its causes as one line.

use std::error::Error;

use super::printable::printable_lines;

/// Returns the message of an error followed by those of its causes, separated by colons.
/// Messages may repeat words of other programs, so what a terminal would act on is escaped.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let message = error.to_string();
        // Some libraries end their own message with that of the source, which is not
        // repeated. A match elsewhere in the message may be an accident, so it is.
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = error.source();
    }
    printable_lines(&text)
}

#[cfg(test)]
mod tests;
