//! What is said of a run that did not succeed.

use super::*;
use crate::time::Timestamp;

fn said(kind: RunOnce, outcome: RunOutcome, reason: &str, has_old: bool) -> String {
    let (ended, reason) = (Timestamp(9), reason.to_owned());
    let result = RunResult { outcome, started: None, ended, reason, last_lines: Vec::new() };
    let operation = &"upgrade-schema".parse().unwrap();
    RunOnceFailed { kind, operation, result: &result, deadline_ms: 90_000, has_old }.to_string()
}

#[test]
fn it_is_said_what_happened_what_goes_on_and_what_the_database_may_hold() {
    let again = "; it runs again only if a change asks for this version again";
    for (kind, outcome, reason, has_old, words) in [
        (
            RunOnce::Migration,
            RunOutcome::Exited { status: 4 },
            "",
            true,
            "the migration upgrade-schema of the new version failed: its program ended with status \
             4; the old version was not stopped, and the database may hold a part of its changes",
        ),
        (
            RunOnce::Migration,
            RunOutcome::DeadlineExceeded,
            "",
            true,
            "the migration upgrade-schema of the new version was interrupted: it did not end within \
             90s and was stopped; the old version was not stopped, and what the database holds is \
             not known",
        ),
        (
            RunOnce::Preparation,
            RunOutcome::Interrupted,
            "the host was restarted",
            false,
            "the preparation upgrade-schema of the new version was interrupted: the host was \
             restarted; nothing was started, and what the database holds is not known",
        ),
        (
            RunOnce::Migration,
            RunOutcome::NotStarted,
            "no such file",
            true,
            "the migration upgrade-schema of the new version was not started: no such file; the old \
             version was not stopped, and it changed nothing",
        ),
    ] {
        assert_eq!(said(kind, outcome, reason, has_old), format!("{words}{again}"));
    }
}
