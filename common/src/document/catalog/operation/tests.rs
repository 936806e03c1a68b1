//! Which operations are read, and which problems the others have.

use crate::document::catalog::{Catalog, OperationTemplate};

fn catalog(operations: &str) -> String {
    format!(
        "catalog: test\nregistry: docker.io/test\ncomponents:\n  web:\n    roles: [app]\n    \
         unit: web.service\n    container: web\n    image: web\n    probe: {{check: tcp, port: \"80\"}}\n    \
         operations:\n{operations}"
    )
}

fn refused(operations: &str) -> String {
    let read = Catalog::parse(&catalog(operations));
    read.map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
}

fn only(operations: &str) -> OperationTemplate {
    let mut read = Catalog::parse(&catalog(operations)).unwrap();
    let web = read.components.remove(&"web".parse().unwrap()).unwrap();
    web.operations.into_values().next().unwrap()
}

#[test]
fn an_operation_says_what_it_runs_for_how_long_and_what_it_is_given() {
    let read = only(
        "      reset-password:\n        run: on-demand\n        means: Sets a password\n        \
         command: [manage, reset, \"{{ args.user }}\"]\n        entrypoint: [/bin/sh]\n        \
         env: {COLOUR: \"{{ settings.colour }}\"}\n        deadline: 90s\n        args: [user]\n",
    );
    assert_eq!(read.command, ["manage", "reset", "{{ args.user }}"]);
    assert_eq!((read.entrypoint.len(), read.env.len(), read.deadline_ms), (1, 1, 90_000));
    assert_eq!(read.args, ["user".parse().unwrap()]);
    let short = only("      go: {run: on-demand, means: Goes, command: [go]}\n");
    assert_eq!((short.deadline_ms, short.args.len()), (600_000, 0));
}

#[test]
fn a_variable_of_an_operation_is_no_secret_of_its_component() {
    let operation =
        "      go: {run: on-demand, means: Goes, command: [go], env: {KEY: a, WAY: b}}\n";
    let with =
        catalog(operation).replace("    image: web\n", "    image: web\n    secrets: {KEY: key}\n");
    let refused = Catalog::parse(&with).unwrap_err().to_string();
    assert_eq!(
        refused,
        "line 12: components.web.operations.go.env: KEY is a secret of the component (remove it, and \
         the operation gets the secret)"
    );
}

#[test]
fn every_mistake_is_reported_at_its_place() {
    let found = refused(
        "      Reset: {run: on-demand, means: x, command: [a]}\n      late: {run: later, means: x, \
         command: [a]}\n      empty: {run: on-demand, means: x}\n      mute: {run: on-demand, means: \"\", \
         command: [a]}\n      long: {run: on-demand, means: x, command: [a], deadline: 25h}\n      \
         given: {run: on-demand, means: x, command: [\"{{ args.username }}\"], args: [user, node, User]}\n      \
         odd: {run: on-demand, means: x, command: [a], colour: red}\n",
    );
    for part in [
        "Reset",
        "components.web.operations.late.run",
        "components.web.operations.empty: an operation needs a command of its own",
        "components.web.operations.mute.means: must be one sentence",
        "components.web.operations.long.deadline: must be from 1s to 24h",
        "no template of it names args.user",
        "node is a key of omlctl run itself",
        "components.web.operations.odd.colour",
    ] {
        assert!(found.contains(part), "{part}: {found}");
    }
}

#[test]
fn a_packaged_unit_has_no_operations() {
    let text = "catalog: test\nregistry: docker.io/test\ncomponents:\n  web:\n    kind: unit\n    \
                roles: [app]\n    unit: web.service\n    probe: {check: unit-active}\n    operations:\n      \
                go: {run: on-demand, means: Goes, command: [go]}\n";
    let found = Catalog::parse(text).unwrap_err().to_string();
    assert!(found.contains("a packaged unit has no operations"), "{found}");
}

#[test]
fn what_runs_in_an_update_is_given_no_values() {
    for (run, noun) in [("check", "check"), ("prepare", "preparation"), ("migrate", "migration")] {
        let text = format!(
            "      sure: {{run: {run}, means: x, command: [\"{{{{ args.a }}}}\"], args: [a]}}\n"
        );
        let found = refused(&text);
        let part = format!("sure.args: nobody gives a value to a {noun}");
        assert!(found.contains(&part), "{found}");
    }
}

#[test]
fn only_a_migration_is_irreversible() {
    let with = |run: &str, value: &str| {
        format!("      go: {{run: {run}, means: x, command: [x], irreversible: {value}}}\n")
    };
    assert!(only(&with("migrate", "true")).irreversible);
    assert!(!only(&with("migrate", "false")).irreversible);
    for run in ["on-demand", "check", "prepare"] {
        let found = refused(&with(run, "true"));
        assert!(found.contains("go.irreversible: only a migration can be irreversible"), "{found}");
    }
}

#[test]
fn an_update_does_not_wait_for_hours_for_a_check() {
    let found = refused("      sure: {run: check, means: x, command: [a], deadline: 31m}\n");
    assert!(found.contains("sure.deadline: must be from 1s to 30m for a check"), "{found}");
}
