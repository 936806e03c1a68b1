//! How values of secrets reach the controller, and that nothing prints them.

use oml_proto::v1::{ChangeReply, NewSecretValue, PhaseName, RolloutState};

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
