//! Tests of joining, renewal, recovery and removal of nodes, and of refused calls.

use std::sync::Arc;

use oml_common::document;
use oml_common::time::Timestamp;
use oml_daemon::env::Clock;
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::{
    Credentials, Fingerprint, Identity, JoinToken, Peer, certificate, connect, enrollment_config,
};
use oml_proto::v1;
use oml_proto::v1::RolloutState;
use oml_proto::v1::agent_client::AgentClient;
use oml_proto::v1::enrollment_client::EnrollmentClient;
use oml_proto::v1::fleet_client::FleetClient;
use omlcontroller::pki::{TokenGrant, TokenValidity, create_token};
use omlcontroller::records::{Batch, Records, keys};
use omlcontroller::store::{Expect, Write};
use rcgen::{CertificateParams, KeyPair};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Code;
use tonic::transport::Channel;

use crate::agent::{Agent, Host, Session, enroll, join, request, token};
use crate::fleet::Fleet;
use crate::world::{LIMIT, SPEC, StoreKind, World, apply, now, until, until_rollout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_admits_one_host_under_the_granted_name_and_roles() {
    let world = World::start(StoreKind::InMemory).await;
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
        status
            .nodes
            .iter()
            .all(|node| node.state() == v1::NodeState::NeverSeen && node.address == "10.0.0.9")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_foreign_or_unknown_token_is_refused() {
    let world = World::start(StoreKind::InMemory).await;
    let grant = TokenGrant { tenant: "acme".parse().unwrap(), roles: vec![], node: None };
    let validity = TokenValidity::from_ms(1000).unwrap();
    let past = oml_common::time::Timestamp(now().0 - 5000);
    let (expired, record) = create_token(&world.authority, grant, past, validity).unwrap();
    let batch = Batch::default().put(&keys::token(record.hash), Expect::Absent, &record);
    Records::new(Arc::clone(&world.store)).commit(batch).await.unwrap();
    let refused = join(&world, &expired.reveal(), "a").await.err().unwrap();
    assert!(refused.message().contains("expired"), "{refused}");

    let unknown = JoinToken::new([7; 32], world.authority.fingerprint()).reveal();
    let refused = join(&world, &unknown, "a").await.err().unwrap();
    assert!(refused.message().contains("not known"), "{refused}");

    // A costly signature is looked at only for a token that is good.
    let unsigned = v1::EnrollRequest {
        token: unknown,
        node: "a".into(),
        csr: b"no request at all".to_vec(),
        address: "10.0.0.9".into(),
    };
    let refused = enrollment(&world).await.enroll(unsigned).await.unwrap_err();
    assert!(refused.message().contains("not known"), "{refused}");

    // The host itself refuses a controller that does not match its token.
    let foreign = enrollment_config(Fingerprint::of(b"another authority"), &Clock::system());
    let address = world.running().enrollment_listen.to_string();
    assert!(connect(&address, Arc::new(foreign), &Proxies::default()).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_hosts_that_use_one_token_at_once_one_joins() {
    let world = World::start(StoreKind::OnDisk).await;
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
async fn a_token_of_a_tenant_that_nobody_knows_is_reported_and_a_dry_run_makes_none() {
    let world = World::start(StoreKind::InMemory).await;
    let mut operator = world.operator().await;
    let mut ask = async |tenant: &str, dry_run: bool| {
        let roles = vec!["voice".into()];
        let tenant = tenant.into();
        let request = v1::CreateTokenRequest { tenant, roles, dry_run, ..Default::default() };
        operator.create_token(request).await.unwrap().into_inner()
    };
    let asked = ask("acme", true).await;
    assert_eq!((asked.token.as_str(), asked.new_tenant.unwrap().is_first), ("", true));
    let made = ask("acme", false).await;
    assert!(made.new_tenant.unwrap().is_first);
    assert_eq!(ask("acme", true).await.new_tenant, None, "somebody has made a token for it");
    join(&world, &made.token, "acme-voice").await.unwrap();
    let nearest = |near: &str| Some(v1::NewTenant { nearest: near.into(), is_first: false });
    assert_eq!(ask("amce", true).await.new_tenant, nearest("acme"));
    assert_eq!(ask("zzz", false).await.new_tenant, nearest(""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_calls_are_in_the_audit_trail_with_their_callers() {
    let world = World::start(StoreKind::InMemory).await;
    let node = world.credentials(&"oml://node/acme/acme-voice".parse().unwrap());
    let mut as_node = oml_proto::v1::fleet_client::FleetClient::new(world.channel(&node).await);
    for _ in 0..3 {
        let request = v1::RemoveNodeRequest { tenant: "acme".into(), node: "acme-voice".into() };
        as_node.remove_node(request).await.unwrap_err();
    }
    let made = token(&world, "acme", "voice", "acme-voice").await;
    assert!(join(&world, &made, "acme-data").await.is_err(), "the token names another host");
    world.running().ops.audit.write_refusals().await;
    let lines = world.store.list("audit/").await.unwrap();
    let lines: Vec<String> =
        lines.iter().map(|(_, line)| String::from_utf8_lossy(&line.value).into_owned()).collect();
    let has =
        |who: &str, what: &str| lines.iter().any(|line| line.contains(who) && line.contains(what));
    assert!(
        has("oml://node/acme/acme-voice", "was refused 3 times: /oml.v1.Fleet/RemoveNode: "),
        "{lines:?}"
    );
    assert!(
        has("a host without certificate at 127.0.0.1", "was refused: /oml.v1.Enrollment/Enroll: "),
        "{lines:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_without_components_is_a_mistake() {
    let world = World::start(StoreKind::InMemory).await;
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
async fn no_certificate_is_accepted_by_the_service_of_the_other_kind() {
    let world = World::start(StoreKind::InMemory).await;
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
    // The enrolment port serves only enrolment.
    let config = Arc::new(enrollment_config(world.authority.fingerprint(), &Clock::system()));
    let channel =
        connect(&world.running().enrollment_listen.to_string(), config, &Proxies::default())
            .await
            .unwrap();
    let refused = FleetClient::new(channel).who_am_i(v1::WhoAmIRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_never_see_each_other() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let other = enroll(&fleet.world, "zephyr", "data", "acme-data").await;
    let spec = SPEC
        .replace("tenant: acme", "tenant: zephyr")
        .replace("  voice: \"1\"   # the one that changes\n  web: \"1\"\n", "");
    apply(&mut fleet.operator, &spec).await.unwrap();
    let mut session = Session::open(&fleet.world, &other).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    assert_eq!(given.tenant.as_str(), "zephyr");
    assert!(!document::write(&given).contains("acme\""), "{}", document::write(&given));
    // A node of the same name in another tenant does not affect this tenant.
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
async fn a_certificate_is_renewed_and_an_expired_one_is_replaced_for_its_own_key() {
    let world = World::start(StoreKind::InMemory).await;
    let host = enroll(&world, "acme", "voice", "voice1").await;
    let host2 = renewed(&world, &host).await;
    // The old certificate is valid until the new one is shown, because the reply may be
    // lost.
    Session::open(&world, &host).await.unwrap();
    let session = Session::open(&world, &host2).await.unwrap();
    let mut operator = world.operator().await;
    until(&mut operator, "acme", |status| status.nodes[0].state() == v1::NodeState::Connected)
        .await;
    drop(session);
    let stale = Session::open(&world, &host).await.unwrap().assignment().await.unwrap_err();
    assert_eq!(stale.code(), Code::PermissionDenied);
    assert!(stale.message().contains("copy of the host"), "{stale}");

    let mut enrollment = enrollment(&world).await;
    let certificate = certificate(&host2.credentials.certificate_pem, "test").unwrap().to_vec();
    let (other_key, _) = request();
    let wrong = v1::RecoverRequest { certificate: certificate.clone(), csr: other_key };
    let refused = enrollment.recover(wrong).await.unwrap_err();
    assert!(refused.message().contains("not for the key"), "{refused}");
    let key = KeyPair::from_pem(&host2.credentials.key_pem).unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap();
    let right = v1::RecoverRequest { certificate, csr: csr.der().to_vec() };
    let recovered = enrollment.recover(right).await.unwrap().into_inner();
    assert_eq!(recovered.node, "voice1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_renews_repeatedly_writes_nothing() {
    let world = World::start(StoreKind::InMemory).await;
    let host = enroll(&world, "acme", "voice", "voice1").await;
    backdate_certificate(&world, "voice1").await;
    let mut agent = AgentClient::new(world.channel(&host.credentials).await);
    let (csr, _key) = request();
    let first = agent.renew(v1::RenewRequest { csr: csr.clone() }).await.unwrap().into_inner();
    let before = world.store.list("").await.unwrap();
    // The reply may have been lost, so a repeated request returns the same certificate.
    let again = agent.renew(v1::RenewRequest { csr }).await.unwrap().into_inner();
    let [first, again] = [first, again].map(|given| {
        Peer::from_certificate(&certificate(&given.certificate_pem, "test").unwrap()).unwrap()
    });
    assert_eq!(first, again);
    let refused = agent.renew(v1::RenewRequest { csr: request().0 }).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("a moment ago"), "{refused}");
    assert_eq!(world.store.list("").await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_renewed_after_the_backup_is_accepted_after_the_restore() {
    let world = World::start(StoreKind::InMemory).await;
    let host = enroll(&world, "acme", "voice", "voice1").await;
    let key = keys::node(&"acme".parse().unwrap(), &"voice1".parse().unwrap());
    let records = Records::new(Arc::clone(&world.store));
    let saved = records.get(&key).await.unwrap().unwrap().value;
    let restore = || records.commit(Batch::default().put(&key, Expect::Any, &saved));
    let newer = renewed(&world, &host).await;

    restore().await.unwrap();
    let _session = Session::open(&world, &newer).await.unwrap();
    until(&mut world.operator().await, "acme", |s| s.nodes[0].state() == v1::NodeState::Connected)
        .await;
    let copy = Session::open(&world, &host).await.unwrap().assignment().await.unwrap_err();
    assert!(copy.message().contains("copy of the host"), "{copy}");

    let newest = renewed(&world, &newer).await;
    restore().await.unwrap();
    let ended = certificate(&newest.credentials.certificate_pem, "test").unwrap().to_vec();
    let key = KeyPair::from_pem(&newest.credentials.key_pem).unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
    let asked = v1::RecoverRequest { certificate: ended, csr };
    enrollment(&world).await.recover(asked).await.unwrap();
}

/// Moves the time of issue of the node's newest certificate into the past.
async fn backdate_certificate(world: &World, node: &str) {
    let key = keys::node(&"acme".parse().unwrap(), &node.parse().unwrap());
    let records = Records::new(Arc::clone(&world.store));
    let mut node = records.get(&key).await.unwrap().unwrap().value;
    node.certificates.current.issued = Timestamp(0);
    records.commit(Batch::default().put(&key, Expect::Any, &node)).await.unwrap();
}

/// Renews a host's certificate, some time after the last renewal.
async fn renewed(world: &World, host: &Host) -> Host {
    backdate_certificate(world, &host.node).await;
    let mut agent = AgentClient::new(world.channel(&host.credentials).await);
    let (csr, key) = request();
    let given = agent.renew(v1::RenewRequest { csr }).await.unwrap().into_inner();
    let certificate_pem = given.certificate_pem;
    let ca_pem = host.credentials.ca_pem.clone();
    let credentials = Credentials { ca_pem, certificate_pem, key_pem: key.serialize_pem() };
    Host { node: host.node.clone(), credentials }
}

async fn enrollment(world: &World) -> EnrollmentClient<Channel> {
    let config = Arc::new(enrollment_config(world.authority.fingerprint(), &Clock::system()));
    let address = world.running().enrollment_listen.to_string();
    EnrollmentClient::new(connect(&address, config, &Proxies::default()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_is_disconnected_at_once_and_its_certificate_is_refused() {
    let mut fleet = Fleet::installed(StoreKind::OnDisk).await;
    let host = enroll(&fleet.world, "acme", "voice", "voice9").await;
    let mut session = Session::open(&fleet.world, &host).await.unwrap();
    until(&mut fleet.operator, "acme", |s| {
        s.nodes.iter().any(|n| n.node == "voice9" && n.state() == v1::NodeState::Connected)
    })
    .await;
    let remove = v1::RemoveNodeRequest { tenant: "acme".into(), node: "voice9".into() };
    fleet.operator.remove_node(remove.clone()).await.unwrap();
    assert_eq!(session.assignment().await.unwrap_err().code(), Code::Unauthenticated);
    assert!(Session::open(&fleet.world, &host).await.is_err());
    fleet.world.restart().await;
    let channel = oml_daemon::tls::client_config(&host.credentials, &Clock::system()).unwrap();
    let address = fleet.world.running().listen.to_string();
    // With TLS 1.3 the client sees the refusal at its first call.
    if let Ok(channel) = connect(&address, Arc::new(channel), &Proxies::default()).await {
        assert!(
            Session::over(channel, None).await.is_err(),
            "it must be refused after a restart too"
        );
    }
    let again = fleet.operator.remove_node(remove).await.unwrap_err();
    assert!(oml_proto::problem::from_status(&again).is_some(), "{again}");
    let status = until(&mut fleet.operator, "acme", |_| true).await;
    assert_eq!(status.nodes.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_joins_again_continues_its_generations() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let mut before = until(&mut fleet.operator, "acme", |_| true).await;
    let before = before.nodes.remove(2);
    fleet.agents.clear();
    let remove = v1::RemoveNodeRequest { tenant: "acme".into(), node: before.node.clone() };
    fleet.operator.remove_node(remove).await.unwrap();
    let host = enroll(&fleet.world, "acme", "voice", &before.node).await;
    let mut session = Session::open(&fleet.world, &host).await.unwrap();
    // Nothing has changed in between, so the node gets the same assignment with the same
    // generation.
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
async fn a_node_that_joins_again_after_a_change_without_it_gets_an_undecided_assignment() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let mut before = until(&mut fleet.operator, "acme", |_| true).await;
    let before = before.nodes.remove(2);
    let remove = v1::RemoveNodeRequest { tenant: "acme".into(), node: before.node.clone() };
    fleet.operator.remove_node(remove).await.unwrap();
    let without = SPEC.replace("  voice: \"1\"   # the one that changes\n", "");
    apply(&mut fleet.operator, &without).await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let host = enroll(&fleet.world, "acme", "voice", &before.node).await;
    let mut session = Session::open(&fleet.world, &host).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    assert_eq!(given.content, Default::default(), "the assignment must be undecided");
    let number = before.assigned.unwrap().number;
    assert!(given.generation.number > number, "an agent that kept its state must accept it");
    // The node gets its share with the next change.
    apply(&mut fleet.operator, SPEC).await.unwrap();
    let given = session.assignment().await.unwrap().unwrap();
    assert_eq!(given.content.share.instances.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_without_a_removed_node_does_not_wait_for_it() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let extra = enroll(&fleet.world, "acme", "voice", "zz-voice").await;
    let agent = Agent::start(&fleet.world, extra, Arc::clone(&fleet.log)).await;
    assert!(apply(&mut fleet.operator, SPEC).await.unwrap().changed);
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let remove = v1::RemoveNodeRequest { tenant: "acme".into(), node: "zz-voice".into() };
    fleet.operator.remove_node(remove).await.unwrap();
    drop(agent);
    assert!(apply(&mut fleet.operator, SPEC).await.unwrap().changed);
    let status = until_rollout(&mut fleet.operator, 3, RolloutState::Completed).await;
    assert_eq!(status.nodes.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_to_the_enrolment_port_is_closed() {
    let world = World::start(StoreKind::InMemory).await;
    let config = Arc::new(enrollment_config(world.authority.fingerprint(), &Clock::system()));
    let tcp = TcpStream::connect(world.running().enrollment_listen).await.unwrap();
    let name = "controller".try_into().unwrap();
    let mut silent = TlsConnector::from(config).connect(name, tcp).await.unwrap();
    let mut received = Vec::new();
    let closed = tokio::time::timeout(LIMIT, silent.read_to_end(&mut received)).await;
    // The connection may end in order or by a reset.
    assert!(closed.is_ok(), "the connection is still open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_issued_in_the_future_is_replaced_at_once() {
    let world = World::start(StoreKind::InMemory).await;
    let host = enroll(&world, "acme", "voice", "voice1").await;
    let key = keys::node(&"acme".parse().unwrap(), &"voice1".parse().unwrap());
    let records = Records::new(Arc::clone(&world.store));
    let mut node = records.get(&key).await.unwrap().unwrap().value;
    let current = &mut node.certificates.current;
    current.issued = now().plus_ms(24 * 3_600_000);
    current.expires = current.issued.plus_ms(3_600_000);
    records.commit(Batch::default().put(&key, Expect::Any, &node)).await.unwrap();
    let shown = certificate(&host.credentials.certificate_pem, "test").unwrap().to_vec();
    let own = KeyPair::from_pem(&host.credentials.key_pem).unwrap();
    let csr = CertificateParams::default().serialize_request(&own).unwrap();
    let asked = v1::RecoverRequest { certificate: shown, csr: csr.der().to_vec() };
    let given = enrollment(&world).await.recover(asked).await.unwrap().into_inner();
    let given = certificate(&given.certificate_pem, "test").unwrap();
    let given = Peer::from_certificate(&given).unwrap();
    assert!(given.issued <= now() && given.serial > node.certificates.current.serial);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_with_a_damaged_record_is_refused_with_any_certificate() {
    let mut world = World::start(StoreKind::InMemory).await;
    let write = |key: &str, text: &[u8]| {
        let write = Write::put(key, Expect::Any, text.to_vec());
        world.store.commit(vec![write])
    };
    write("operators/maria", b"{\"newest\": 1").await.unwrap();
    world.restart().await;
    let called = async |name: &str| {
        let identity = Identity::Operator(name.parse().unwrap());
        let mut fleet = FleetClient::new(world.channel(&world.credentials(&identity)).await);
        fleet.who_am_i(v1::WhoAmIRequest {}).await
    };
    called("maria").await.unwrap_err();
    called("joe").await.unwrap();
}

/// Returns the limit of concurrent calls per connection, from the first HTTP/2 SETTINGS
/// frame.
async fn concurrent_calls_max(address: std::net::SocketAddr, config: rustls::ClientConfig) -> u32 {
    const SETTINGS: u8 = 4;
    const MAX_CONCURRENT_STREAMS: u16 = 3;
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = "controller".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], SETTINGS);
    let mut settings = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
    stream.read_exact(&mut settings).await.unwrap();
    let of = |setting: &&[u8]| u16::from_be_bytes([setting[0], setting[1]]);
    let found = settings.chunks(6).find(|setting| of(setting) == MAX_CONCURRENT_STREAMS).unwrap();
    u32::from_be_bytes(found[2..].try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_are_limited_and_so_are_messages_without_a_certificate() {
    let world = World::start(StoreKind::InMemory).await;
    let unknown = enrollment_config(world.authority.fingerprint(), &Clock::system());
    assert_eq!(concurrent_calls_max(world.running().enrollment_listen, unknown).await, 4);
    let host = enroll(&world, "acme", "voice", "voice1").await;
    let known = oml_daemon::tls::client_config(&host.credentials, &Clock::system()).unwrap();
    assert_eq!(concurrent_calls_max(world.running().listen, known).await, 8);
    let long = v1::RecoverRequest { certificate: vec![0; 20 << 10], csr: Vec::new() };
    let refused = enrollment(&world).await.recover(long).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
}
