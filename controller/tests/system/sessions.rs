//! Tests of sessions: overlapping, silent, malicious and ending ones.
#![expect(clippy::disallowed_methods, reason = "real ports, by real time")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use oml_common::id::Generation;
use oml_daemon::env::Clock;
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::{Identity, Serial, client_config, connect};
use oml_proto::v1;
use oml_proto::v1::RolloutState;
use oml_proto::v1::fleet_client::FleetClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use crate::agent::{Session, enroll, hello, report};
use crate::fleet::Fleet;
use crate::hooked::HookedStore;
use crate::world::{SPEC, StoreKind, World, apply, now, until, until_with_time};

/// Starts a controller with one host of the role data, and applies a specification.
async fn one_host() -> (World, crate::agent::Host) {
    let world = World::start(StoreKind::InMemory).await;
    let host = enroll(&world, "acme", "data", "acme-data").await;
    let spec: String = SPEC
        .lines()
        .filter(|l| !l.contains("voice:") && !l.contains("web:"))
        .map(|l| format!("{l}\n"))
        .collect();
    apply(&mut world.operator().await, &spec).await.unwrap();
    (world, host)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_session_of_a_node_replaces_older_ones_and_their_end_changes_nothing() {
    let (world, host) = one_host().await;
    let mut operator = world.operator().await;
    let mut older = Session::open(&world, &host).await.unwrap();
    older.assignment().await.unwrap().unwrap();
    let mut newer = Session::open(&world, &host).await.unwrap();
    let assignment = newer.assignment().await.unwrap().unwrap();
    assert_eq!(older.assignment().await.unwrap_err().code(), Code::Aborted);
    drop(older);
    newer.report(&report(&assignment, &BTreeMap::new(), &BTreeMap::new())).await;
    let status = until(&mut operator, "acme", |status| status.nodes[0].report.is_some()).await;
    assert_eq!(status.nodes[0].state(), v1::NodeState::Connected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_holds_the_assignment_is_not_sent_it_again() {
    let (world, host) = one_host().await;
    let mut first = Session::open(&world, &host).await.unwrap();
    let given = first.assignment().await.unwrap().unwrap();
    let held = Some(oml_proto::report::generation_to_wire(given.generation));
    let mut second = Session::over(world.channel(&host.credentials).await, held).await.unwrap();
    let reply = crate::world::set_version(&mut world.operator().await, "db", "2", "").await;
    reply.unwrap();
    // The first assignment of the session is the new one.
    let next = second.assignment().await.unwrap().unwrap();
    assert!(next.generation > given.generation);
    assert_eq!(next.content.revision.0, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_with_a_generation_that_was_never_assigned_is_ignored() {
    let (world, host) = one_host().await;
    let mut session = Session::open(&world, &host).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    let mut lie = report(&given, &BTreeMap::new(), &BTreeMap::new());
    lie.applied = Some(Generation { epoch: given.generation.epoch + 1, number: 1 });
    lie.agent_version = "liar".into();
    session.report(&lie).await;
    let mut truth = report(&given, &BTreeMap::new(), &BTreeMap::new());
    truth.agent_version = "honest".into();
    session.report(&truth).await;
    let mut operator = world.operator().await;
    let request = v1::StatusRequest { tenant: "acme".into() };
    let mut replies = operator.watch_status(request).await.unwrap().into_inner();
    let received = async {
        loop {
            let status = replies.message().await.unwrap().unwrap().tenants.remove(0);
            let version = status.nodes[0].report.as_ref().map(|r| r.agent_version.clone());
            assert_ne!(version.as_deref(), Some("liar"));
            if version.as_deref() == Some("honest") {
                return;
            }
        }
    };
    tokio::time::timeout(crate::world::LIMIT, received).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unexpected_or_invalid_messages_end_the_session_with_the_reason() {
    let (world, host) = one_host().await;
    let mut session = Session::open(&world, &host).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    let mut wire = oml_proto::report::to_wire(&report(&given, &BTreeMap::new(), &BTreeMap::new()));
    let instance = |n| (format!("c{n}"), v1::InstanceReport::default());
    wire.instances.extend((0..=oml_proto::report::INSTANCES_MAX).map(instance));
    let kind = Some(v1::agent_message::Kind::Report(wire));
    session.up.send(v1::AgentMessage { kind }).await.unwrap();
    let refused = session.assignment().await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let mut session = Session::open(&world, &host).await.unwrap();
    session.assignment().await.unwrap();
    let kind = Some(v1::agent_message::Kind::Hello(v1::Hello::default()));
    session.up.send(v1::AgentMessage { kind }).await.unwrap();
    assert_eq!(session.assignment().await.unwrap_err().code(), Code::InvalidArgument);
}

/// Starts a proxy to the controller that can go silent without closing a connection.
async fn silenceable_proxy(to: std::net::SocketAddr) -> (std::net::SocketAddr, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = Arc::new(AtomicBool::new(false));
    let is_silent = Arc::clone(&silent);
    tokio::spawn(async move {
        let (from, _) = listener.accept().await.unwrap();
        let (from_read, from_write) = from.into_split();
        let (to_read, to_write) = TcpStream::connect(to).await.unwrap().into_split();
        tokio::join!(
            forward(from_read, to_write, Arc::clone(&is_silent)),
            forward(to_read, from_write, is_silent)
        );
    });
    (address, silent)
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    silent: Arc<AtomicBool>,
) {
    let mut bytes = [0; 4096];
    loop {
        let count = from.read(&mut bytes).await.unwrap_or(0);
        if silent.load(Ordering::SeqCst) {
            // The bytes are dropped, and the connection stays open.
            std::future::pending::<()>().await;
        }
        if count == 0 || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_host_is_unreachable_within_five_seconds_and_its_last_contact_is_kept() {
    let (world, host) = one_host().await;
    let (way, silent) = silenceable_proxy(world.running().listen).await;
    let config = Arc::new(client_config(&host.credentials, &Clock::system()).unwrap());
    let channel = connect(&way.to_string(), config, &Proxies::default()).await.unwrap();
    let mut session = Session::over(channel, None).await.unwrap();
    session.assignment().await.unwrap().unwrap();
    let mut operator = world.operator().await;
    until(&mut operator, "acme", |status| status.nodes[0].state() == v1::NodeState::Connected)
        .await;
    silent.store(true, Ordering::SeqCst);
    let began = now();
    let (at, status) = until_with_time(&mut operator, "acme", |status| {
        status.nodes[0].state() == v1::NodeState::Unreachable
    })
    .await;
    // The time is that of the status, because this test may read the status later.
    assert!(at.since_ms(began) <= 5_000, "{} ms", at.since_ms(began));
    assert!(status.nodes[0].last_seen_ms > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_change_all_the_time_cause_no_writes() {
    let (world, host) = one_host().await;
    let mut operator = world.operator().await;
    let mut session = Session::open(&world, &host).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    let runs = given.content.share.instances.clone();
    let mut words = report(&given, &runs, &BTreeMap::new());
    session.report(&words).await;
    until(&mut operator, "acme", |s| {
        s.rollout.as_ref().is_some_and(|r| r.state() == RolloutState::Completed)
    })
    .await;
    let kept = |s: &v1::TenantStatus| s.nodes[0].report.as_ref().map(|r| r.instances["db"].active);
    // The first report is recorded some time after it was received.
    let key = omlcontroller::records::keys::last_report(
        &"acme".parse().unwrap(),
        &"acme-data".parse().unwrap(),
    );
    let records = omlcontroller::records::Records::new(Arc::clone(&world.store));
    let mut written = records.changed_at(&key);
    tokio::time::timeout(crate::world::LIMIT, async {
        while records.get(&key).await.unwrap().is_none() {
            written.next().await;
        }
    })
    .await
    .unwrap();
    let before = world.store.list("").await.unwrap();
    for active in 10..200 {
        for instance in words.instances.values_mut() {
            instance.active = Some(active);
            instance.reason = format!("healthy, {active} calls");
        }
        words.at = crate::world::now();
        words.host.cpu_permille = u32::try_from(active).unwrap();
        session.report(&words).await;
    }
    until(&mut operator, "acme", |s| kept(s) == Some(Some(199))).await;
    assert_eq!(world.store.list("").await.unwrap(), before);
}

/// Guards against waiting for a timer: every step between a command and the agent is
/// triggered by a nudge. The limit itself has no meaning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_reaches_the_agent_without_waiting_for_a_timer() {
    let (world, host) = one_host().await;
    let mut operator = world.operator().await;
    let mut session = Session::open(&world, &host).await.unwrap();
    session.assignment().await.unwrap().unwrap();
    let mut took = Vec::new();
    for version in 2..22 {
        let began = Instant::now();
        crate::world::set_version(&mut operator, "db", &version.to_string(), "").await.unwrap();
        let answered = began.elapsed();
        session.assignment().await.unwrap().unwrap();
        took.push((began.elapsed(), answered));
    }
    took.sort();
    println!("command to agent: median {:?} (reply after {:?})", took[10].0, took[10].1);
    assert!(took[10].0 < Duration::from_millis(500), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_removed_during_its_hello_gets_no_session() {
    let store = Arc::new(HookedStore::default());
    let world = World::over(Arc::clone(&store) as _).await;
    let host = enroll(&world, "acme", "data", "acme-data").await;
    let revoked = Arc::clone(&world.running().ops.revoked);
    let identity = "oml://node/acme/acme-data".parse().unwrap();
    // The hello message writes the node's record, and the removal follows directly.
    store.after("nodes/acme/acme-data", move || {
        revoked.revoke(identity, Serial(u128::MAX));
    });
    let mut session = Session::open(&world, &host).await.unwrap();
    let answered = tokio::time::timeout(crate::world::LIMIT, session.assignment()).await;
    assert_eq!(answered.unwrap().unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_ends_when_the_certificate_expires() {
    let (world, _host) = one_host().await;
    let maria = Identity::Operator("maria".parse().unwrap());
    let channel = world.channel(&world.credentials_for(&maria, 2000)).await;
    let mut fleet = FleetClient::new(channel);
    let request = v1::StatusRequest { tenant: "acme".into() };
    let mut replies = fleet.watch_status(request.clone()).await.unwrap().into_inner();
    let ended = async {
        while replies.message().await?.is_some() {}
        Ok::<_, tonic::Status>(())
    };
    let ended = tokio::time::timeout(crate::world::LIMIT, ended).await.unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::Unauthenticated);
    let refused = fleet.get_status(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_tails_are_returned_only_in_the_status_of_a_single_tenant() {
    let (world, host) = one_host().await;
    enroll(&world, "zephyr", "data", "zephyr-data").await;
    let mut session = Session::open(&world, &host).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    let failures = given.content.share.instances.iter();
    let failures = failures.map(|(name, desired)| (name.clone(), crate::agent::failure(desired)));
    session.report(&report(&given, &BTreeMap::new(), &failures.collect())).await;
    let mut operator = world.operator().await;
    let words = |status: &v1::TenantStatus| {
        let instance = status.nodes[0].report.as_ref()?.instances.get("db")?;
        Some(instance.failure.as_ref()?.log_tail.len())
    };
    until(&mut operator, "acme", |status| words(status) == Some(1)).await;
    let all = operator.get_status(v1::StatusRequest::default()).await.unwrap().into_inner();
    assert_eq!(words(&all.tenants[0]), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_is_too_large_ends_its_session_and_is_not_stored() {
    let (world, host) = one_host().await;
    let mut session = Session::open(&world, &host).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    let honest = report(&given, &BTreeMap::new(), &BTreeMap::new());
    let mut wire = oml_proto::report::to_wire(&honest);
    let failure = v1::Failure {
        hash: "a".repeat(64),
        log_tail: vec!["x".repeat(400); 2000],
        ..v1::Failure::default()
    };
    wire.instances.values_mut().for_each(|instance| instance.failure = Some(failure.clone()));
    let kind = Some(v1::agent_message::Kind::Report(wire));
    session.up.send(v1::AgentMessage { kind }).await.unwrap();
    let refused = tokio::time::timeout(crate::world::LIMIT, session.assignment()).await.unwrap();
    assert_eq!(refused.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_of_an_agent_is_shown_even_while_it_is_unreachable() {
    let (world, host) = one_host().await;
    let session = Session::open(&world, &host).await.unwrap();
    let mut operator = world.operator().await;
    let is_reported = |status: &v1::TenantStatus, state| {
        status.nodes[0].state() == state && status.nodes[0].agent_version == "test"
    };
    until(&mut operator, "acme", |s| is_reported(s, v1::NodeState::Connected)).await;
    drop(session);
    until(&mut operator, "acme", |s| is_reported(s, v1::NodeState::Unreachable)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_instance_of_a_newer_agent_is_unknown_and_the_session_continues() {
    let (world, host) = one_host().await;
    let mut session = Session::open(&world, &host).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    let running = given.content.share.instances.iter();
    let running = running.map(|(name, desired)| (name.clone(), desired.clone())).collect();
    let mut wire = oml_proto::report::to_wire(&report(&given, &running, &BTreeMap::new()));
    let db = wire.instances.get_mut("db").unwrap();
    db.phase = Some(v1::Phase { name: 4711, ..v1::Phase::default() });
    db.health = 4711;
    wire.instances.insert("Not A Name".into(), v1::InstanceReport::default());
    let kind = Some(v1::agent_message::Kind::Report(wire));
    session.up.send(v1::AgentMessage { kind }).await.unwrap();
    let mut operator = world.operator().await;
    let of_db =
        |status: &v1::TenantStatus| status.nodes[0].report.as_ref()?.instances.get("db").cloned();
    let is_unknown = |instance: v1::InstanceReport| {
        instance.phase.is_some_and(|phase| phase.name() == v1::PhaseName::Unknown)
    };
    let status = until(&mut operator, "acme", |status| of_db(status).is_some_and(is_unknown)).await;
    let reason = of_db(&status).unwrap().reason;
    assert!(reason.contains("upgrade the controller"), "{reason}");
    assert_eq!(status.nodes[0].state(), v1::NodeState::Connected);
    assert_eq!(
        status.rollout.unwrap().state(),
        RolloutState::Progressing,
        "the rollout must wait for it"
    );
    // The session continues, and a report that can be read again is used.
    session.report(&report(&given, &running, &BTreeMap::new())).await;
    until(&mut operator, "acme", |status| of_db(status).is_some_and(|db| !is_unknown(db))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_message_of_a_newer_agent_is_ignored_and_a_second_hello_ends_the_session() {
    let (world, host) = one_host().await;
    let mut session = Session::open(&world, &host).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    // A kind of message that this release does not know is read as a message without a kind.
    for _ in 0..2 {
        session.up.send(v1::AgentMessage { kind: None }).await.unwrap();
    }
    session.report(&report(&given, &BTreeMap::new(), &BTreeMap::new())).await;
    let mut operator = world.operator().await;
    until(&mut operator, "acme", |status| status.nodes[0].report.is_some()).await;
    let kind = Some(v1::agent_message::Kind::Hello(hello(None)));
    session.up.send(v1::AgentMessage { kind }).await.unwrap();
    let refused = tokio::time::timeout(crate::world::LIMIT, session.assignment()).await.unwrap();
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_address_changes_with_every_hello_is_refused_for_a_while() {
    let (world, host) = one_host().await;
    let channel = world.channel(&host.credentials).await;
    let mut refused = None;
    for port in 1..5 {
        let hello = v1::Hello { metrics_port: port, ..hello(None) };
        let mut session = Session::open_with_hello(channel.clone(), hello).await.unwrap();
        refused = session.assignment().await.err().or(refused);
    }
    let refused = refused.unwrap();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("too often"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_allows_is_known_from_its_greeting() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let strict = enroll(&fleet.world, "acme", "data", "acme-strict").await;
    let old = enroll(&fleet.world, "acme", "data", "acme-old").await;
    let policy = v1::HostPolicy {
        privileged: true,
        capabilities: vec!["NET_ADMIN".to_owned()],
        problem: "line 3: unknown key".to_owned(),
        ..v1::HostPolicy::default()
    };
    let mut sessions = Vec::new();
    for (host, policy) in [(&strict, Some(policy.clone())), (&old, None)] {
        let channel = fleet.world.channel(&host.credentials).await;
        let hello = v1::Hello { policy, ..hello(None) };
        sessions.push(Session::open_with_hello(channel, hello).await.unwrap());
    }
    until(&mut fleet.operator, "acme", |status| {
        let shown = |name: &str| {
            let node = status.nodes.iter().find(|node| node.node == name);
            node.map(|node| node.policy.clone())
        };
        shown("acme-strict") == Some(Some(policy.clone())) && shown("acme-old") == Some(None)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_of_one_node_changes_no_other_node_of_its_tenant() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let liar = enroll(&fleet.world, "acme", "data", "acme-liar").await;
    let of = |status: &v1::TenantStatus, name: &str| {
        status.nodes.iter().find(|node| node.node == name).unwrap().clone()
    };
    let session = Session::open(&fleet.world, &liar).await.unwrap();
    let before = until(&mut fleet.operator, "acme", |s| {
        s.nodes
            .iter()
            .any(|node| node.node == "acme-liar" && node.state() == v1::NodeState::Connected)
    })
    .await;
    // The report claims instances and failures of the other nodes.
    let voice = of(&before, "acme-voice").report.unwrap();
    let app = of(&before, "acme-app").report.unwrap();
    let mut lie = v1::Report { agent_version: "liar".into(), ..v1::Report::default() };
    lie.instances.extend(voice.instances.into_iter().chain(app.instances));
    let failure = v1::Failure { hash: "a".repeat(64), ..v1::Failure::default() };
    for instance in lie.instances.values_mut() {
        instance.phase =
            Some(v1::Phase { name: v1::PhaseName::Failed.into(), ..v1::Phase::default() });
        instance.failure = Some(failure.clone());
    }
    let kind = Some(v1::agent_message::Kind::Report(lie));
    session.up.send(v1::AgentMessage { kind }).await.unwrap();
    let after = until(&mut fleet.operator, "acme", |status| {
        of(status, "acme-liar").report.is_some_and(|report| report.agent_version == "liar")
    })
    .await;
    for name in ["acme-data", "acme-voice", "acme-app"] {
        assert_eq!(of(&before, name), of(&after, name), "{name}");
    }
    let rollout = |status: &v1::TenantStatus| status.rollout.clone().map(|r| (r.to, r.state));
    assert_eq!(rollout(&before), rollout(&after));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_host_with_the_same_machine_id_is_reported_and_refused() {
    let (world, host) = one_host().await;
    let mut operator = world.operator().await;
    let machine_id = "a".repeat(32);
    let open = async |process_id: &str| {
        let hello = v1::Hello {
            process_id: process_id.into(),
            machine_id: machine_id.clone(),
            ..hello(None)
        };
        let channel = world.channel(&host.credentials).await;
        let mut session = Session::open_with_hello(channel, hello).await.unwrap();
        let assignment = session.assignment().await;
        (session, assignment)
    };
    // Each takes the place of the other, which comes back.
    let (_original, first) = open("original").await;
    let (_copy, second) = open("copy").await;
    let (original, third) = open("original").await;
    for assignment in [&first, &second, &third] {
        assert!(assignment.as_ref().unwrap().is_some());
    }
    let (_copy, refused) = open("copy").await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let words = "duplicate identity: two hosts with the same machine id claim acme-data, at \
                 10.0.0.9 and at 10.0.0.9";
    assert!(refused.message().starts_with(words), "{refused}");
    // The session of the first host continues, and its status reports the copy.
    original.report(&report(&third.unwrap().unwrap(), &BTreeMap::new(), &BTreeMap::new())).await;
    let status = until(&mut operator, "acme", |status| {
        let report = status.nodes[0].report.as_ref();
        report.is_some_and(|report| report.errors.iter().any(|t| t.starts_with(words)))
    })
    .await;
    assert_eq!(status.nodes[0].state(), v1::NodeState::Connected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_host_is_refused_and_reported_and_a_token_admits_another_machine() {
    let (world, host) = one_host().await;
    let mut operator = world.operator().await;
    let as_machine = |digit: &str| v1::Hello { machine_id: digit.repeat(32), ..hello(None) };
    let channel = world.channel(&host.credentials).await;
    let mut first = Session::open_with_hello(channel, as_machine("a")).await.unwrap();
    let given = first.assignment().await.unwrap().unwrap();
    first.report(&report(&given, &BTreeMap::new(), &BTreeMap::new())).await;
    let channel = world.channel(&host.credentials).await;
    let mut copy = Session::open_with_hello(channel, as_machine("b")).await.unwrap();
    let refused = copy.assignment().await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let words = format!(
        "duplicate identity: machine {} and machine {} both claim acme-data",
        "a".repeat(32),
        "b".repeat(32)
    );
    assert!(refused.message().starts_with(&words), "{refused}");
    // The session of the first machine continues, and its status reports the copy.
    let status = until(&mut operator, "acme", |status| {
        let report = status.nodes[0].report.as_ref();
        report.is_some_and(|report| report.errors.iter().any(|t| t.starts_with(&words)))
    })
    .await;
    assert_eq!(status.nodes[0].state(), v1::NodeState::Connected);

    let again = enroll(&world, "acme", "data", "acme-data").await;
    let channel = world.channel(&again.credentials).await;
    let mut other = Session::open_with_hello(channel, as_machine("b")).await.unwrap();
    other.assignment().await.unwrap().unwrap();
    until(&mut operator, "acme", |status| {
        let report = status.nodes[0].report.as_ref();
        report.is_none_or(|report| report.errors.is_empty())
    })
    .await;
}
