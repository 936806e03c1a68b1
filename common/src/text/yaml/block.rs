//! Where a block scalar begins and ends in its document.

use std::ops::Range;

/// Returns the range from the header of a block scalar, such as `>-`, to its last letter.
///
/// The parser gives the range of the content only, which begins behind the header's line and
/// ends where the next value begins. The header is the first `|` or `>` behind the scalar
/// before it that is not part of a comment or of an anchor's name.
pub(super) fn range(text: &str, scalar_before: usize, content: Range<usize>) -> Range<usize> {
    let header = text.get(scalar_before..content.start).and_then(header);
    let start = header.map_or(content.start, |offset| scalar_before + offset);
    let end = text.get(start..content.end).map_or(content.end, |all| start + all.trim_end().len());
    start..end
}

fn header(between: &str) -> Option<usize> {
    let (mut skipped, mut before) = (Skipped::Nothing, ' ');
    for (offset, c) in between.char_indices() {
        let is_line_end = matches!(c, '\n' | '\r');
        skipped = match (skipped, c) {
            (Skipped::Nothing, '|' | '>') => return Some(offset),
            (Skipped::Nothing, '#') if before.is_whitespace() => Skipped::Comment,
            (Skipped::Nothing, '&') => Skipped::Anchor,
            (Skipped::Comment, _) if is_line_end => Skipped::Nothing,
            (Skipped::Anchor, _) if c.is_whitespace() => Skipped::Nothing,
            (skipped, _) => skipped,
        };
        before = c;
    }
    None
}

#[derive(Clone, Copy)]
enum Skipped {
    Nothing,
    Comment,
    Anchor,
}
