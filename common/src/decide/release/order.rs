//! The order of versions.

use std::cmp::Ordering;

use crate::document::releases::VersionRange;
use crate::id::{ImageVersion, Version};

/// Whether a version is in a range; `None` if it has no place in the order of versions.
pub(super) fn within(version: &ImageVersion, range: &VersionRange) -> Option<bool> {
    let from = range.from.as_ref().map_or(Some(true), |from| at_least(version, from))?;
    let before = range.before.as_ref().map_or(Some(false), |end| at_least(version, end))?;
    Some(from && !before)
}

/// Whether a version is this one or a later one; `None` if it has no place in the order of versions:
/// it is only a digest, or does not begin with a digit.
pub(super) fn at_least(version: &ImageVersion, from: &Version) -> Option<bool> {
    ordered(version).map(|tag| natural(tag, from.as_str()).is_ge())
}

/// Returns the tag by which a version has a place in the order of versions.
pub(super) fn ordered(version: &ImageVersion) -> Option<&str> {
    let tag = version.tag()?.as_str();
    tag.starts_with(|c: char| c.is_ascii_digit()).then_some(tag)
}

/// Compares two texts as people count: runs of digits by their number, the rest by its letters.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (left, right) = (run(a), run(b));
        if left.is_empty() || right.is_empty() {
            return a.len().cmp(&b.len());
        }
        let order = match (is_number(left), is_number(right)) {
            (true, true) => {
                let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
                left.len().cmp(&right.len()).then_with(|| left.cmp(right))
            }
            (true, false) | (false, true) | (false, false) => left.cmp(right),
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (&a[left.len()..], &b[right.len()..]);
    }
}

/// The digits, or the characters other than digits, at the beginning of a text.
fn run(text: &str) -> &str {
    let kind = is_number(text);
    let end = text.find(|c: char| c.is_ascii_digit() != kind);
    &text[..end.unwrap_or(text.len())]
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}
