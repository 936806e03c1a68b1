//! A rotation of the password of the database: Postgres takes it over when it starts, and what logs in with it
//! changes after that.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use oml_common::decide::diff::diff;
use oml_common::document::catalog::{Catalog, WorkloadTemplate};
use oml_common::document::instance::{Container, Instance};
use oml_common::document::plan::Plan;
use oml_common::id::{ComponentName, NodeName};

use crate::contract::{Line, catalog_of, lines};
use crate::values::{layout, rotated};
use crate::waits::waits_for;

/// The password of the database, and the address with a login that holds it too.
const PASSWORDS: [&str; 2] = ["postgres_password", "postgres_exporter_dsn"];
const POSTGRES: &str = "postgres";

/// The lines of real images: all but the catalog of the lab, whose stand-in for Postgres has no entry point of docker-library.
pub(crate) fn real_lines() -> Vec<Line> {
    let found: Vec<Line> =
        lines().into_iter().filter(|line| line.catalog != "omnileads.yaml").collect();
    assert_eq!(found.len(), 4, "the four lines of OMniLeads");
    found
}

fn name(text: &str) -> ComponentName {
    text.parse().expect("it is a name")
}

/// Returns the components of a catalog that log in to the database.
fn clients(catalog: &Catalog) -> Vec<&ComponentName> {
    let uses_one = |workload: &WorkloadTemplate| match workload {
        WorkloadTemplate::Container(it) => {
            it.secrets.values().any(|secret| PASSWORDS.contains(&secret.name.as_str()))
        }
        WorkloadTemplate::Unit { .. } => false,
    };
    let all = catalog.components.iter().filter(|(_, it)| uses_one(&it.workload));
    all.map(|(name, _)| name).filter(|name| name.as_str() != POSTGRES).collect()
}

/// Returns an instance of the plan, with its node.
fn instance_of<'a>(plan: &'a Plan, wanted: &str) -> (&'a NodeName, &'a Instance) {
    let mut all = plan.nodes.iter().flat_map(|(node, share)| {
        share.instances.iter().map(move |(name, desired)| (node, name, &desired.instance))
    });
    let found = all.find(|(_, name, _)| name.as_str() == wanted);
    let (node, _, instance) = found.unwrap_or_else(|| panic!("no node runs {wanted}"));
    (node, instance)
}

fn postgres(line: &Line) -> Container {
    let plan = layout(line, &catalog_of(line));
    instance_of(&plan, POSTGRES).1.container().expect("it is a container").clone()
}

#[test]
fn what_logs_in_to_the_database_changes_after_the_database_has_the_new_password() {
    for line in real_lines() {
        let catalog = catalog_of(&line);
        let early: Vec<&ComponentName> = clients(&catalog)
            .into_iter()
            .filter(|client| !waits_for(&catalog, client, &name(POSTGRES)))
            .collect();
        assert!(early.is_empty(), "{}: these do not wait for it: {early:?}", line.catalog);
    }
}

#[test]
fn the_plan_of_a_rotation_shows_the_database_first_and_then_all_that_log_in_to_it() {
    for line in real_lines() {
        let catalog = catalog_of(&line);
        let [before, after] = [1, 2].map(|version| rotated(&line, &catalog, PASSWORDS[0], version));
        let changes = diff(Some(&before), &after);
        let notes = changes.iter().map(|it| (it.component.as_str(), it.note.as_str()));
        let said: Vec<&str> = notes
            .filter(|(_, note)| note.contains("secret postgres_password version 2"))
            .map(|(component, _)| component)
            .collect();
        assert!(said.contains(&POSTGRES), "{}: {said:?}", line.catalog);
        assert!(said.len() > 5, "{}: {said:?}", line.catalog);
        let wave = |node| after.waves.iter().position(|wave| wave.contains(node));
        let (of_database, _) = instance_of(&after, POSTGRES);
        for client in said.into_iter().filter(|it| *it != POSTGRES) {
            let (node, _) = instance_of(&after, client);
            assert!(wave(of_database) <= wave(node), "{}: {client}", line.catalog);
        }
    }
}

/// What happened when the command of Postgres was run with stand-ins for the programs of the image.
struct Start {
    /// What each program got as arguments, in their order.
    ran: String,
    /// What Postgres read from its standard input.
    read: String,
}

/// Runs the command of Postgres as the entry point of the image does, with a folder of data.
fn start(container: &Container, is_new: bool) -> Start {
    let folder = tempfile::tempdir().expect("make a folder");
    let path = |name: &str| folder.path().join(name);
    program(&path("gosu"), "echo gosu \"$@\" >> \"$RAN\"; shift; exec \"$@\"");
    program(&path("postgres"), "cat >> \"$READ\"");
    program(&path("docker-entrypoint.sh"), "echo serve \"$@\" >> \"$RAN\"");
    fs::create_dir(path("data")).expect("make the folder of data");
    if !is_new {
        fs::write(path("data/PG_VERSION"), "14\n").expect("write the version");
    }
    let (program, words) = container.command.split_first().expect("it has a command");
    let status = Command::new(program)
        .args(words)
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .env("PGDATA", path("data"))
        .env("POSTGRES_USER", "omni\"leads")
        .env("POSTGRES_PASSWORD", "it's \\ a secret")
        .envs([("RAN", path("ran")), ("READ", path("read"))])
        .stdin(Stdio::null())
        .status()
        .expect("run the command");
    assert!(status.success(), "{status}");
    let text = |name: &str| fs::read_to_string(path(name)).unwrap_or_default();
    Start { ran: text("ran").replace(&*path("data").to_string_lossy(), "DATA"), read: text("read") }
}

fn program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("write a program");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("make it one");
}

#[test]
fn postgres_gets_its_present_password_by_standard_input_before_it_serves() {
    for line in real_lines() {
        let started = start(&postgres(&line), false);
        let ran: Vec<&str> = started.ran.lines().collect();
        assert_eq!(ran.len(), 2, "{}: {ran:?}", line.catalog);
        assert!(ran[0].starts_with("gosu postgres postgres --single -D DATA "), "{ran:?}");
        assert!(ran[1].starts_with("serve postgres"), "{ran:?}");
        assert!(!started.ran.contains("secret"), "{ran:?}");
        let set = "ALTER ROLE \"omni\"\"leads\" PASSWORD 'it''s \\ a secret'\n";
        assert_eq!(started.read, set, "{}", line.catalog);
    }
}

#[test]
fn a_database_that_is_not_made_yet_gets_its_password_from_the_image() {
    for line in real_lines() {
        let started = start(&postgres(&line), true);
        assert!(started.ran.starts_with("serve postgres"), "{}: {}", line.catalog, started.ran);
        assert_eq!(started.read, "");
    }
}

#[test]
fn a_password_that_cannot_be_set_keeps_no_database_from_serving() {
    for line in real_lines() {
        let mut container = postgres(&line);
        let script = container.command.last_mut().expect("it has a script");
        *script = script.replace("gosu postgres postgres", "false");
        let started = start(&container, false);
        assert!(started.ran.starts_with("serve postgres"), "{}: {}", line.catalog, started.ran);
    }
}
