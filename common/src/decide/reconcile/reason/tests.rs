use super::*;
use crate::time::Span;

fn texts(reasons: &[(Reason, &str)]) {
    for (reason, text) in reasons {
        assert_eq!(reason.to_string(), *text, "{reason:?}");
    }
}

fn newer_agent(meanwhile: Option<Meanwhile>) -> Reason {
    Reason::NeedsNewerAgent { why: "x".to_owned(), meanwhile }
}

fn foreign(unit: &str) -> Reason {
    let object = ForeignObject::Unit { unit: unit.parse().unwrap(), unreadable: None };
    Reason::Foreign { object }
}

fn failed(stop: Option<ManualStop>) -> Reason {
    Reason::Failed { message: "did not answer".to_owned(), stop }
}

fn rolled_back(version: Option<&str>, stop: Option<ManualStop>) -> Reason {
    let version = version.map(|version| version.parse().unwrap());
    Reason::RolledBack { version, message: "did not answer".to_owned(), stop }
}

fn draining(count: CallCount, is_overdue: bool) -> Reason {
    Reason::Draining { noun: "calls".to_owned(), count, is_overdue }
}

#[test]
fn a_container_whose_state_is_not_known_is_named() {
    let (container, why) = ("oml-redis".to_owned(), "no answer".to_owned());
    texts(&[(
        Reason::Unseen { container, why },
        "the state of container oml-redis is not known: no answer",
    )]);
}

#[test]
fn a_unit_that_systemd_refuses_is_not_said_to_be_of_somebody_else() {
    let (unit, error) = ("a@.service".parse().unwrap(), "bad name".to_owned());
    let object = ForeignObject::RefusedUnit { unit, error };
    let said = "systemd refuses to read unit a@.service: bad name";
    texts(&[(Reason::Foreign { object }, said)]);
}

#[test]
fn what_is_in_the_way_is_named() {
    let message = || "docker does not answer".to_owned();
    texts(&[
        (newer_agent(None), "needs a newer agent: x"),
        (
            newer_agent(Some(Meanwhile::NeverStopped)),
            "needs a newer agent: x; the switch was interrupted before the stop",
        ),
        (
            newer_agent(Some(Meanwhile::LastGood)),
            "needs a newer agent: x; the last good version runs until then",
        ),
        (
            newer_agent(Some(Meanwhile::StartAgain)),
            "needs a newer agent: x; its unit is not running",
        ),
        (
            newer_agent(Some(Meanwhile::Retrying(Box::new(Reason::DaemonAway {
                message: message(),
            })))),
            "needs a newer agent: x; docker does not answer",
        ),
        (
            foreign("a.service"),
            "unit a.service exists on the host and is not ours; it was not touched",
        ),
        (Reason::DaemonAway { message: message() }, "docker does not answer"),
        (
            Reason::Retrying { message: message(), about: None, pulled_bytes: 100 << 10 },
            "docker does not answer",
        ),
        (
            Reason::Retrying { message: message(), about: None, pulled_bytes: 250 << 20 },
            "docker does not answer; this try has pulled more than 200 MiB",
        ),
        (Reason::Refused { message: message() }, "cannot run here: docker does not answer"),
        (Reason::NotDesired, "no longer part of the desired state"),
        (
            Reason::RemovalFailed { message: "was not begun".to_owned() },
            "its removal was not begun",
        ),
        (
            Reason::RemovedFor { component: "db".parse().unwrap() },
            "is removed as soon as db can start",
        ),
        (Reason::WaitsFor { component: "db".parse().unwrap() }, "waits for db"),
        (Reason::StoppedByHand(ManualStop::Stopped), "stopped on the host by hand"),
        (Reason::StoppedByHand(ManualStop::Masked), "its unit is masked on the host"),
        (
            Reason::StoppedBeforeSoaked(ManualStop::Stopped),
            "stopped on the host by hand before its soak finished; start it there or apply \
             another change",
        ),
        (
            Reason::StoppedBeforeSoaked(ManualStop::Masked),
            "its unit is masked on the host and its soak has not finished; unmask it there or \
             apply another change",
        ),
    ]);
}

#[test]
fn what_is_done_or_has_to_be_done_is_named() {
    texts(&[
        (Reason::Doing(Activity::Removing), "being removed"),
        (Reason::Doing(Activity::Pulling), "pulling the image"),
        (
            Reason::Doing(Activity::Checking),
            "running its checks, then preparing container and unit",
        ),
        (Reason::Doing(Activity::Preparing), "preparing container and unit"),
        (Reason::Doing(Activity::Starting), "starting"),
        (Reason::Doing(Activity::Reloading), "being reloaded; its container runs on"),
        (Reason::Doing(Activity::RollingBack), "rolling back to the version before"),
        (Reason::Lacks(Lack::NewImage), "its image is not on the host"),
        (Reason::Lacks(Lack::NewContainer), "its container does not exist yet"),
        (Reason::Lacks(Lack::NewUnit), "its unit is missing or out of date"),
        (Reason::Lacks(Lack::Unit), "its unit is missing"),
        (Reason::Lacks(Lack::Documents), "its documents on the host are out of date"),
        (Reason::Lacks(Lack::Files), "its files on the host were changed"),
        (Reason::Lacks(Lack::Reload), "its program has not taken over its new files"),
        (Reason::Lacks(Lack::Container), "its container is gone"),
        (Reason::Lacks(Lack::ContainerAndImage), "container and image are gone"),
        (Reason::Lacks(Lack::ContainerName), "its container has an interim name"),
        (Reason::Lacks(Lack::Cleanup), "older containers are left"),
    ]);
}

#[test]
fn a_switch_reports_why_it_is_done_and_what_it_cuts() {
    texts(&[
        (draining(CallCount::Asked, false), "asking how many calls are up"),
        (draining(CallCount::Up(1), false), "1 call is up"),
        (
            draining(CallCount::Up(12), true),
            "12 calls are up; the deadline has passed, on_deadline is wait",
        ),
        (
            draining(CallCount::Unreadable("it printed nothing".to_owned()), false),
            "the number of calls cannot be read, so calls count as up: it printed nothing",
        ),
        (
            draining(CallCount::Unreadable(String::new()), false),
            "the number of calls cannot be read, so calls count as up",
        ),
        (Reason::FirstStart, "first start"),
        (Reason::Changed, "another version or configuration is desired"),
        (
            Reason::CutAtDeadline { calls: None },
            "the drain deadline has passed; an unknown number of calls is cut",
        ),
        (Reason::CutAtDeadline { calls: Some(1) }, "the drain deadline has passed; 1 is cut"),
        (
            Reason::NotBegun { calls: Box::new(draining(CallCount::Up(2), false)) },
            "was not begun: at the drain deadline 2 calls are up",
        ),
        (
            Reason::Interrupted(Interruption::BeforeStop),
            "the switch was interrupted before the stop",
        ),
        (
            Reason::Interrupted(Interruption::BeforeStart),
            "the switch was interrupted before the start",
        ),
        (
            Reason::Interrupted(Interruption::BeforeAnswer),
            "the switch was interrupted before the new version answered",
        ),
        (
            Reason::LastGoodMeanwhile,
            "the superseded version is not running; the last known-good version runs until \
             this one is ready",
        ),
    ]);
    for (result, words) in [
        ("success", "it did not answer in time"),
        ("exit-code", "its program ended with an error"),
        ("timeout", "it did not answer within its start time-out"),
        ("oom-kill", "the kernel killed it: out of memory"),
        ("start-limit-hit", "it keeps exiting; systemd stopped restarting it"),
        ("watchdog", "systemd says watchdog"),
    ] {
        let reason = Reason::DidNotStart { result: result.to_owned() };
        assert_eq!(reason.to_string(), format!("did not start: {words}"));
    }
}

#[test]
fn a_soak_reports_how_it_stands_and_why_it_failed() {
    let soak = |state| Reason::Soak(state);
    texts(&[
        (soak(SoakState::Begins), "the new version answers"),
        (soak(SoakState::BeginsLate), "already running; its soak has not finished"),
        (soak(SoakState::GoesOn { left: Span(5_000) }), "must stay healthy for another 5s"),
        (soak(SoakState::LastProbeFailed), "its last probe failed"),
        (soak(SoakState::NotObservedYet), "its health is not known yet"),
        (soak(SoakState::Passed), "stayed healthy through its soak time"),
        (soak(SoakState::Restarted), "was restarted on the host; its soak begins again"),
        (soak(SoakState::Restarting), "is being restarted on the host"),
        (soak(SoakState::UnitLost), "lost its unit during its soak"),
        (soak(SoakState::Ended), "ended during its soak"),
        (
            soak(SoakState::Unhealthy { detail: "no answer".to_owned() }),
            "stopped answering during its soak: no answer",
        ),
        (soak(SoakState::NeverObserved), "could not be asked for its health"),
        (failed(None), "did not answer"),
        (failed(Some(ManualStop::Masked)), "did not answer; its unit is masked on the host"),
        (rolled_back(None, None), "did not answer"),
        (
            rolled_back(Some("2"), Some(ManualStop::Stopped)),
            "version 2 did not answer; stopped on the host by hand",
        ),
        (Reason::HealthyAfterAll, "healthy after all"),
        (Reason::ReloadFailed { message: "did not".to_owned() }, "did not"),
    ]);
}

#[test]
fn a_unit_that_does_not_run_is_reported_with_why() {
    let unit = |state| Reason::Unit(state);
    texts(&[
        (unit(InactiveUnit::NotRunning), "its unit is not running"),
        (unit(InactiveUnit::Starting), "systemd is starting it"),
        (unit(InactiveUnit::Stopping), "systemd is stopping it"),
        (
            unit(InactiveUnit::NotStarted { why: "a condition does not hold".to_owned() }),
            "did not start: a condition does not hold",
        ),
        (
            unit(InactiveUnit::Restarting { times: 3, not_started: None }),
            "started again by systemd, 3 times so far",
        ),
        (
            unit(InactiveUnit::Restarting {
                times: 3,
                not_started: Some("could not start oml-a: no space left on device".to_owned()),
            }),
            "started again by systemd, 3 times so far; the last start failed: could not start \
             oml-a: no space left on device",
        ),
        (
            unit(InactiveUnit::Failed { result: "exit-code".to_owned() }),
            "its unit has failed: exit-code",
        ),
        (
            unit(InactiveUnit::KeepsEnding { times: 6, last: LastEnd::Status(3) }),
            "ended 6 times in a row: its program ended with exit code 3",
        ),
        (
            unit(InactiveUnit::KeepsEnding {
                times: 6,
                last: LastEnd::NotStarted { why: "no space left on device".to_owned() },
            }),
            "ended or could not be started 6 times in a row: its last start failed: no space left \
             on device",
        ),
    ]);
}

#[test]
fn an_instance_with_nothing_to_change_reports_how_it_is() {
    texts(&[
        (
            Reason::Beside {
                change: Box::new(Reason::Probe { detail: "toomanyrequests".to_owned() }),
                version: None,
                state: InUse::RunsAlone(Box::new(InactiveUnit::Failed {
                    result: "exit-code".to_owned(),
                })),
            },
            "toomanyrequests; meanwhile the version in use runs, but its unit is not active: its \
             unit has failed: exit-code",
        ),
        (Reason::Probe { detail: "200 OK".to_owned() }, "200 OK"),
        (
            Reason::OldSupervisor,
            "its supervisor is of an earlier release; replacing it, the container keeps running",
        ),
        (Reason::ProbeChanged, "its probe was changed; no result yet"),
        (Reason::Unobserved(LastEnd::OutOfMemory), "the kernel killed it: out of memory"),
        (Reason::Unobserved(LastEnd::Unknown), "no recent health check"),
        (
            Reason::Unobserved(LastEnd::UnitRemains),
            "its unit is active (exited): none of its processes runs, so the health of its program \
             is not known",
        ),
    ]);
}
