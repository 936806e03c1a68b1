//! Tests of which checks are due before a reload, and of what is said of one that failed.

use super::*;
use crate::document::instance::{ContainerFile, ReloadBy};
use crate::id::{ComponentName, NodeName};
use crate::testing::{SPEC, check_step, plan_of};

/// Returns the database of the tenant with a check, whose program has a file of that text.
fn database(by: ReloadBy, text: &str) -> Instance {
    let plan = plan_of(SPEC, 1).unwrap();
    let (node, component): (NodeName, ComponentName) =
        ("n1".parse().unwrap(), "db".parse().unwrap());
    let desired = &plan.nodes[&node].instances[&component];
    let (path, text) = ("/etc/db.conf".to_owned(), text.to_owned());
    let file = ContainerFile { path, mode: 0o644, uid: 0, gid: 0, text };
    let reload = Reload { by, deadline_ms: 1, files: vec![file], secrets: [].into() };
    Instance { checks: vec![check_step()], reload: Some(reload), ..(*desired.instance).clone() }
}

#[test]
fn another_content_is_checked_before_it_is_placed_however_the_program_takes_it_over() {
    let command = ReloadBy::Command { command: vec!["reload".to_owned()] };
    let signal = ReloadBy::Signal { signal: "SIGHUP".to_owned() };
    for by in [command, signal, ReloadBy::NextStart] {
        let (first, second) = (database(by.clone(), "first"), database(by, "second"));
        assert_eq!(due(&second, Some(&first)), second.checks);
        assert_eq!(due(&second, None), second.checks);
        assert!(due(&second, Some(&second)).is_empty(), "a file that somebody edited is put right");
        let unchecked = Instance { checks: Vec::new(), ..second };
        assert!(due(&unchecked, Some(&first)).is_empty());
    }
}

#[test]
fn the_files_of_a_check_are_kept_apart_from_those_of_the_program() {
    let desired = database(ReloadBy::NextStart, "second");
    let apart = apart(&desired).unwrap();
    assert_ne!(apart.workload_hash(), desired.workload_hash());
    assert_eq!(apart.reload, desired.reload);
    let (own, its) = (desired.container().unwrap(), apart.container().unwrap());
    let renamed = Container { name: own.name.clone(), ..its.clone() };
    assert_eq!((its.name.as_str(), &renamed), ("db-server-reload", own));
    let long: ContainerName = "n".repeat(128).parse().unwrap();
    let container = Container { name: long, ..own.clone() };
    let workload = Verbatim::seal(Workload::Container(container));
    let named = super::apart(&Instance { workload, ..desired }).unwrap();
    assert_eq!(named.container().unwrap().name.as_str().len(), 107);
}

#[test]
fn a_reload_of_another_content_than_the_desired_one_is_superseded() {
    let [first, second] = ["first", "second"].map(|text| database(ReloadBy::NextStart, text));
    let begun = second.reload.as_ref().unwrap().content();
    let step = Step::Reload { content: begun, runs: true, was_healthy: true };
    assert!(!is_superseded(&step, Some(&second)));
    assert!(is_superseded(&step, Some(&first)) && is_superseded(&step, None));
    assert!(!is_superseded(&Step::Start, Some(&first)));
}

#[test]
fn a_check_that_failed_says_how_and_that_the_former_files_stayed() {
    let checked = database(ReloadBy::NextStart, "second");
    let after = |exit_code| passed(&checked.checks[0], exit_code).map_err(|it| it.to_string());
    assert_eq!(after(Some(0)), Ok(()));
    let ended = "the reload failed: the check config-test of the new files ended with status 2; \
                 its former files stayed, and nothing was restarted";
    assert_eq!(after(Some(2)), Err(ended.to_owned()));
    let late = "the reload failed: the check config-test of the new files did not end within 90s; \
                its former files stayed, and nothing was restarted";
    assert_eq!(after(None), Err(late.to_owned()));
}
