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

/// Whether a version is this one or a later one; `None` if they are not of one series, so that neither is before the other.
pub(super) fn at_least(version: &ImageVersion, from: &Version) -> Option<bool> {
    let tag = version.tag()?.as_str();
    let is_same_series = series(tag)? == series(from.as_str())?;
    is_same_series.then(|| natural(tag, from.as_str()).is_ge())
}

/// The letters before the first digit of a tag, which the tags of one series share: none for `14.9-bullseye`, `RELEASE.`
/// for `RELEASE.2025-04-22T22-12-26Z`. `None` if it has no digit, as `latest`.
fn series(tag: &str) -> Option<&str> {
    tag.find(|c: char| c.is_ascii_digit()).map(|end| &tag[..end])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_people_count() {
        for (earlier, later) in [
            ("9", "10"),
            ("2.9", "2.10"),
            ("14.9-bullseye", "18-trixie"),
            ("20260101-zzz", "20260824-aaa"),
            ("1.0", "1.0.1"),
            ("007", "8"),
        ] {
            assert_eq!(natural(earlier, later), Ordering::Less, "{earlier} {later}");
            assert_eq!(natural(later, earlier), Ordering::Greater, "{later} {earlier}");
        }
        assert_eq!(natural("1.0", "1.0"), Ordering::Equal);
    }

    #[test]
    fn versions_with_other_letters_before_their_first_digit_are_not_compared() {
        let is_later =
            |version: &str, from: &str| at_least(&version.parse().unwrap(), &from.parse().unwrap());
        let from = "RELEASE.2025-04-22T22-12-26Z";
        assert_eq!(is_later("RELEASE.2025-09-07T16-13-09Z", from), Some(true));
        assert_eq!(is_later("RELEASE.2024-11-07T00-52-20Z", from), Some(false));
        assert_eq!(is_later("v2", "v10"), Some(false));
        for (version, from) in [("2025", from), ("v2", "1"), ("latest", "1"), ("latest", "latest")]
        {
            assert_eq!(is_later(version, from), None, "{version} {from}");
        }
    }
}
