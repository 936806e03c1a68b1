//! How a catalog says that a program takes over files while it runs, and which mistakes are refused.

use crate::document::catalog::{Catalog, ReloadTemplate, WorkloadTemplate};
use crate::document::instance::ReloadBy;

fn catalog(reload: &str) -> String {
    format!(
        "catalog: test\nregistry: docker.io/test\ncomponents:\n  web:\n    roles: [app]\n    \
         unit: web.service\n    container: web\n    image: web\n    probe: {{check: tcp, port: \"80\"}}\n    \
         secrets: {{KEY: {{name: key, from: controller, file: /etc/web.key}}}}\n    reload: {reload}\n"
    )
}

fn refused(text: &str) -> String {
    Catalog::parse(text).map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
}

fn read(reload: &str) -> ReloadTemplate {
    let mut read = Catalog::parse(&catalog(reload)).unwrap();
    let web = read.components.remove(&"web".parse().unwrap()).unwrap();
    match web.workload {
        WorkloadTemplate::Container(container) => *container.reload.unwrap(),
        WorkloadTemplate::Unit { .. } => panic!("it is a container"),
    }
}

#[test]
fn a_program_is_reloaded_by_a_command_or_by_a_signal() {
    let command = vec!["nginx".to_owned(), "-s".to_owned(), "{{ settings.word }}".to_owned()];
    let read_command = read("{command: [nginx, -s, \"{{ settings.word }}\"], deadline: 2m}");
    let expected = ReloadTemplate { by: ReloadBy::Command { command }, deadline_ms: 120_000 };
    assert_eq!(read_command, expected);
    for signal in ["HUP", "SIGHUP"] {
        let by = ReloadBy::Signal { signal: "SIGHUP".to_owned() };
        assert_eq!(
            read(&format!("{{signal: {signal}}}")),
            ReloadTemplate { by, deadline_ms: 30_000 }
        );
    }
}

#[test]
fn a_program_that_reads_its_files_only_when_it_starts_is_not_asked() {
    let expected = ReloadTemplate { by: ReloadBy::NextStart, deadline_ms: 30_000 };
    assert_eq!(read("next-start"), expected);
}

#[test]
fn what_cannot_be_a_reload_is_refused_with_place_and_hint() {
    let at = "line 11: components.web.reload";
    for (reload, expected) in [
        ("{}", ": needs a command or a signal, one of both (write {command: [nginx, -s, reload]}"),
        ("later", ": \"later\" is not a valid value"),
        ("{command: [a], signal: HUP}", ": needs a command or a signal, one of both"),
        ("{command: []}", ".command: names no program"),
        ("{signal: KILL}", ".signal: \"KILL\" is not a valid value"),
        ("{signal: HUP, deadline: 6m}", ".deadline: must be from 1s to 5m"),
        ("{signal: HUP, colour: red}", ".colour: unknown key"),
    ] {
        let refused = refused(&catalog(reload));
        assert!(refused.contains(&format!("{at}{expected}")), "{reload}: {refused}");
    }
}

#[test]
fn a_signal_that_stops_the_component_is_refused_as_its_reload() {
    let stopped_by = |signal| format!("{}    stop_signal: {signal}\n", catalog("{signal: USR1}"));
    let expected = "line 11: components.web.reload.signal: SIGUSR1 is the stop_signal of the \
                    component (choose the signal by which it reads its files again, or a command)";
    let refused_text = refused(&stopped_by("SIGUSR1"));
    assert!(refused_text.contains(expected), "{refused_text}");
    assert_eq!(refused(&stopped_by("SIGUSR2")), "");
}

#[test]
fn a_variable_cannot_be_reloaded_nor_a_packaged_unit() {
    let variable = catalog("{signal: HUP}").replace(", file: /etc/web.key", ", reload: true");
    let expected = "components.web.secrets.KEY.reload: an environment variable cannot be reloaded (remove \
                it, or mount the secret by file:)";
    assert!(refused(&variable).contains(expected), "{}", refused(&variable));
    let unit = "catalog: test\ncomponents:\n  web:\n    roles: [app]\n    kind: unit\n    \
                unit: web.service\n    probe: {check: unit-active}\n    reload: {signal: HUP}\n";
    let expected = "components.web.reload: a packaged unit has no files that it could take over";
    assert!(refused(unit).contains(expected), "{}", refused(unit));
}
