//! The checks of a new version, which run in its own image before anything is stopped for it.

use std::fmt::{Display, Formatter, Result};

use crate::document::instance::{Instance, OperationStep};
use crate::id::OperationName;
use crate::time::print_duration_ms;

/// Returns the checks that have to succeed before the container of an instance is created. A version
/// that its host works by already, as the current document there says, is not checked again: its
/// container only has to be made again.
#[must_use]
pub fn due<'a>(desired: &'a Instance, current: Option<&Instance>) -> &'a [OperationStep] {
    let hash = desired.workload_hash();
    match current {
        Some(current) if current.workload_hash() == hash => &[],
        Some(_) | None => &desired.checks,
    }
}

/// Why a version does not start: a check of it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFailed<'a> {
    pub operation: &'a OperationName,
    /// The status with which its program ended; none if it did not end within its deadline.
    pub exit_code: Option<i64>,
    pub deadline_ms: u64,
}

/// Decides about a version after one of its checks, whose program ended with that status or did not
/// end within its deadline.
///
/// # Errors
/// Returns why the version does not start.
pub fn passed(
    operation: &OperationName,
    exit_code: Option<i64>,
    deadline_ms: u64,
) -> std::result::Result<(), CheckFailed<'_>> {
    match exit_code {
        Some(0) => Ok(()),
        Some(_) | None => Err(CheckFailed { operation, exit_code, deadline_ms }),
    }
}

impl Display for CheckFailed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { operation, exit_code, deadline_ms } = self;
        write!(f, "the check {operation} of the new version ")?;
        match exit_code {
            Some(status) => write!(f, "ended with status {status}")?,
            None => write!(f, "did not end within {}", print_duration_ms(*deadline_ms))?,
        }
        f.write_str("; nothing was stopped")
    }
}

#[cfg(test)]
mod tests {
    //! Tests of which checks are due, and of what is said of one that failed.

    use super::*;
    use crate::id::{ComponentName, NodeName};
    use crate::testing::{check_step, plan_of, spec_with};

    /// Returns the database of the tenant in that version, with a check.
    fn database(version: &str) -> Instance {
        let plan = plan_of(&spec_with("db", version), 1).unwrap();
        let (node, component): (NodeName, ComponentName) =
            ("n1".parse().unwrap(), "db".parse().unwrap());
        let instance: &Instance = &plan.nodes[&node].instances[&component].instance;
        Instance { checks: vec![check_step()], ..instance.clone() }
    }

    #[test]
    fn a_version_is_checked_unless_its_host_works_by_it_already() {
        let (first, second) = (database("1"), database("2"));
        assert_eq!(due(&second, Some(&first)).len(), 1);
        assert_eq!(due(&second, None), second.checks);
        assert!(due(&second, Some(&second)).is_empty());
        let unchecked = Instance { checks: Vec::new(), ..second };
        assert!(due(&unchecked, Some(&first)).is_empty());
    }

    #[test]
    fn a_check_that_failed_says_how_and_that_nothing_was_stopped() {
        let operation: OperationName = "config-test".parse().unwrap();
        let after = |exit_code| passed(&operation, exit_code, 90_000).map_err(|it| it.to_string());
        assert_eq!(after(Some(0)), Ok(()));
        let ended =
            "the check config-test of the new version ended with status 2; nothing was stopped";
        assert_eq!(after(Some(2)), Err(ended.to_owned()));
        let late = "the check config-test of the new version did not end within 90s; nothing was \
                    stopped";
        assert_eq!(after(None), Err(late.to_owned()));
    }
}
