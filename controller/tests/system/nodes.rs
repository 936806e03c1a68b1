//! Hosts that join, renew, come back, are removed, and try what they may not.

use std::sync::Arc;

use oml_proto::tls::{
    Credentials, Fingerprint, Identity, JoinToken, certificate, connect, enrollment_config,
};
use oml_proto::v1;
use oml_proto::v1::agent_client::AgentClient;
use oml_proto::v1::enrollment_client::EnrollmentClient;
use oml_proto::v1::fleet_client::FleetClient;
use omlcontroller::pki::{TokenGrant, TokenRecord, TokenValidity};
use omlcontroller::records::{Batch, Records, keys};
use omlcontroller::store::Expect;
use tonic::Code;

use crate::agent::{Agent, Session, enroll, join, request, token};
use crate::fleet::Fleet;
use crate::world::{Kept, SPEC, World, apply, now, until, until_rollout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_lets_one_host_in_and_only_as_what_it_says() {
    let world = World::start(Kept::InMemory).await;
    let bound = token(&world, "acme", "voice", "voice1").await;
    let refused = join(&world, &bound, "voice2").await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("another name"), "{refused}");
    join(&world, &bound, "voice1").await.unwrap();
    let refused = join(&world, &bound, "voice1").await.err().unwrap();
    assert!(refused.message().contains("already used"), "{refused}");

    let free = token(&world, "acme", "data", "").await;
    let taken = join(&world, &free, "voice1").await.err().unwrap();
    assert_eq!(taken.code(), Code::AlreadyExists);
    join(&world, &free, "data1").await.unwrap();
    let mut operator = world.operator().await;
    let status = until(&mut operator, "acme", |_| true).await;
    let roles: Vec<_> =
        status.nodes.iter().map(|n| (n.node.as_str(), n.roles[0].as_str())).collect();
    assert_eq!(roles, [("data1", "data"), ("voice1", "voice")]);
    assert!(
        status.nodes.iter().all(|node| node.state == "never-seen" && node.address == "10.0.0.9")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_foreign_or_unknown_token_lets_nobody_in() {
    let world = World::start(Kept::InMemory).await;
    let grant = TokenGrant { tenant: "acme".parse().unwrap(), roles: vec![], node: None };
    let validity = TokenValidity::from_ms(1000).unwrap();
    let past = oml_common::time::Timestamp(now().0 - 5000);
    let (expired, record) = TokenRecord::create(&world.authority, grant, past, validity).unwrap();
    let batch = Batch::default().put(&keys::token(record.hash), Expect::Absent, &record);
    Records::new(Arc::clone(&world.store)).commit(batch).await.unwrap();
    let refused = join(&world, &expired.reveal(), "a").await.err().unwrap();
    assert!(refused.message().contains("expired"), "{refused}");

    let unknown = JoinToken::new([7; 32], world.authority.fingerprint()).reveal();
    let refused = join(&world, &unknown, "a").await.err().unwrap();
    assert!(refused.message().contains("not known"), "{refused}");

    // The host itself turns away from a controller that its token does not name.
    let foreign = enrollment_config(Fingerprint::of(b"another authority"));
    let address = world.running().enrollment_listen.to_string();
    assert!(connect(&address, Arc::new(foreign)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_use_one_token_at_once_one_gets_in() {
    let world = World::start(Kept::OnDisk).await;
    let shared = token(&world, "acme", "voice", "").await;
    let racers = (0..32).map(|n| {
        let (world, shared) = (&world, shared.as_str());
        async move { join(world, shared, &format!("voice{n}")).await.is_ok() }
    });
    let outcomes = futures_util::future::join_all(racers).await;
    assert_eq!(outcomes.into_iter().filter(|joined| *joined).count(), 1);
    let status = until(&mut world.operator().await, "acme", |_| true).await;
    assert_eq!(status.nodes.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_nothing_is_for_is_a_mistake() {
    let world = World::start(Kept::InMemory).await;
    let request = v1::CreateTokenRequest {
        tenant: "acme".into(),
        roles: vec!["voce".into()],
        ..Default::default()
    };
    let refused = world.operator().await.create_token(request).await.unwrap_err();
    let problems = oml_proto::problem::from_status(&refused).unwrap();
    assert_eq!(problems.0[0].hint.as_deref(), Some("did you mean voice?"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_certificate_opens_the_other_sides_service() {
    let world = World::start(Kept::InMemory).await;
    let host = enroll(&world, "acme", "voice", "voice1").await;
    let mut fleet = FleetClient::new(world.channel(&host.credentials).await);
    let refused = fleet.get_status(v1::StatusRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = apply(&mut fleet, SPEC).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    let maria = Identity::Operator("maria".parse().unwrap());
    let channel = world.channel(&world.credentials(&maria)).await;
    let refused = Session::over(channel.clone(), None).await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = AgentClient::new(channel).renew(v1::RenewRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    // The enrolment port knows nothing but enrolment.
    let config = Arc::new(enrollment_config(world.authority.fingerprint()));
    let channel = connect(&world.running().enrollment_listen.to_string(), config).await.unwrap();
    let refused = FleetClient::new(channel).who_am_i(v1::WhoAmIRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_never_see_each_other() {
    let mut fleet = Fleet::installed(Kept::InMemory).await;
    let other = enroll(&fleet.world, "zephyr", "data", "acme-data").await;
    let spec = SPEC
        .replace("tenant: acme", "tenant: zephyr")
        .replace("  voice: \"1\"   # the one that changes\n  web: \"1\"\n", "");
    apply(&mut fleet.operator, &spec).await.unwrap();
    let mut session = Session::open(&fleet.world, &other).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    assert_eq!(given.tenant.as_str(), "zephyr");
    assert!(!given.to_document().contains("acme\""), "{}", given.to_document());
    // Of the same name, but another tenant's: its words change nothing here.
    let before = until(&mut fleet.operator, "acme", |_| true).await;
    let mut words = crate::agent::report(&given, &Default::default(), &Default::default());
    words.agent_version = "canary".into();
    session.report(&words).await;
    until(&mut fleet.operator, "zephyr", |status| {
        status.nodes[0].report.as_ref().is_some_and(|report| report.agent_version == "canary")
    })
    .await;
    let after = until(&mut fleet.operator, "acme", |_| true).await;
    assert_eq!(before.nodes, after.nodes);
    let request = v1::ListRevisionsRequest { tenant: "zephyr".into() };
    assert_eq!(
        fleet.operator.list_revisions(request).await.unwrap().into_inner().revisions.len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_and_an_ended_one_is_replaced_for_its_own_key() {
    let world = World::start(Kept::InMemory).await;
    let host = enroll(&world, "acme", "voice", "voice1").await;
    let mut agent = AgentClient::new(world.channel(&host.credentials).await);
    let (csr, key) = request();
    let renewed = agent.renew(v1::RenewRequest { csr }).await.unwrap().into_inner();
    assert_eq!((renewed.tenant.as_str(), renewed.node.as_str()), ("acme", "voice1"));
    let newer = Credentials {
        certificate_pem: renewed.certificate_pem,
        key_pem: key.serialize_pem(),
        ..host.credentials.clone()
    };
    // Until the new one is shown, the old one is good: it may have been lost on the way.
    Session::open(&world, &host).await.unwrap();
    let host2 = crate::agent::Host { credentials: newer.clone(), ..host.clone() };
    let session = Session::open(&world, &host2).await.unwrap();
    let mut operator = world.operator().await;
    until(&mut operator, "acme", |status| status.nodes[0].state == "connected").await;
    drop(session);
    let stale = Session::open(&world, &host).await.unwrap().assignment().await.unwrap_err();
    assert_eq!(stale.code(), Code::PermissionDenied);
    assert!(stale.message().contains("copy of the host"), "{stale}");

    let config = Arc::new(enrollment_config(world.authority.fingerprint()));
    let channel = connect(&world.running().enrollment_listen.to_string(), config).await.unwrap();
    let mut enrollment = EnrollmentClient::new(channel);
    let certificate = certificate(&newer.certificate_pem, "test").unwrap().to_vec();
    let (other_key, _) = request();
    let wrong = v1::RecoverRequest { certificate: certificate.clone(), csr: other_key };
    let refused = enrollment.recover(wrong).await.unwrap_err();
    assert!(refused.message().contains("not for the key"), "{refused}");
    let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    let right = v1::RecoverRequest { certificate, csr: csr.der().to_vec() };
    let recovered = enrollment.recover(right).await.unwrap().into_inner();
    assert_eq!(recovered.node, "voice1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_is_cut_at_once_and_its_certificate_is_worth_nothing() {
    let mut fleet = Fleet::installed(Kept::OnDisk).await;
    let host = enroll(&fleet.world, "acme", "voice", "voice9").await;
    let mut session = Session::open(&fleet.world, &host).await.unwrap();
    until(&mut fleet.operator, "acme", |s| {
        s.nodes.iter().any(|n| n.node == "voice9" && n.state == "connected")
    })
    .await;
    let remove = v1::RemoveNodeRequest { tenant: "acme".into(), node: "voice9".into() };
    fleet.operator.remove_node(remove.clone()).await.unwrap();
    assert_eq!(session.assignment().await.unwrap_err().code(), Code::Unauthenticated);
    assert!(Session::open(&fleet.world, &host).await.is_err());
    fleet.world.restart().await;
    let channel = oml_proto::tls::client_config(&host.credentials).unwrap();
    let address = fleet.world.running().listen.to_string();
    // With TLS 1.3 the refusal comes with the first call.
    if let Ok(channel) = connect(&address, Arc::new(channel)).await {
        assert!(Session::over(channel, None).await.is_err(), "it is refused after a restart too");
    }
    let again = fleet.operator.remove_node(remove).await.unwrap_err();
    assert!(oml_proto::problem::from_status(&again).is_some(), "{again}");
    let status = until(&mut fleet.operator, "acme", |_| true).await;
    assert_eq!(status.nodes.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_joins_again_goes_on_with_higher_numbers() {
    let mut fleet = Fleet::installed(Kept::InMemory).await;
    let mut before = until(&mut fleet.operator, "acme", |_| true).await;
    let before = before.nodes.remove(2);
    fleet.agents.clear();
    let remove = v1::RemoveNodeRequest { tenant: "acme".into(), node: before.node.clone() };
    fleet.operator.remove_node(remove).await.unwrap();
    let host = enroll(&fleet.world, "acme", "voice", &before.node).await;
    let mut session = Session::open(&fleet.world, &host).await.unwrap();
    // Nothing was changed meanwhile, so it gets what it had, under the number it had.
    let given = session.assignment().await.unwrap().unwrap();
    assert_eq!(oml_proto::report::generation_to_wire(given.generation), before.assigned.unwrap());
    let _agent = Agent::start(&fleet.world, host, Arc::clone(&fleet.log)).await;
    drop(session);
    crate::world::set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    let status = until(&mut fleet.operator, "acme", |status| {
        status.nodes.iter().any(|node| node.node == before.node && node.target == 2)
    })
    .await;
    let number = |node: &v1::NodeStatus| node.assigned.as_ref().map(|assigned| assigned.number);
    assert!(number(&status.nodes[2]) >= number(&before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_joins_again_after_a_change_without_it_leaves_its_host_alone() {
    let mut fleet = Fleet::installed(Kept::InMemory).await;
    let mut before = until(&mut fleet.operator, "acme", |_| true).await;
    let before = before.nodes.remove(2);
    let remove = v1::RemoveNodeRequest { tenant: "acme".into(), node: before.node.clone() };
    fleet.operator.remove_node(remove).await.unwrap();
    let without = SPEC.replace("  voice: \"1\"   # the one that changes\n", "");
    apply(&mut fleet.operator, &without).await.unwrap();
    until_rollout(&mut fleet.operator, 2, "completed").await;
    let host = enroll(&fleet.world, "acme", "voice", &before.node).await;
    let mut session = Session::open(&fleet.world, &host).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    assert_eq!(given.content, Default::default(), "nothing is decided of it");
    let number = before.assigned.unwrap().number;
    assert!(given.generation.number > number, "an agent that kept its state takes it");
    // Its share comes with the next change.
    apply(&mut fleet.operator, SPEC).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    assert_eq!(given.content.instances.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_without_a_removed_node_does_not_wait_for_it() {
    let mut fleet = Fleet::installed(Kept::InMemory).await;
    let extra = enroll(&fleet.world, "acme", "voice", "zz-voice").await;
    let agent = Agent::start(&fleet.world, extra, Arc::clone(&fleet.log)).await;
    assert!(apply(&mut fleet.operator, SPEC).await.unwrap().changed);
    until_rollout(&mut fleet.operator, 2, "completed").await;
    let remove = v1::RemoveNodeRequest { tenant: "acme".into(), node: "zz-voice".into() };
    fleet.operator.remove_node(remove).await.unwrap();
    drop(agent);
    assert!(apply(&mut fleet.operator, SPEC).await.unwrap().changed);
    let status = until_rollout(&mut fleet.operator, 3, "completed").await;
    assert_eq!(status.nodes.len(), 3);
}
