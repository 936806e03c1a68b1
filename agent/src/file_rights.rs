//! Whether this process may give files to other users.
//!
//! Its unit grants it (`CAP_CHOWN`, see capabilities(7)). Under a unit of an earlier release the call itself
//! would end the process.

use std::sync::LazyLock;

/// The number of `CAP_CHOWN`.
const CHOWN: u32 = 0;

static MAY_GIVE_FILES: LazyLock<bool> = LazyLock::new(|| {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    may_give(&status)
});

/// Returns true if this process may give files to other users, and take them back.
#[must_use]
pub fn may_give_files() -> bool {
    *MAY_GIVE_FILES
}

/// Reads it from the text of `/proc/PID/status` (proc_pid_status(5)).
fn may_give(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    effective & (1 << CHOWN) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_the_capability_may_give_files_away() {
        for (mask, expected) in [
            ("0000000000000005", true),
            ("0000000000000003", true),
            ("000001ffffffffff", true),
            ("0000000000000001", true),
            ("0000000000000006", false),
            ("0000000000000000", false),
            ("rubbish", false),
        ] {
            let status = format!("Name:\tomlagent\nCapPrm:\t0\nCapEff:\t{mask}\nCapBnd:\t0\n");
            assert_eq!(may_give(&status), expected, "{mask}");
        }
        assert!(!may_give(""));
    }
}
