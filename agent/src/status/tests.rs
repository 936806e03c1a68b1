//! The report as it lies on the host.

use std::os::unix::fs::PermissionsExt as _;

use oml_common::document::report::Phase;
use oml_common::document::status::Drift;

use super::*;
use crate::agent::empty_report;

#[tokio::test]
async fn the_report_is_for_root_alone() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let (sender, reports) = watch::channel(Arc::new(empty_report(Timestamp(1))));
    let keeping = tokio::spawn(keep(paths.clone(), reports));
    drop(sender);
    keeping.await.unwrap();
    let mode = std::fs::metadata(file(&paths)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(show(&paths, Timestamp(2)).unwrap(), "no assignment yet\n");
    let words = StatusError::NotRoot.to_string();
    assert!(words.contains("only root"), "{words}");
}

#[test]
fn a_stopped_agent_is_reported_with_the_time_since_when() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let reported = |now: u64| show_agent(&paths, Timestamp(now)).unwrap();
    let enrol = "this host is not enrolled; enrol it with omlagent enroll\n";
    assert_eq!(reported(1), enrol);
    let sign = alive::SignOfLife::begin(&paths, Timestamp(60_000)).unwrap();
    assert_eq!(reported(70_000), enrol, "it has given a sign ten seconds ago");
    assert!(
        reported(300_000)
            .contains("runs, but has not looked at the host for 4m 0s; see journalctl")
    );
    drop(sign);
    assert_eq!(
        reported(300_000),
        format!(
            "{enrol}the agent does not run; it was last active 4m 0s ago; start it with systemctl \
             start omlagent; what follows is what it found then\n"
        )
    );
}

#[tokio::test]
async fn a_report_without_a_sign_of_the_agent_is_shown_with_its_age() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let (sender, reports) = watch::channel(Arc::new(empty_report(Timestamp(60_000))));
    let keeping = tokio::spawn(keep(paths.clone(), reports));
    drop(sender);
    keeping.await.unwrap();
    let written = std::fs::File::open(file(&paths)).unwrap();
    written.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(60)).unwrap();
    let sign = alive::SignOfLife::begin(&paths, Timestamp(60_000)).unwrap();
    assert!(!show_agent(&paths, Timestamp(70_000)).unwrap().contains("unknown"));
    drop(sign);
    std::fs::remove_file(paths.run.join("agent.alive")).unwrap();
    let shown = show_agent(&paths, Timestamp(300_000)).unwrap();
    let expected = "it is unknown whether the agent runs, because its file agent.alive is missing; \
                    check systemctl status omlagent; what follows was written 4m 0s ago\n";
    assert!(shown.ends_with(expected), "{shown}");
}

#[test]
fn an_identity_that_cannot_be_used_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let identity = paths.state.join("identity");
    std::fs::create_dir_all(&identity).unwrap();
    for file in ["ca.pem", "node.pem", "node.key"] {
        std::fs::write(identity.join(file), "no certificate").unwrap();
    }
    let reported = show_agent(&paths, Timestamp(1)).unwrap();
    assert!(reported.starts_with("the host's identity cannot be used: "), "{reported}");
    assert!(reported.ends_with("enrol it again with omlagent enroll --replace\n"), "{reported}");
}

#[test]
fn drift_is_shown_below_its_instance() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let drift = Drift { at: Timestamp(1_000), found: "container x is paused".to_owned() };
    let instance = InstanceReport { drift: Some(drift), ..InstanceReport::new(Phase::Ready) };
    let mut report = empty_report(Timestamp(1_000));
    report.instances.insert("asterisk".parse().unwrap(), instance);
    let shown = describe(&paths, &report, Timestamp(4_000));
    let lines: Vec<&str> = shown.lines().map(str::trim).collect();
    assert!(lines[1].starts_with("asterisk"), "{shown}");
    assert_eq!(lines[2], "drift 3s ago: container x is paused");
}

#[test]
fn a_setting_that_is_left_out_is_shown_until_the_agent_starts_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let _sign = alive::SignOfLife::begin(&paths, Timestamp(1)).unwrap();
    let problem = oml_common::text::problem::Problem::new("HTTPS_PROXY", "is wrong").hint("right");
    say_left_out(&paths, &Problems(vec![problem]));
    let shown = show_agent(&paths, Timestamp(2)).unwrap();
    let line = "a setting is left out: HTTPS_PROXY: is wrong (right); then run systemctl restart \
                omlagent\n";
    assert!(shown.ends_with(line), "{shown}");
    say_left_out(&paths, &Problems::default());
    assert!(!show_agent(&paths, Timestamp(2)).unwrap().contains("left out"));
}
