//! How values of secrets reach the controller, and that nothing prints them.

use oml_proto::v1::{ChangeReply, NewSecretValue, PhaseName, RolloutState, Secret};

use crate::fake::{Answer, Script, Then};
use crate::world::{World, instance, rollout, status, upgrade};

fn given(world: &World) -> Vec<(String, NewSecretValue)> {
    let script = world.script.lock().unwrap();
    let given = script.secrets.iter();
    given.map(|it| (it.name.clone(), it.value.clone().unwrap_or_default())).collect()
}

#[test]
fn a_value_is_read_from_standard_input_without_its_line_end_and_is_not_printed() {
    let world = World::new(Script::default());
    let ran = world.run_with(&["secret", "set", "tenant=acme", "token"], "open sesame\n");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(ran.stderr, "acme has secret token, version 1\n");
    let value = NewSecretValue { value: "open sesame".to_owned(), generate_length: 0 };
    assert_eq!(given(&world), [("token".to_owned(), value)]);
    let ran = world.run_with(&["secret", "set", "tenant=acme", "token"], "open\0sesame\n");
    assert_eq!(ran.code, 2);
    assert_eq!(ran.stderr, "error: the value contains a zero byte (U+0000)\n");
}

#[test]
fn a_generated_value_is_asked_for_by_its_length_and_never_comes_back() {
    let world = World::new(Script::default());
    let ran = world.run(&["secret", "generate", "tenant=acme", "a", "b", "--length", "40"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let value = NewSecretValue { value: String::new(), generate_length: 40 };
    assert_eq!(given(&world), [("a".to_owned(), value.clone()), ("b".to_owned(), value)]);
}

#[test]
fn a_rotation_is_shown_like_any_other_change() {
    let mut reply = upgrade();
    reply.secret_version = 2;
    reply.changes[0].note = "secret token version 2".to_owned();
    let changes = [Answer::Reply(reply)].into();
    let world = World::new(Script { changes, ..Script::default() });
    let words = ["secret", "rotate", "tenant=acme", "token", "--no-wait"];
    let ran = world.run_with(&words, "open sesame\n");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("secret token version 2"), "{}", ran.stdout);
    assert!(!(ran.stdout + &ran.stderr).contains("sesame"));
}

#[test]
fn a_secret_is_not_removed_where_nobody_can_be_asked() {
    let world = World::new(Script::default());
    let words = ["secret", "remove", "tenant=acme", "token"];
    let ran = world.run(&words);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
    let ran = world.run(&[&words[..], &["--yes"]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "removed secret token of acme\n"));
}

#[test]
fn the_rotation_of_an_unused_secret_does_not_wait_for_another_rollout() {
    let (changed, changes) = (false, Vec::new());
    let reply = ChangeReply { changed, changes, secret_version: 2, ..upgrade() };
    let progressing = rollout(RolloutState::Progressing, "");
    let under_way = status(9, progressing, instance("230204.01", PhaseName::Pulling));
    let world = World::new(Script {
        changes: [Answer::Reply(reply)].into(),
        watches: [(vec![under_way], Then::StaysOpen)].into(),
        ..Script::default()
    });
    let ran = world.run(&["secret", "rotate", "tenant=acme", "token", "--generate"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stderr, "version 2 of the secret is kept; no component of acme uses it\n");
    assert!(world.script.lock().unwrap().watched.is_empty());
}

#[test]
fn a_secret_that_is_rotated_before_anything_was_applied_is_no_certificate() {
    let nothing = ChangeReply { revision: 0, changed: false, changes: Vec::new(), ..upgrade() };
    let reply = ChangeReply { secret_version: 2, ..nothing };
    let world = World::new(Script { changes: [Answer::Reply(reply)].into(), ..Script::default() });
    let ran = world.run(&["secret", "rotate", "tenant=acme", "token", "--generate"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stderr, "version 2 of the secret is kept; no component of acme uses it\n");
}

fn secret(name: &str, version: u64) -> Secret {
    Secret { name: name.to_owned(), version, ..Secret::default() }
}

#[test]
fn several_secrets_are_generated_all_or_none() {
    let known_secrets = vec![secret("b", 2), secret("d", 1)];
    let world = World::new(Script { known_secrets, ..Script::default() });
    let ran = world.run(&["secret", "generate", "tenant=acme", "a", "b", "c"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert_eq!(
        ran.stderr,
        "error: acme has secret b already, in version 2 (omlctl secret rotate tenant=acme b)\n"
    );
    assert!(given(&world).is_empty());
    let ran = world.run(&["secret", "generate", "tenant=acme", "d", "b"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("nothing was changed because of 2 problems"), "{}", ran.stderr);
    let ran = world.run(&["secret", "generate", "tenant=acme", "a", "tls_key", "b"]);
    assert_eq!(ran.code, 2);
    for part in ["2 problems", "tls_key is a part of the certificate of acme", "secret b already"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    assert!(given(&world).is_empty());
    let ran = world.run(&["secret", "generate", "tenant=acme", "a", "c", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(given(&world).len(), 2);
}

#[test]
fn programs_read_which_version_was_given_or_removed() {
    let script = Script { known_secrets: vec![secret("token", 3)], ..Script::default() };
    let world = World::new(script);
    let printed = |words: &[&str], input: &str| {
        let ran = world.run_with(&[words, &["-o", "json"]].concat(), input);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.split_whitespace().collect::<String>()
    };
    let set = printed(&["secret", "set", "tenant=acme", "smtp"], "open sesame\n");
    assert_eq!(set, r#"[{"name":"smtp","version":1}]"#);
    let made = printed(&["secret", "generate", "tenant=acme", "a", "b"], "");
    assert_eq!(made, r#"[{"name":"a","version":1},{"name":"b","version":1}]"#);
    let removed = printed(&["secret", "remove", "tenant=acme", "token", "--yes"], "");
    assert_eq!(removed, r#"[{"name":"token","version":3}]"#);
}

#[test]
fn a_secret_whose_answer_was_lost_is_named_with_where_to_look() {
    let world = World::new(Script { lost_secret: "b".to_owned(), ..Script::default() });
    let ran = world.run(&["secret", "generate", "tenant=acme", "a", "b", "c", "-o", "json"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let last = ran.stderr.lines().last().unwrap();
    assert!(last.starts_with("error: secret b may have been given: "), "{last}");
    assert!(last.ends_with("; see: omlctl secret list tenant=acme"), "{last}");
    assert!(ran.stdout.contains("\"a\""), "{}", ran.stdout);
    assert_eq!(given(&world).len(), 2);
}
