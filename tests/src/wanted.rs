//! Which lines of OMniLeads are tried on which number of hosts.

/// The variable with the lines, separated by commas, or `all`.
pub const LINES: &str = "OML_LINES";
/// The variable with the number of hosts, 1 or 3, without which both are tried.
pub const HOSTS: &str = "OML_LINES_HOSTS";

/// The line and the number of hosts that a run of all tests tries.
const SLICE: (&str, usize) = ("2.6", 1);

/// The trials that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// None if nobody named lines.
    lines: Option<String>,
    hosts: Option<String>,
}

impl Wanted {
    /// Reads the variables.
    #[must_use]
    pub fn from_env() -> Self {
        Self { lines: std::env::var(LINES).ok(), hosts: std::env::var(HOSTS).ok() }
    }

    /// Whether a line is tried on this number of hosts.
    #[must_use]
    pub fn includes(&self, line: &str, hosts: usize) -> bool {
        let Some(lines) = &self.lines else { return (line, hosts) == SLICE };
        let is_named = lines == "all" || lines.split(',').any(|named| named == line);
        is_named && self.hosts.as_ref().is_none_or(|wanted| *wanted == hosts.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_are_tried_if_somebody_asks_for_them_and_else_a_slice() {
        let wanted = |lines: Option<&str>, hosts: Option<&str>| Wanted {
            lines: lines.map(str::to_owned),
            hosts: hosts.map(str::to_owned),
        };
        let slice = wanted(None, None);
        assert!(slice.includes("2.6", 1) && !slice.includes("2.6", 3) && !slice.includes("3", 1));
        let all = wanted(Some("all"), Some("3"));
        assert!(all.includes("2.6", 3) && all.includes("3", 3) && !all.includes("3", 1));
        let some = wanted(Some("2.2,3"), None);
        assert!(some.includes("3", 1) && some.includes("2.2", 3) && !some.includes("2.6", 1));
    }
}
