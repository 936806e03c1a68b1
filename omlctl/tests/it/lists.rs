//! Lists are printed as a table, JSON or YAML.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use oml_proto::v1::*;

use crate::fake::{Script, Then};
use crate::world::*;

fn script() -> Script {
    let mut asterisk = instance("230204.01", PhaseName::Ready);
    asterisk.active = Some(12);
    asterisk.checked_at_ms = T0_MS + 58_000;
    asterisk.started_at_ms = T0_MS - 7_200_000;
    asterisk.drift = Some(Drift { at_ms: T0_MS, found: "the container had been removed".into() });
    let mut status = status(60, rollout(RolloutState::Completed, ""), asterisk);
    let node = &mut status.tenants[0].nodes[0];
    node.state = NodeState::Unreachable.into();
    node.last_seen_ms = T0_MS + 48_000;
    node.expected = [("daphne".to_owned(), "1.26.0".to_owned())].into();
    let revision = |number: u64, kind: RevisionKind, outcome: RolloutState| Revision {
        number,
        at_ms: T0_MS + number * 60_000,
        who: "admin".into(),
        why: if number == 8 { "one-way audio".into() } else { String::new() },
        kind: kind.into(),
        changes: upgrade().changes,
        outcome: outcome.into(),
    };
    let revisions = vec![
        revision(7, RevisionKind::Apply, RolloutState::Completed),
        revision(8, RevisionKind::SetVersion, RolloutState::RolledBack),
    ];
    Script { status, revisions, ..Script::default() }
}

fn table(arguments: &[&str]) -> String {
    let ran = World::new(script()).run(arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    ran.stdout
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let mut words = arguments.to_vec();
    words.extend(["-o", "json"]);
    serde_json::from_str(&table(&words)).unwrap()
}

#[test]
fn tables_are_for_people() {
    let asked: [&[&str]; 10] = [
        &["get", "tenants"],
        &["get", "nodes"],
        &["node", "list", "tenant=acme"],
        &["get", "instances"],
        &["get", "revisions"],
        &["history", "tenant=acme"],
        &["status", "tenant=acme"],
        &["explain", "tenant=acme"],
        &["settings", "tenant=acme"],
        &["settings", "catalog=omnileads", "infra_env"],
    ];
    let world = World::new(script());
    let mut shown = String::new();
    for arguments in asked {
        let ran = world.run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        shown.push_str(&format!("$ omlctl {}\n{}\n", arguments.join(" "), ran.stdout));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn json_has_the_tenant_in_every_row() {
    let nodes = json(&["get", "nodes"]);
    assert_eq!(nodes[0]["tenant"], "acme");
    assert_eq!(nodes[0]["state"], "unreachable");
    let instances = json(&["get", "instances", "tenant=acme"]);
    let daphne = instances.as_array().unwrap().iter().find(|i| i["component"] == "daphne").unwrap();
    assert_eq!(daphne["expected"], "1.26.0");
    assert_eq!(daphne["state"], serde_json::Value::Null);
    assert_eq!(instances[2]["state"]["phase"]["name"], "ready");
    assert_eq!(instances[2]["node"], "voice-1");
    let revisions = json(&["get", "revisions"]);
    assert_eq!((&revisions[1]["tenant"], &revisions[1]["number"]), (&"acme".into(), &8.into()));
    assert_eq!(json(&["get", "tenants"])[0]["rollout"]["state"], "completed");
    assert_eq!(json(&["history", "tenant=acme"])[1]["why"], "one-way audio");
    assert_eq!(json(&["status"])["tenants"][0]["tenant"], "acme");
    assert_eq!(json(&["version", "--controller"])["controller"], "9.9.9");
}

#[test]
fn yaml_says_the_same_as_json() {
    insta::assert_snapshot!(table(&["get", "instances", "-o", "yaml"]));
}

#[test]
fn a_specification_is_printed_as_it_was_written() {
    assert_eq!(table(&["get", "spec", "tenant=acme"]), "# as written\ntenant: acme\n");
    assert_eq!(json(&["get", "spec", "tenant=acme", "revision=3"])["revision"], 3);
}

#[test]
fn explain_shows_one_component_or_suggests_one() {
    let shown = table(&["explain", "tenant=acme", "asterisk"]);
    assert!(shown.contains("drift 1m 0s ago: the container had been removed"), "{shown}");
    assert!(!shown.contains("nginx"), "{shown}");
    let ran = World::new(script()).run(&["explain", "astrisk"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.stderr, "error: no node runs or expects astrisk (did you mean asterisk?)\n");
}

#[test]
fn a_tenant_where_a_component_is_expected_is_recognised() {
    let ran = World::new(script()).run(&["explain", "acme"]);
    let expected =
        "error: no node runs or expects acme (it is a tenant; use omlctl explain tenant=acme)\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, expected));
}

#[test]
fn the_exit_code_of_a_status_is_what_the_controller_decided() {
    let run = |health: i32| {
        let mut script = script();
        script.status.health = health;
        World::new(script).run(&["status", "--exit-code"])
    };
    assert_eq!(run(OverallHealth::Healthy.into()).code, 0);
    assert_eq!(run(OverallHealth::NotHealthy.into()).code, 6);
    let earlier = run(0);
    assert_eq!(earlier.code, 1);
    assert!(earlier.stderr.contains("this controller is too old"), "{}", earlier.stderr);
    let later = run(4711);
    assert_eq!(later.code, 1);
    assert!(later.stderr.contains("upgrade omlctl"), "{}", later.stderr);
    // Without the option, nothing is asked of it.
    assert_eq!(World::new(script()).run(&["status"]).code, 0);
}

#[test]
fn a_token_is_printed_alone_and_its_use_to_standard_error() {
    let world = World::new(script());
    let ran = world.run(&["node", "token", "tenant=acme", "role=voice,app", "--valid", "1h"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "oml1.secret.fingerprint\n"));
    assert!(ran.stderr.contains("controller:7444"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    let asked = world.script.lock().unwrap().tokens[0].clone();
    assert_eq!((asked.roles, asked.valid_ms), (vec!["voice".into(), "app".into()], 3_600_000));
}

#[test]
fn removing_a_node_lists_what_keeps_running_there() {
    let mut script = script();
    let away = &mut script.status.tenants[0].nodes[0];
    let nginx = away.report.as_mut().unwrap().instances.get_mut("nginx").unwrap();
    nginx.started_at_ms = T0_MS;
    let world = World::new(script);
    let mut shown = String::new();
    for node in ["voice-1", "app-1", "never-enrolled"] {
        let ran = world.run(&["node", "remove", "tenant=acme", &format!("node={node}"), "--yes"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
        shown.push_str(&format!("{}\n", ran.stderr));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_host_is_not_removed_where_nobody_can_be_asked() {
    let ran = World::new(script()).run(&["node", "remove", "tenant=acme", "node=voice-1"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert_eq!(
        ran.stderr,
        "this removes node voice-1 of acme (voice; connected): what runs on it (1 component) \
         keeps running, and changes no longer reach it\n\
         error: nothing was changed, because there is no terminal to ask whether that is meant \
         (add --yes if it is)\n"
    );
}

#[test]
fn watching_prints_every_status_until_the_controller_refuses() {
    let first = status(
        0,
        rollout(RolloutState::Progressing, ""),
        instance("230204.01", PhaseName::Pulling),
    );
    let second =
        status(5, rollout(RolloutState::Completed, ""), instance("230215.01", PhaseName::Ready));
    let script = Script {
        watches: [(vec![first], Then::Ends), (vec![second], Then::Ends)].into(),
        ..Script::default()
    };
    // After the end of the script, the controller refuses.
    let ran = World::new(script).run(&["status", "tenant=acme", "--watch", "-o", "json"]);
    assert_eq!(ran.code, 1);
    let states: Vec<String> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|reply| reply["tenants"][0]["rollout"]["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["progressing", "completed"]);
}

#[test]
fn a_watch_without_a_controller_reports_every_reason_once_and_continues() {
    let first = status(
        0,
        rollout(RolloutState::Progressing, ""),
        instance("230204.01", PhaseName::Pulling),
    );
    let watches = [(vec![first], Then::StaysOpen)].into();
    let world = World::new(Script { watches, ..Script::default() });
    let address = world.address;
    let mut child = world.start(&["status", "tenant=acme", "--watch", "-o", "json"]);
    let mut shown = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(shown.next().unwrap().unwrap().contains("progressing"));
    // The controller stops, and its port is closed.
    drop(world);
    let (sender, reported) = mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || stderr.lines().try_for_each(|line| sender.send(line.unwrap())));
    let expected = format!("cannot reach the controller ({address}: connection refused); retrying");
    let mut lines = Vec::new();
    while lines.last() != Some(&expected) {
        lines.push(reported.recv_timeout(Duration::from_secs(20)).expect("a reason"));
    }
    assert!(lines.len() <= 2, "{lines:?}");
    // Another server on the port closes three connections.
    let other = TcpListener::bind(address).unwrap();
    for _ in 0..3 {
        drop(other.accept().unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let rest: Vec<String> = reported.iter().collect();
    assert_eq!(
        rest,
        [format!("cannot reach the controller ({address}: the connection was closed); retrying")]
    );
}

#[test]
fn completions_and_version_need_no_context() {
    let world = World::without_context(Script::default());
    for shell in ["bash", "zsh", "fish"] {
        let ran = world.run(&["completions", shell]);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("set-version"));
    }
    let ran = world.run(&["version"]);
    assert_eq!(ran.stdout, format!("omlctl {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_verb_has_examples() {
    let world = World::without_context(Script::default());
    let verbs = [
        "context",
        "apply",
        "plan",
        "set-version",
        "rollback",
        "status",
        "get",
        "history",
        "explain",
        "settings",
        "schema",
        "validate",
        "node",
        "completions",
        "version",
    ];
    for verb in verbs {
        let ran = world.run(&[verb, "--help"]);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains(&format!("Examples:\n  omlctl {verb}")), "{}", ran.stdout);
    }
}

#[test]
fn settings_are_data_for_programs_and_a_wrong_name_gets_a_suggestion() {
    let all = json(&["settings", "tenant=acme"]);
    assert_eq!((&all["catalog"], &all["revision"]), (&"omnileads".into(), &8.into()));
    let media = &all["settings"][0];
    assert_eq!((&media["origin"], &media["line"]), (&"tenant".into(), &4.into()));
    assert_eq!(json(&["settings", "tenant=acme", "infra_env"]), *media);
    assert_eq!(all["settings"][1]["value"], serde_json::Value::Null);
    for (words, message) in [
        (
            &["settings", "tenant=acme", "infra"][..],
            "error: catalog omnileads has no setting infra (did you mean infra_env?)\n",
        ),
        (
            &["settings", "acme"],
            "error: \"acme\" is not of the form key=value (did you mean tenant=acme?)\n",
        ),
        (
            &["settings", "tenant=acme", "catalog=omnileads"],
            "error: name either a tenant or a catalog (for example tenant=acme)\n",
        ),
        (&["settings", "tenant=acme", "a", "b"], "error: settings accepts only one setting\n"),
    ] {
        let ran = World::new(script()).run(words);
        assert_eq!((ran.code, ran.stderr.as_str()), (2, message), "{words:?}");
    }
}

#[test]
fn schemas_are_printed_without_a_controller() {
    let world = World::without_context(Script::default());
    for kind in ["tenant", "catalog"] {
        let ran = world.run(&["schema", kind]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let schema: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(schema["properties"]["catalog"]["type"], "string");
    }
}

#[test]
fn a_component_that_does_not_exist_is_explained_with_the_reason() {
    let mut script = script();
    let reason = "only if dialer is true, and dialer is false".to_owned();
    script.status.tenants[0].absent = vec![AbsentComponent { component: "dialer".into(), reason }];
    let world = World::new(script);
    for words in [&["explain", "tenant=acme"][..], &["explain", "tenant=acme", "dialer"]] {
        let ran = world.run(words);
        let line = "  dialer: not there; it exists only if dialer is true, and dialer is false\n";
        assert!(ran.code == 0 && ran.stdout.contains(line), "{ran:?}");
    }
    let ran = world.run(&["explain", "tenant=acme", "asterisk"]);
    assert!(ran.code == 0 && !ran.stdout.contains("dialer"), "{ran:?}");
}

#[test]
fn an_empty_list_is_a_message_for_people_and_a_list_for_programs() {
    let world = World::new(Script::default());
    for kind in ["tenants", "nodes", "instances", "revisions"] {
        let ran = world.run(&["get", kind]);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", "none found\n"));
        let ran = world.run(&["get", kind, "-o", "json"]);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "[]\n", ""));
    }
    for verb in ["status", "explain"] {
        let ran = world.run(&[verb]);
        let expected =
            "there are no tenants yet; enrol a host with omlctl node token tenant=NAME role=ROLE\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (0, expected));
    }
}

#[test]
fn a_token_is_printed_with_its_expiry_and_is_valid_for_a_second_to_a_day() {
    let world = World::new(Script::default());
    let ran = world.run(&["node", "token", "tenant=acme", "role=voice"]);
    assert!(ran.stderr.starts_with("valid for one host until 1970-01-01 00:00:00; "), "{ran:?}");
    for valid in ["0s", "999ms", "25h", "2d"] {
        let ran = world.run(&["node", "token", "tenant=acme", "role=voice", "--valid", valid]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("a token can be valid for 1s to 24h"), "{}", ran.stderr);
    }
    let help = world.run(&["node", "token", "--help"]).stdout;
    assert!(help.contains("How long the token is valid: 1s to 24h"), "{help}");
    assert_eq!(world.script.lock().unwrap().tokens.len(), 1);
}

#[test]
fn completions_offer_files_only_for_file_arguments() {
    let world = World::new(Script::default());
    let script = world.run(&["completions", "zsh"]).stdout;
    let offered = |option: &str| -> Vec<bool> {
        let lines = script.lines().filter(|line| line.contains(option));
        let files = |line: &str| line.contains(":_files") || line.contains(":_default");
        lines.map(files).collect()
    };
    let never = [
        "--context=",
        "--endpoint=",
        "--timeout=",
        "--why=",
        "--op-id=",
        "--valid=",
        "--name=",
        "::words ",
    ];
    for option in never {
        let offered = offered(option);
        assert!(!offered.is_empty() && !offered.contains(&true), "{option}: {script}");
    }
    for option in ["--config=", "--file=", ":file --"] {
        let offered = offered(option);
        assert!(!offered.is_empty() && !offered.contains(&false), "{option}: {script}");
    }
}
