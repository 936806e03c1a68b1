//! Tests of the words.

use super::*;

fn texts(notes: &[(&dyn Display, &str)]) {
    for (note, text) in notes {
        assert_eq!(note.to_string(), *text);
    }
}

fn time(limit: TimeLimit, was_ms: u64, is_ms: u64) -> ChangeNote {
    ChangeNote::Time { limit, was_ms, is_ms }
}

#[test]
fn every_part_that_differs_has_its_words() {
    let names = ["WHO", "A"].iter().map(|name| name.parse().unwrap()).collect();
    texts(&[
        (&ChangeNote::Unreadable, "only a newer release of the controller can read it"),
        (&ChangeNote::CutsCalls, "not drained: calls through it are cut"),
        (&ChangeNote::UnitSettings, "unit settings"),
        (&ChangeNote::Probes, "probes"),
        (&ChangeNote::Checks, "checks"),
        (&ChangeNote::CheckedFirst(vec!["config".parse().unwrap()]), "checked first by config"),
        (&ChangeNote::Preparations, "preparations"),
        (&ChangeNote::PreparedFirst(vec!["create".parse().unwrap()]), "prepared first by create"),
        (&ChangeNote::Migrations, "migrations"),
        (&ChangeNote::MigratedFirst(vec!["schema".parse().unwrap()]), "migrated first by schema"),
        (&ChangeNote::Irreversible(vec!["schema".parse().unwrap()]), "no way back after schema"),
        (&ChangeNote::OtherImage, "same tag, another image"),
        (&ChangeNote::Environment(names), "environment A WHO"),
        (
            &ChangeNote::Reloaded {
                files: vec!["/etc/web.conf".to_owned()],
                secrets: vec![("tls_key".parse().unwrap(), 2)],
                at_next_start: false,
            },
            "reloaded without a restart: secret tls_key version 2 and file /etc/web.conf",
        ),
        (
            &ChangeNote::Reloaded {
                files: Vec::new(),
                secrets: vec![("tls_key".parse().unwrap(), 2)],
                at_next_start: true,
            },
            "written without a restart, and read at its next start: secret tls_key version 2",
        ),
        (&ChangeNote::Files(vec!["/a".to_owned(), "/b".to_owned()]), "files /a /b"),
        (&ChangeNote::ReloadCommand, "reload settings"),
        (&ChangeNote::ContainerSettings, "container settings"),
        (&time(TimeLimit::MinHealthyFor, 5_000, 90_500), "min_healthy_for 5s -> 90500ms"),
        (&time(TimeLimit::DrainDeadline, 3_600_000, 3_601_000), "drain_deadline 1h -> 3601s"),
        (&time(TimeLimit::StartTimeout, 60_000, 1_000), "start_timeout 1m -> 1s"),
        (&time(TimeLimit::StopGrace, 60_000, 1_000), "stop_grace 1m -> 1s"),
    ]);
}

#[test]
fn what_happens_at_the_deadline_is_explained_for_what_is_counted() {
    let note = |was, is, counts: bool| {
        let counted = AtDeadline { noun: "calls".to_owned(), after_ms: 1_800_000 };
        ChangeNote::OnDeadline { was, is, counted: counts.then_some(counted) }
    };
    let (abort, wait, cut) = (OnDeadline::Abort, OnDeadline::Wait, OnDeadline::Cut);
    texts(&[
        (&note(wait, cut, false), "on_deadline wait -> cut"),
        (
            &note(abort, cut, true),
            "on_deadline abort -> cut: calls that are still up after 30m are cut",
        ),
        (
            &note(cut, wait, true),
            "on_deadline cut -> wait: the change waits until all calls have ended, also after 30m",
        ),
        (
            &note(wait, abort, true),
            "on_deadline wait -> abort: if calls are still up after 30m, the change fails and \
             cuts none",
        ),
    ]);
}

#[test]
fn a_setting_of_the_whole_rollout_has_its_values_and_its_meaning() {
    let (rollback, pause) = (OnFailure::Rollback, OnFailure::Pause);
    texts(&[
        (&StrategyChange::MaxParallel { was: 1, is: 4 }, "max_parallel 1 -> 4"),
        (
            &StrategyChange::OnFailure { was: rollback, is: pause },
            "on_failure rollback -> pause: a rollout whose new version fails pauses, and you decide",
        ),
        (
            &StrategyChange::OnFailure { was: pause, is: rollback },
            "on_failure pause -> rollback: a rollout whose new version fails is rolled back on all \
             its nodes",
        ),
    ]);
}
