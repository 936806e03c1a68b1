//! Wrong usage and bad input: a clear message, exit code 2, and no request.

use oml_common::text::problem::{Problem, Problems};
use oml_proto::problem::to_status;
use tonic::Status;

use crate::fake::{Answer, Script};
use crate::world::*;

fn refusing(status: Status) -> World {
    World::new(Script { changes: [Answer::Refusal(status)].into(), ..Script::default() })
}

/// Returns the message for a wrong command line.
fn message(arguments: &[&str]) -> String {
    let world = World::new(Script::default());
    let ran = world.run(arguments);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(ran.stdout, "");
    assert_eq!(world.asked(), [], "no change is requested");
    ran.stderr
}

#[test]
fn every_problem_has_its_own_line() {
    let problems: Problems = vec![
        Problem::new("components.astrisk", "unknown component")
            .at_line(4)
            .hint("did you mean asterisk?"),
        Problem::new("rollout.max_paralel", "unknown key").at_line(9),
    ]
    .into_iter()
    .collect();
    let world = refusing(to_status(&problems));
    let file = world.write("acme.yaml", "tenant: acme\n");
    let ran = world.run(&["apply", "-f", &file]);
    assert_eq!(ran.code, 2);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "error: nothing was changed because of 2 problems:",
            "line 4: components.astrisk: unknown component (did you mean asterisk?)",
            "line 9: rollout.max_paralel: unknown key",
        ]
    );
}

#[test]
fn a_single_problem_is_the_whole_message() {
    let problem = Problem::new("astrisk", "acme has no component astrisk");
    let world = refusing(to_status(&problem.hint("did you mean asterisk?").into()));
    let ran = world.run(&["set-version", "tenant=acme", "astrisk=1"]);
    assert_eq!(ran.code, 2);
    let expected = "error: astrisk: acme has no component astrisk (did you mean asterisk?)\n";
    assert_eq!(ran.stderr, expected);
}

#[test]
fn an_unknown_tenant_ends_with_2() {
    let world = World::new(Script::default());
    let ran = world.run(&["status", "tenant=acne"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (2, "error: there is no tenant acne\n"));
}

#[test]
fn any_other_refusal_of_the_controller_ends_with_1() {
    let ran = refusing(Status::failed_precondition("the registry refuses the login")).run(&UPGRADE);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, "error: the registry refuses the login\n"));
    let ran = refusing(Status::permission_denied("operators only")).run(&UPGRADE);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, "error: not allowed: operators only\n"));
}

#[test]
fn keys_are_checked_before_any_request() {
    insta::assert_snapshot!(
        [
            message(&["set-version", "tennant=acme", "asterisk=1"]),
            message(&["set-version", "tenant=acme"]),
            message(&["set-version", "tenant=acme", "asterisk="]),
            message(&["set-version", "tenant=acme", "asterisk=1", "asterisk=2"]),
            message(&["set-version", "tenant=acme", "asterisk=.1"]),
            message(&["set-version", "tenant=ACME", "asterisk=1"]),
            message(&["set-version", "tenant=acme", "aster\u{1b}isk=1"]),
            message(&["rollback", "tenant=acme", "too=3"]),
            message(&["rollback", "tenant=acme"]),
            message(&["rollback", "tenant=acme", "to=0"]),
            message(&["history", "acme-2"]),
            message(&["node", "remove", "acme-app"]),
            message(&["node", "token", "tenant=acme"]),
            message(&["node", "token", "tenant=acme", "role=voice,"]),
            message(&["explain", "asterisk", "nginx"]),
        ]
        .concat()
    );
}

#[test]
fn all_pairs_that_are_wrong_are_named_at_once() {
    let said = message(&["set-version", "tenant=acme", "Web=1", "asterisk=.1", "nginx="]);
    for part in ["3 problems", "\"Web\" is not a component name", "asterisk: \".1\"", "nginx: "] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_file_that_cannot_be_a_specification_is_refused_without_a_request() {
    let world = World::new(Script::default());
    let large = world.write("large.yaml", vec![b'#'; (1 << 20) + 1]);
    let binary = world.write("binary.yaml", b"tenant: acme\n\xff\n");
    let missing = world.folder.path().join("none.yaml");
    let refused = |file: &str| {
        let ran = world.run(&["apply", "-f", file]);
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.stderr
    };
    assert!(refused(&large).contains("large.yaml is larger than 1 MiB"));
    assert!(refused(&binary).contains("binary.yaml is not text in UTF-8 (line 2)"));
    let message = refused(missing.to_str().unwrap());
    assert!(message.contains("cannot read") && message.contains("No such file"), "{message}");
    assert_eq!(
        world.run_with(&["apply", "-f", "-"], "").stderr,
        "error: standard input is empty\n"
    );
    assert_eq!(world.asked(), []);
}

#[test]
fn an_endpoint_without_a_port_is_refused() {
    let expected = "error: --endpoint: \"controller\" is not an address \
                    (write host:port, for example controller.example.com:7443)\n";
    assert_eq!(message(&["status", "--endpoint", "controller"]), expected);
    for endpoint in [":7443", "controller:", "controller:7443/path", "controller:port", ""] {
        assert!(message(&["status", "--endpoint", endpoint]).contains("is not an address"));
    }
}

#[test]
fn a_mistyped_command_gets_a_suggestion() {
    let message = message(&["set-versoin", "tenant=acme"]);
    assert!(message.contains("set-version"), "{message}");
}

#[test]
fn an_option_with_the_name_of_a_key_gets_the_pair_as_a_suggestion() {
    let instead = |option: &str, pair: &str| {
        format!("error: there is no option {option} (write {pair} instead)\n")
    };
    let tenant = instead("--tenant", "tenant=acme");
    for words in [
        vec!["status", "--tenant", "acme"],
        vec!["status", "--tenant=acme", "--watch"],
        vec!["set-version", "--tenant", "acme", "asterisk=1"],
        vec!["history", "--tenant", "acme"],
        vec!["explain", "--tenant", "acme"],
        vec!["get", "nodes", "--tenant", "acme"],
        vec!["node", "remove", "--tenant", "acme", "--node", "acme-1"],
    ] {
        assert_eq!(message(&words), tenant, "{words:?}");
    }
    assert_eq!(message(&["rollback", "tenant=acme", "--to", "3"]), instead("--to", "to=3"));
    assert_eq!(message(&["status", "--tenant"]), instead("--tenant", "tenant=NAME"));
    assert!(message(&["apply", "--tenant", "acme"]).contains("unexpected argument"));
}

#[test]
fn words_without_a_key_get_the_pair_as_a_suggestion() {
    let message = |arguments: &[&str]| {
        let message = message(arguments);
        message.rsplit_once(" (").map(|(_, hint)| format!("({hint}")).unwrap_or(message)
    };
    let meant = |pair: &str| format!("(did you mean {pair}?)\n");
    assert_eq!(message(&["status", "tenant", "acme"]), meant("tenant=acme"));
    assert_eq!(message(&["status", "acme"]), meant("tenant=acme"));
    assert_eq!(message(&["status", "tenant"]), "(for example tenant=acme)\n");
    assert_eq!(message(&["explain", "tenant", "acme"]), meant("tenant=acme"));
    assert_eq!(message(&["explain", "tenant", "acme", "asterisk"]), meant("tenant=acme"));
    let asterisk = meant("asterisk=230204.01");
    assert_eq!(message(&["set-version", "tenant=acme", "asterisk", "230204.01"]), asterisk);
    assert_eq!(message(&["set-version", "asterisk", "230204.01", "tenant=acme"]), asterisk);
    assert_eq!(message(&["set-version", "tenant", "acme", "asterisk=1"]), meant("tenant=acme"));
    assert_eq!(message(&["set-version", "acme", "asterisk=1"]), meant("tenant=acme"));
    let such = "(for example asterisk=230204.01)\n";
    assert_eq!(message(&["set-version", "tenant=acme", "asterisk"]), such);
    assert_eq!(message(&["rollback", "tenant=acme", "7"]), meant("to=7"));
    assert_eq!(message(&["rollback", "7", "tenant=acme"]), meant("to=7"));
    assert_eq!(message(&["node", "remove", "tenant=acme", "acme-1"]), meant("node=acme-1"));
    assert_eq!(message(&["node", "token", "tenant=acme", "voice"]), meant("role=voice"));
    assert_eq!(message(&["get", "spec", "tenant=acme", "3"]), meant("revision=3"));
}

#[test]
fn every_help_has_examples() {
    let world = World::new(Script::default());
    for words in [
        "apply",
        "plan",
        "set-version",
        "rollback",
        "status",
        "history",
        "explain",
        "completions",
        "version",
        "context",
        "context import",
        "context list",
        "context use",
        "context show",
        "context remove",
        "get",
        "get tenants",
        "get nodes",
        "get instances",
        "get revisions",
        "get spec",
        "node",
        "node token",
        "node list",
        "node remove",
    ] {
        let arguments: Vec<&str> = words.split(' ').chain(["--help"]).collect();
        let help = world.run(&arguments).stdout;
        assert!(help.contains(&format!("Examples:\n  omlctl {words}")), "{help}");
    }
}

#[test]
fn a_missing_argument_is_named() {
    let missing = |arguments: &[&str]| {
        let message = message(arguments);
        message.lines().nth(1).unwrap_or_default().trim().to_owned()
    };
    assert_eq!(missing(&["rollback"]), "<tenant=NAME to=REVISION>...");
    assert_eq!(missing(&["set-version"]), "<tenant=NAME COMPONENT=VERSION>...");
    assert_eq!(missing(&["history"]), "<tenant=NAME>...");
    assert_eq!(missing(&["get", "spec"]), "<tenant=NAME>...");
    assert_eq!(missing(&["node", "token"]), "<tenant=NAME role=ROLE>...");
    assert_eq!(missing(&["node", "remove"]), "<tenant=NAME node=NODE>...");
}

#[test]
fn a_timeout_that_is_too_long_is_refused_with_the_limit() {
    let mut words = UPGRADE.to_vec();
    words.extend(["--timeout", "9999999999d"]);
    assert!(message(&words).contains("a duration is at most 366 days"), "{}", message(&words));
    words[4] = "5";
    assert!(message(&words).contains("a whole number and a unit"));
}
