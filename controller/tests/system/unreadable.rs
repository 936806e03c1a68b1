//! Tests of sessions over records that cannot be read, because they are damaged or of a later release, and
//! of words that only a later release knows.

use std::collections::BTreeMap;

use oml_proto::v1;
use omlcontroller::store::{ChangeSignal, Expect, Write};
use tokio::time::timeout;

use crate::agent::{Host, Session, enroll, report};
use crate::secrets::{FIRST, given};
use crate::world::{LIMIT, StoreKind, World, apply, until};

const ASSIGNMENT: &str = "assignments/acme/acme-voice";

/// Starts a controller with one host, and applies a specification.
async fn one_host() -> (World, Host) {
    let world = World::start(StoreKind::InMemory).await;
    let host = enroll(&world, "acme", "voice", "acme-voice").await;
    let spec = "tenant: acme\ncatalog: test\ncomponents:\n  pbx: \"1\"\n";
    apply(&mut world.operator().await, spec).await.unwrap();
    (world, host)
}

async fn put(world: &World, key: &str, value: &[u8]) {
    let write = Write::put(key, Expect::Any, value.to_vec());
    world.store.commit(vec![write]).await.unwrap();
}

fn key_of_run(number: u64) -> String {
    format!("runs/acme/000001-{number:010}")
}

/// Records a run of the host, and returns a signal that wakes when the controller writes it again.
async fn record_run(world: &World, number: u64) -> ChangeSignal {
    let text = format!(
        "{{\"version\":1,\"id\":{{\"epoch\":1,\"number\":{number}}},\"component\":\"pbx\",\
         \"operation\":\"check\",\"node\":\"acme-voice\",\"workload\":\"{}\",\"who\":\"ana\",\
         \"asked\":1,\"deadline_ms\":600000}}",
        "a".repeat(64)
    );
    put(world, &key_of_run(number), text.as_bytes()).await;
    world.store.changed(&key_of_run(number))
}

async fn written(changes: &mut ChangeSignal) {
    timeout(LIMIT, changes.next()).await.expect("the record of the run is not written");
}

/// Lets an agent say that it has a run, or how that ended.
async fn say(session: &Session, number: u64, result: Option<v1::RunResult>) {
    let id = Some(v1::RunId { epoch: 1, number });
    let progress = v1::RunProgress { id, result, ..Default::default() };
    let kind = Some(v1::agent_message::Kind::Run(progress));
    session.up.send(v1::AgentMessage { kind }).await.unwrap();
}

fn ended(outcome: i32, status: Option<i64>) -> Option<v1::RunResult> {
    Some(v1::RunResult { outcome, status, ended_at_ms: 5, ..Default::default() })
}

async fn result_of(world: &World, number: u64) -> (v1::RunOutcome, String) {
    let request = v1::ListRunsRequest { tenant: "acme".into(), component: String::new() };
    let runs = world.operator().await.list_runs(request).await.unwrap().into_inner().runs;
    let is_it = |run: &v1::Run| run.id.as_ref().is_some_and(|id| id.number == number);
    let run = runs.into_iter().find(is_it).unwrap();
    (run.result.unwrap().outcome(), run.sentence)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_record_cannot_be_read_ends_no_session() {
    let (world, host) = one_host().await;
    put(&world, &key_of_run(1), b"{}").await;
    put(&world, &key_of_run(2), b"{\"version\":99}").await;
    let mut changes = record_run(&world, 3).await;
    let mut session = Session::open(&world, &host).await.unwrap();
    for number in [1, 2, 1, 3] {
        say(&session, number, None).await;
    }
    written(&mut changes).await;
    let given = session.assignment().await.unwrap().expect("the session goes on");
    session.report(&report(&given, &BTreeMap::new(), &BTreeMap::new())).await;
    until(&mut world.operator().await, "acme", |status| status.nodes[0].report.is_some()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assignment_that_cannot_be_read_ends_no_session() {
    let (world, host) = one_host().await;
    let mut session = Session::open(&world, &host).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    let kept = world.store.get(&ASSIGNMENT.into()).await.unwrap().unwrap().value;
    let mut changes = record_run(&world, 3).await;

    // It is sent as soon as it can be read.
    put(&world, ASSIGNMENT, b"{}").await;
    let mut session = Session::open(&world, &host).await.unwrap();
    say(&session, 3, None).await;
    written(&mut changes).await;
    put(&world, ASSIGNMENT, &kept).await;
    let again = session.assignment().await.unwrap().unwrap();
    assert_eq!(again.generation, given.generation);

    // What an agent reports meanwhile is not lost.
    put(&world, ASSIGNMENT, b"{\"version\":99}").await;
    let session = Session::open(&world, &host).await.unwrap();
    session.report(&report(&given, &BTreeMap::new(), &BTreeMap::new())).await;
    say(&session, 3, ended(v1::RunOutcome::Exited.into(), Some(0))).await;
    written(&mut changes).await;
    put(&world, ASSIGNMENT, &kept).await;
    let mut operator = world.operator().await;
    let status = until(&mut operator, "acme", |status| status.nodes[0].report.is_some()).await;
    assert_eq!(status.nodes[0].state(), v1::NodeState::Connected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_cannot_be_read_keeps_no_other_from_a_node() {
    let world = World::start(StoreKind::InMemory).await;
    let host = enroll(&world, "acme", "voice", "acme-voice").await;
    let mut operator = world.operator().await;
    for name in ["token", "key"] {
        let (tenant, name, value) = ("acme".to_owned(), name.to_owned(), given(FIRST));
        operator.set_secret(v1::SetSecretRequest { tenant, name, value }).await.unwrap();
    }
    let secrets = "{TOKEN: {name: token, from: controller}, KEY: {name: key, from: controller}}";
    let pbx = format!("  pbx: {{version: \"1\", secrets: {secrets}}}\n");
    let spec = format!("tenant: acme\ncatalog: test\ncomponents:\n{pbx}");
    apply(&mut operator, &spec).await.unwrap();
    put(&world, "secrets/acme/key", b"{}").await;
    let mut session = Session::open(&world, &host).await.unwrap();
    let sent = session.secrets().await;
    let names: Vec<&str> = sent.iter().map(|secret| secret.name.as_str()).collect();
    assert_eq!(names, ["token"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_of_a_later_release_is_unknown_until_it_is_said_in_words_that_are_known() {
    let (world, host) = one_host().await;
    let (mut changes, mut others) = (record_run(&world, 3).await, record_run(&world, 4).await);
    let session = Session::open(&world, &host).await.unwrap();
    say(&session, 3, ended(99, Some(0))).await;
    written(&mut changes).await;
    let (outcome, sentence) = result_of(&world, 3).await;
    assert_eq!(outcome, v1::RunOutcome::Unknown);
    assert!(sentence.starts_with("ended in a way that only a later release knows"), "{sentence}");
    assert!(sentence.contains("upgrade the controller"), "{sentence}");

    say(&session, 3, ended(v1::RunOutcome::Exited.into(), Some(0))).await;
    written(&mut changes).await;
    assert_eq!(result_of(&world, 3).await, (v1::RunOutcome::Exited, "succeeded".to_owned()));
    // A run ends once.
    say(&session, 3, ended(v1::RunOutcome::Interrupted.into(), None)).await;
    say(&session, 4, None).await;
    written(&mut others).await;
    assert_eq!(result_of(&world, 3).await.0, v1::RunOutcome::Exited);
}
