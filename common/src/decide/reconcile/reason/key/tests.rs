//! Only counts and times leave the key of a reason as it is.

use super::*;
use crate::decide::reconcile::reason::LastEnd;

fn draining(count: CallCount) -> Reason {
    Reason::Draining { noun: "calls".to_owned(), count, is_overdue: false }
}

#[test]
fn a_count_that_changes_leaves_the_key_as_it_is() {
    let keeps_ending =
        |times| Reason::Unit(InactiveUnit::KeepsEnding { times, last: LastEnd::Status(1) });
    let ends = |times: usize| {
        let printed = vec![format!("try {times}")];
        let ends = Ends {
            times,
            within: Span(times as u64),
            not_started: None,
            exit_code: Some(1),
            printed,
        };
        let state = InUse::EndsAgain(Box::new(ends.clone()));
        let change = Box::new(draining(CallCount::Up(times as u64)));
        let now = Box::new(Reason::Beside { change, version: None, state });
        Reason::CrashLoop { ends: Box::new(ends), now }
    };
    let after = |n: u32| Reason::Unhealthy {
        probe: Box::new(Reason::Probe { detail: "no answer".to_owned() }),
        remedy: RestartOfUnhealthy::After { pause: Span(n.into()), times: n },
    };
    let disk_full = |below: u32| Reason::Retrying {
        message: format!("less than {below} MiB are free at /var/lib/docker (minimum 512 MiB)"),
        about: Some("the free space at /var/lib/docker".to_owned()),
        pulled_bytes: 0,
    };
    let held = |n: u32| Reason::NeedsNewerAgent {
        why: "an unknown field".to_owned(),
        meanwhile: Some(Meanwhile::Retrying(Box::new(disk_full(n)))),
    };
    let pairs = [
        (disk_full(100), disk_full(300)),
        (held(1), held(2)),
        (draining(CallCount::Up(1)), draining(CallCount::Up(12))),
        (keeps_ending(3), keeps_ending(4)),
        (ends(2), ends(3)),
        (after(1), after(2)),
        (
            Reason::Soak(SoakState::GoesOn { left: Span(1) }),
            Reason::Soak(SoakState::GoesOn { left: Span(2) }),
        ),
    ];
    for (one, other) in pairs {
        assert_ne!(one.to_string(), other.to_string());
        assert_eq!(one.key(), other.key(), "{one} and {other}");
    }
}

#[test]
fn another_cause_is_another_key_also_where_only_a_number_differs() {
    let refused = |port: u16| Reason::Refused { message: format!("port {port} is taken") };
    let waits = |component: &str| Reason::WaitsFor { component: component.parse().unwrap() };
    let pairs = [
        (refused(80), refused(81)),
        (waits("redis"), waits("postgres")),
        (draining(CallCount::Asked), draining(CallCount::Up(0))),
        (Reason::Unobserved(LastEnd::Status(1)), Reason::Unobserved(LastEnd::Status(2))),
    ];
    for (one, other) in pairs {
        assert_ne!(one.key(), other.key(), "{one} and {other}");
    }
}
