//! Tests of what is kept of the certificates of tenants, and of requests that are repeated.

use oml_daemon::env::Random;
use oml_proto::v1;
use oml_proto::v1::RolloutState;
use omlcontroller::seal::{KEY_FILE, new_key};
use tonic::{Code, Status};

use crate::fleet::Fleet;
use crate::tls::{CUSTOM, SELF_SIGNED, chain, chain_until, spec, text};
use crate::world::{SPEC, StoreKind, apply, until, until_rollout};

impl Fleet {
    /// Renews the certificate twice under one operation id, as after a lost answer.
    async fn renew_twice(&mut self) -> [v1::ChangeReply; 2] {
        let options = Some(v1::ChangeOptions { op_id: "one".to_owned(), ..Default::default() });
        let tenant = "acme".to_owned();
        let request = v1::RenewCertificateRequest { tenant, new_authority: true, options };
        let first = self.operator.renew_certificate(request.clone()).await.unwrap();
        let second = self.operator.renew_certificate(request).await.unwrap();
        [first, second].map(tonic::Response::into_inner)
    }

    async fn remove_secret(&mut self, name: &str) -> Result<(), Status> {
        let request = v1::RemoveSecretRequest { tenant: "acme".into(), name: name.to_owned() };
        self.operator.remove_secret(request).await.map(drop)
    }

    /// The numbers of the kept versions of a secret.
    pub(crate) async fn kept(&mut self, name: &str) -> Vec<u64> {
        let secrets = self.secrets().await.secrets;
        secrets.into_iter().find(|it| it.name == name).map(|it| it.kept).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authority_of_a_tenant_is_not_removed_while_its_document_asks_for_it() {
    let mut fleet = Fleet::self_signed().await;
    let before = fleet.tls().await;
    for name in ["tls_certificate", "tls_key", "tls_ca", "tls_ca_key"] {
        let error = fleet.remove_secret(name).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        assert!(error.message().contains("omlctl tls renew tenant=acme"), "{error}");
    }
    fleet.renew(false).await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    assert_eq!(fleet.tls().await.authority, before.authority, "browsers know it");
    // With a given certificate it signs nothing any more.
    let (certificate, key) = chain("pbx.example.com");
    let own = spec("tls: {mode: selfsigned, names: [pbx.example.com]}");
    apply(&mut fleet.operator, &own).await.unwrap();
    fleet.set_certificate(&certificate, &key, false).await.unwrap();
    apply(&mut fleet.operator, &spec(CUSTOM)).await.unwrap();
    until_rollout(&mut fleet.operator, 4, RolloutState::Completed).await;
    assert!(fleet.remove_secret("tls_certificate").await.is_err());
    fleet.remove_secret("tls_ca").await.unwrap();
    fleet.remove_secret("tls_ca_key").await.unwrap();
    // The way back leads to a new one, which is said.
    let back = apply(&mut fleet.operator, &own).await.unwrap();
    assert_eq!(back.notes.len(), 1, "{back:?}");
    assert!(back.notes[0].contains("omlctl tls show tenant=acme --ca"), "{back:?}");
    until_rollout(&mut fleet.operator, 5, RolloutState::Completed).await;
    let after = fleet.tls().await;
    assert!(after.authority.is_some() && after.authority != before.authority);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_asked_for_again_with_its_id_is_made_once() {
    let mut fleet = Fleet::self_signed().await;
    let [first, again] = fleet.renew_twice().await;
    assert_eq!((first.revision, first.changed), (2, true));
    assert_eq!((again.revision, again.changed), (2, true));
    assert_eq!(again.certificate, first.certificate, "{again:?}");
    assert_eq!(fleet.kept("tls_certificate").await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unused_certificate_that_is_asked_for_again_with_its_id_is_made_once() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    let (certificate, key) = chain("pbx.example.com");
    let options = Some(v1::ChangeOptions { op_id: "given".to_owned(), ..Default::default() });
    let (given, of_key) = (text(&certificate), text(&key));
    let tenant = "acme".to_owned();
    let request = v1::SetCertificateRequest { tenant, certificate: given, key: of_key, options };
    for _ in 0..2 {
        let reply = fleet.operator.set_certificate(request.clone()).await.unwrap().into_inner();
        assert_eq!((reply.changed, reply.text_changed, reply.revision), (false, false, 0));
        assert_eq!(reply.certificate.unwrap().version, 1);
    }
    assert_eq!(fleet.kept("tls_certificate").await, [1]);
    // Another key under the same id is another request.
    let (_, other) = chain("pbx.example.com");
    let request = v1::SetCertificateRequest { key: text(&other), ..request };
    let error = fleet.operator.set_certificate(request).await.unwrap_err();
    assert!(error.message().contains("operation given was another change"), "{error}");

    // The document asks for a certificate, and no component uses it.
    let unused = SPEC.replace("components:", &format!("{SELF_SIGNED}\ncomponents:"));
    apply(&mut fleet.operator, &unused).await.unwrap();
    until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
    let [first, again] = fleet.renew_twice().await;
    assert_eq!((first.revision, first.changed), (1, false));
    assert_eq!((again.certificate, again.changed), (first.certificate, false));
    assert_eq!(fleet.kept("tls_ca").await.len(), 1);
    assert_eq!(fleet.tls().await.certificate.unwrap().version, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_replaced_after_the_key_of_the_secrets_was_lost() {
    let mut fleet = Fleet::self_signed().await;
    let key = fleet.world.settings.data_dir.join(KEY_FILE);
    std::fs::write(&key, &*new_key(&Random::system()).unwrap()).unwrap();
    fleet.restart().await;
    let problem = fleet.secrets().await.problem;
    assert!(problem.starts_with("4 of 4 secrets were sealed with another key ("), "{problem}");
    assert!(problem.contains("omlctl tls renew --new-ca"), "{problem}");
    let error = fleet.renew(false).await.unwrap_err();
    assert!(error.message().contains("was sealed with the key"), "{error}");
    // A document alone makes none: the right key may still be put back.
    let other = spec("tls: {mode: selfsigned, names: [www.example.com]}");
    let error = apply(&mut fleet.operator, &other).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition, "{error}");
    let reply = fleet.renew(true).await.unwrap();
    assert_eq!((reply.revision, reply.certificate.unwrap().version), (2, 2));
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    assert_eq!(fleet.secrets().await.problem, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_counts_until_its_successor_has_reached_every_host() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    let (certificate, key) = chain_until("pbx.example.com", 2090);
    fleet.set_certificate(&certificate, &key, false).await.unwrap();
    apply(&mut fleet.operator, &spec(CUSTOM)).await.unwrap();
    until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
    // The host of the voice server is unreachable, so that it keeps what it has.
    fleet.agents.remove(1);
    let (certificate, key) = chain("pbx.example.com");
    let reply = fleet.set_certificate(&certificate, &key, false).await.unwrap();
    assert_eq!((reply.revision, reply.certificate.unwrap().version), (2, 2));
    let status = until(&mut fleet.operator, "acme", |status| {
        status.rollout.as_ref().is_some_and(|r| r.reason.contains("acme-voice is unreachable"))
    })
    .await;
    assert_eq!(status.certificate.unwrap().version, 1);
    assert_eq!(fleet.tls().await.certificate.unwrap().version, 2, "what the tenant should have");
}
