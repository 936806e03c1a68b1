//! What is asked before something is removed or made that may be a mistake.

use oml_common::text::problem::Problem;
use oml_proto::problem::to_refusal;
use oml_proto::v1::{Change, ChangeKind, ChangeReply, NewTenant, Refusal};

use crate::fake::{Answer, Script};
use crate::world::{World, upgrade};

/// The answer to a file without asterisk.
fn shortened() -> ChangeReply {
    let removed = Change {
        kind: ChangeKind::Remove.into(),
        to: String::new(),
        note: "not drained: calls through it are cut".to_owned(),
        ..upgrade().changes.remove(0)
    };
    ChangeReply { changes: vec![removed], ..upgrade() }
}

fn scripted(replies: Vec<ChangeReply>) -> World {
    let changes = replies.into_iter().map(Answer::Reply).collect();
    World::new(Script { changes, ..Script::default() })
}

fn apply(world: &World, more: &[&str]) -> crate::world::Ran {
    let file = world.write("acme.yaml", "tenant: acme\n");
    let words = [&["apply", "-f", file.as_str(), "--no-wait"], more].concat();
    world.run(&words)
}

#[test]
fn a_shortened_file_is_refused_where_nobody_can_be_asked() {
    for verb in [None, Some(["rollback", "tenant=acme", "to=3", "--no-wait"])] {
        let world = scripted(vec![shortened()]);
        let ran = verb.map_or_else(|| apply(&world, &[]), |words| world.run(&words));
        assert_eq!(ran.code, 2);
        assert_eq!(
            ran.stderr,
            "this removes 1 instance from acme:\n  voice-1 asterisk 230204.01 (not drained: calls through it are cut)\n\
             error: nothing was changed, because there is no terminal to ask whether that is meant \
             (add --prune if it is)\n"
        );
        let asked = world.script.lock().unwrap().asked.clone();
        assert!(asked.iter().all(|options| options.dry_run && options.op_id.is_empty()));
    }
}

#[test]
fn either_option_removes_without_a_question() {
    for option in ["--prune", "--yes", "-y"] {
        let world = scripted(vec![shortened()]);
        let ran = apply(&world, &[option]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let asked = world.script.lock().unwrap().asked.clone();
        assert_eq!((asked.len(), asked[0].dry_run, asked[0].if_revision), (1, false, 0));
    }
}

#[test]
fn a_change_that_removes_nothing_is_made_as_it_was_planned() {
    let world = scripted(vec![upgrade(), upgrade()]);
    assert_eq!(apply(&world, &[]).code, 0);
    let asked = world.script.lock().unwrap().asked.clone();
    let seen: Vec<_> = asked.iter().map(|options| (options.dry_run, options.if_revision)).collect();
    assert_eq!(seen, [(true, 0), (false, 8)]);
}

#[test]
fn another_version_is_planned_and_asked_for_only_if_it_would_remove_something() {
    let set_version = ["set-version", "tenant=acme", "asterisk=230215.01", "--no-wait"];
    let world = scripted(vec![upgrade()]);
    assert_eq!(world.run(&set_version).code, 0);
    let asked = world.script.lock().unwrap().asked.clone();
    assert_eq!((asked.len(), asked[0].dry_run, asked[0].no_removals), (1, false, true));
    let removes = to_refusal(&Problem::new("", "this would remove kamailio"), Refusal::Removes);
    let changes = [Answer::Refusal(removes), Answer::Reply(shortened())];
    let world = World::new(Script { changes: changes.into(), ..Script::default() });
    let ran = world.run(&set_version);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.starts_with("this removes 1 instance from acme:"), "{}", ran.stderr);
    let asked = world.script.lock().unwrap().asked.clone();
    assert_eq!(asked.iter().map(|options| options.dry_run).collect::<Vec<_>>(), [false, true]);
}

/// The answer to a change over a step without a way back.
fn one_way() -> ChangeReply {
    let warnings = vec!["asterisk 230204.01 -> 230215.01 has no way back".to_owned()];
    ChangeReply { warnings, one_way: true, ..upgrade() }
}

#[test]
fn a_change_without_a_way_back_is_asked_for_before_it_is_made() {
    let refusal = || {
        let step = Problem::new("", "asterisk 230204.01 -> 230215.01 has no way back");
        Answer::Refusal(to_refusal(&step, Refusal::OneWay))
    };
    let set_version = ["set-version", "tenant=acme", "asterisk=230215.01", "--no-wait"];
    // One that may remove something is planned first in any case.
    let cases: [(&[&str], Vec<Answer>); 3] = [
        (&set_version, vec![refusal(), Answer::Reply(one_way())]),
        (&["rollback", "tenant=acme", "to=3", "--no-wait"], vec![Answer::Reply(one_way())]),
        (
            &["rollback", "tenant=acme", "to=3", "--no-wait", "--prune"],
            vec![refusal(), Answer::Reply(one_way())],
        ),
    ];
    for (words, changes) in cases {
        let world = World::new(Script { changes: changes.into(), ..Script::default() });
        let ran = world.run(words);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert_eq!(
            ran.stderr,
            "warning: asterisk 230204.01 -> 230215.01 has no way back\n\
             error: nothing was changed, because there is no terminal to ask whether that is meant \
             (add --yes if it is)\n"
        );
        let asked = world.script.lock().unwrap().asked.clone();
        let made = asked.iter().filter(|options| !(options.dry_run || options.no_one_way));
        assert_eq!(made.count(), 0, "{asked:?}");
    }
    let world = scripted(vec![one_way()]);
    let ran = world.run(&[&set_version[..], &["--yes"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let asked = world.script.lock().unwrap().asked.clone();
    assert_eq!((asked.len(), asked[0].dry_run, asked[0].no_one_way), (1, false, false));
}

#[test]
fn what_becomes_a_step_without_a_way_back_after_the_plan_is_planned_again() {
    let step = to_refusal(&Problem::new("", "asterisk has no way back"), Refusal::OneWay);
    let changes = [Answer::Reply(upgrade()), Answer::Refusal(step), Answer::Reply(one_way())];
    let world = World::new(Script { changes: changes.into(), ..Script::default() });
    let ran = apply(&world, &[]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("(add --yes if it is)"), "{}", ran.stderr);
    let asked = world.script.lock().unwrap().asked.clone();
    let seen: Vec<_> = asked.iter().map(|it| (it.dry_run, it.no_one_way)).collect();
    assert_eq!(seen, [(true, false), (false, true), (true, false)]);
}

#[test]
fn a_tenant_that_others_change_meanwhile_is_planned_again() {
    let outdated =
        to_refusal(&Problem::new("", "acme was changed meanwhile"), Refusal::ChangedMeanwhile);
    let later = ChangeReply { revision: 9, ..upgrade() };
    let changes = [
        Answer::Reply(upgrade()),
        Answer::Refusal(outdated),
        Answer::Reply(later.clone()),
        Answer::Reply(later),
    ];
    let world = World::new(Script { changes: changes.into(), ..Script::default() });
    let ran = apply(&world, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("somebody else changed the tenant meanwhile; planning again"));
    let asked = world.script.lock().unwrap().asked.clone();
    assert_eq!(asked.iter().map(|o| o.if_revision).collect::<Vec<_>>(), [0, 8, 0, 9]);
    assert_eq!(asked[1].op_id, asked[3].op_id, "it is one change");
}

#[test]
fn a_controller_that_does_not_check_the_plan_is_reported_after_the_change() {
    let made = |revision| {
        let world = scripted(vec![upgrade(), ChangeReply { revision, ..upgrade() }]);
        let ran = apply(&world, &[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stderr
    };
    let note = "somebody else changed the tenant meanwhile, and this controller is too old to check \
                that: the change is revision 9 and may differ from the plan of revision 8 that was \
                looked at (see omlctl history tenant=acme); upgrade the controller\n";
    assert!(made(9).starts_with(note), "{}", made(9));
    // The revision that was planned, and that of an earlier change with the same id.
    for revision in [8, 7] {
        assert!(!made(revision).contains("meanwhile"), "{}", made(revision));
    }
}

#[test]
fn a_new_tenant_is_reported() {
    let world = scripted(vec![upgrade(), ChangeReply { new_tenant: true, ..upgrade() }]);
    let ran = apply(&world, &[]);
    assert!(ran.stderr.starts_with("acme is a new tenant\n"), "{}", ran.stderr);
}

#[test]
fn a_token_for_a_tenant_that_is_not_known_needs_an_answer() {
    let new = |is_first| Some(NewTenant { nearest: "acme".into(), is_first });
    let token = ["node", "token", "tenant=amce", "role=voice"];
    let world = World::new(Script { new_tenant: new(false), ..Script::default() });
    let ran = world.run(&token);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert_eq!(
        ran.stderr,
        "amce is a new tenant (did you mean acme?)\n\
         error: nothing was changed, because there is no terminal to ask whether that is meant \
         (add --yes if it is)\n"
    );
    assert!(world.script.lock().unwrap().tokens.is_empty());
    let ran = world.run(&[&token[..], &["--yes"]].concat());
    assert_eq!((ran.code, world.script.lock().unwrap().tokens.len()), (0, 1));
    assert!(ran.stderr.starts_with("amce is a new tenant (did you mean acme?)\n"));
    // With the first tenant of a controller nothing can be confused.
    let world = World::new(Script { new_tenant: new(true), ..Script::default() });
    let ran = world.run(&token);
    assert_eq!((ran.code, world.script.lock().unwrap().tokens.len()), (0, 1));
    assert!(ran.stderr.starts_with("amce is a new tenant"), "{}", ran.stderr);
}
