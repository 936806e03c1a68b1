//! How an error that came through several layers is told.

use std::error::Error;

/// An error and everything behind it, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let message = error.to_string();
        // Some libraries repeat their source's words at the end. Anywhere else
        // a short cause may only look like a part of the sentence, and is still told.
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
