//! Whether this process may give files to other users and read theirs.
//!
//! Its unit grants both (`CAP_CHOWN`, `CAP_DAC_READ_SEARCH`, see capabilities(7)). Under a unit of an
//! earlier release the call itself would end the process.

use std::sync::LazyLock;

/// The number of `CAP_CHOWN`.
const CHOWN: u32 = 0;
/// The number of `CAP_DAC_OVERRIDE`, which includes the next one.
const DAC_OVERRIDE: u32 = 1;
/// The number of `CAP_DAC_READ_SEARCH`.
const DAC_READ_SEARCH: u32 = 2;

static MAY_GIVE_FILES: LazyLock<bool> = LazyLock::new(|| {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    may_give(&status)
});

/// Returns true if this process may give files to other users and read theirs.
#[must_use]
pub fn may_give_files() -> bool {
    *MAY_GIVE_FILES
}

/// Reads it from the text of `/proc/PID/status` (proc_pid_status(5)).
fn may_give(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let has = |number: u32| effective & (1 << number) != 0;
    has(CHOWN) && (has(DAC_OVERRIDE) || has(DAC_READ_SEARCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_may_give_files_away_and_read_them_afterwards_may_do_it() {
        for (mask, expected) in [
            ("0000000000000005", true),
            ("0000000000000003", true),
            ("000001ffffffffff", true),
            ("0000000000000001", false),
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
