use oml_common::document::Verbatim;
use oml_common::document::instance::Timing;

use super::*;
use crate::fixtures;

pub(in crate::runtime::systemd) fn container() -> InstanceDocument {
    Verbatim::seal(Instance {
        after: vec!["redis".parse().unwrap()],
        timing: Timing { start_timeout_ms: 30_000, stop_grace_ms: 70_000 },
        pull_from: None,
        pull_login: None,
        restart_unhealthy: Default::default(),
        checks: Vec::new(),
        preparations: Vec::new(),
        migrations: Vec::new(),
        reload: None,
        ..fixtures::instance("asterisk", "230204.01")
    })
}

fn packaged() -> InstanceDocument {
    let workload = PackagedUnit { drop_in: "Environment=A=b\n".to_owned() };
    container().edited(|instance| instance.workload = Verbatim::seal(Workload::Unit(workload)))
}

fn render_it(instance: &InstanceDocument) -> String {
    render(instance, &["redis.service".parse().unwrap()], &Paths::system())
}

#[test]
fn a_unit_runs_the_supervisor_and_leaves_the_engine_alone() {
    let text = render_it(&container());
    for line in [
        "X-Oml-Instance=acme/asterisk",
        "X-Oml-Unit=asterisk.service",
        "Wants=docker.service network-online.target",
        "After=docker.service network-online.target redis.service",
        "Type=notify",
        "KillSignal=SIGUSR2",
        "ExecStart=/usr/bin/omlagent supervise asterisk",
        "Restart=always",
        "RestartPreventExitStatus=78",
        "TimeoutStartSec=120000ms",
        "TimeoutStopSec=90000ms",
        "WantedBy=multi-user.target",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("Requires=") && !text.contains("BindsTo=") && !text.contains("PartOf="));
}

#[test]
fn another_version_of_the_same_component_has_the_same_unit() {
    let workload = Workload::Container(fixtures::container("asterisk", "230215.01"));
    let other = container().edited(|instance| instance.workload = Verbatim::seal(workload));
    assert_ne!(other.workload, container().workload);
    assert_eq!(render_it(&container()), render_it(&other));
}

/// The whole files as they are pinned. Another text means that every host writes its units again
/// when the agent is upgraded, which restarts nothing.
#[test]
fn the_files_are_written_in_the_bytes_that_are_pinned() {
    let unit = include_str!("../../../../../common/src/document/v1/fixtures/unit_mark.service");
    let drop_in =
        include_str!("../../../../../common/src/document/v1/fixtures/unit_mark_drop_in.conf");
    assert_eq!(render_it(&container()), unit);
    assert_eq!(render_it(&packaged()), drop_in);
}

#[test]
fn the_mark_is_read_back_and_detects_a_changed_text() {
    for instance in [container(), packaged()] {
        let text = render_it(&instance);
        let mark = UnitMark::read(&text).unwrap();
        assert_eq!((&mark.tenant, &mark.component), (&instance.tenant, &instance.component));
        assert_eq!(mark.unit, Some(instance.unit.clone()));
        assert!(mark.is_whole);
        let edited = UnitMark::read(&format!("{text}# by hand\n")).unwrap();
        assert!(!edited.is_whole);
        assert_eq!(edited.hash, mark.hash);
    }
}

#[test]
fn a_unit_that_is_no_units_name_is_read_as_none_and_the_text_is_not_whole() {
    let text = render_it(&container()).replace("X-Oml-Unit=asterisk.service", "X-Oml-Unit=a/b");
    let mark = UnitMark::read(&text).unwrap();
    assert_eq!((mark.unit, mark.is_whole), (None, false));
}

#[test]
fn a_drop_in_says_only_what_the_catalog_says() {
    let text = render_it(&packaged());
    assert!(text.contains("\n[Service]\nEnvironment=A=b\n"), "{text}");
    assert!(text.contains("\nAfter=redis.service\n"), "{text}");
    assert!(!text.contains("ExecStart") && !text.contains("Restart"), "{text}");
}

#[test]
fn a_text_with_hidden_characters_is_not_written() {
    assert!(check(&render_it(&container()), "asterisk.service").is_ok());
    assert!(check("A=\tb\n", "x.service").is_ok());
    for (text, name) in [("A=b\rB=c", "a carriage return (U+000D)"), ("\u{1b}[2J", "an escape")] {
        let error = check(text, "x.service").unwrap_err();
        assert!(!error.is_transient());
        let expected = format!("could not write x.service: its text contains {name}");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn the_unit_of_a_component_is_confined() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asterisk.service");
    std::fs::write(&file, render_it(&container())).unwrap();
    // Its threshold is ten times the exposure.
    let analysis = std::process::Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=40"])
        .arg(&file)
        .output();
    match analysis {
        Ok(analyzed) => {
            let words = String::from_utf8_lossy(&analyzed.stdout);
            assert!(analyzed.status.success(), "the exposure is above 4.0:\n{words}");
        }
        Err(error) => eprintln!("skipped: systemd-analyze cannot be run here: {error}"),
    }
}
