//! Words whose form depends on a number.

/// Writes a number and its noun, given in the plural: `12 calls`, `1 call`.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    match noun.strip_suffix('s') {
        Some(one) if number == 1 => format!("1 {one}"),
        Some(_) | None => format!("{number} {noun}"),
    }
}

/// Returns "is" for one and "are" for any other number.
#[must_use]
pub fn is_or_are(number: u64) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// Returns "was" for one and "were" for any other number.
#[must_use]
pub fn was_or_were(number: u64) -> &'static str {
    if number == 1 { "was" } else { "were" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_drops_the_s() {
        assert_eq!([0, 1, 12].map(|n| counted(n, "calls")), ["0 calls", "1 call", "12 calls"]);
        assert_eq!(counted(1, "people"), "1 people");
        assert_eq!([0, 1, 2].map(is_or_are), ["are", "is", "are"]);
        assert_eq!([0, 1, 2].map(was_or_were), ["were", "was", "were"]);
    }
}
