//! Reading a count of calls, dialogs or sessions out of a program's words.

/// The number that stands before `before` on the first line that has it; none
/// if there is no such line or no number.
#[must_use]
pub fn count(output: &str, before: &str) -> Option<u64> {
    output.lines().find_map(|line| {
        let (left, _) = line.split_once(before)?;
        left.split_whitespace().next_back()?.parse().ok()
    })
}

#[cfg(test)]
mod tests;
