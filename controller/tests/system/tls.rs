//! Tests of the certificates of tenants.

use oml_proto::v1;
use oml_proto::v1::RolloutState;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tonic::{Code, Status};

use crate::agent::{Session, enroll};
use crate::changes::problems;
use crate::fleet::Fleet;
use crate::web;
use crate::world::{SPEC, StoreKind, World, apply, set_version, until_rollout};

pub(crate) const SELF_SIGNED: &str = "tls: {mode: selfsigned, names: [pbx.example.com, 10.0.0.5]}";
pub(crate) const CUSTOM: &str = "tls: {mode: custom, names: [pbx.example.com]}";

/// The specification, whose voice server has the certificate and its key as files.
pub(crate) fn spec(tls: &str) -> String {
    let secrets = "{CERT_FILE: {name: tls_certificate, from: controller, file: /certs/cert.pem}, \
                   KEY_FILE: {name: tls_key, from: controller, file: /certs/key.pem}}";
    let line = format!("  voice: {{version: \"1\", secrets: {secrets}}}");
    let spec = SPEC.replace("  voice: \"1\"   # the one that changes", &line);
    let with_tls = spec.replace("components:", &format!("{tls}\ncomponents:"));
    assert!(spec != SPEC && with_tls != spec);
    with_tls
}

pub(crate) fn text(text: &str) -> Option<v1::NewSecretValue> {
    Some(v1::NewSecretValue { value: text.to_owned(), generate_length: 0 })
}

/// A certificate for a name, the one that signed it, and its key, in PEM.
pub(crate) fn chain(name: &str) -> (String, String) {
    chain_until(name, 2099)
}

/// The same of a certificate that ends with the year before this one.
pub(crate) fn chain_until(name: &str, year: i32) -> (String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let of_authority = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    (certificate + &of_authority, key.serialize_pem())
}

/// All problems of a refusal.
fn said(refused: &Status) -> String {
    let problems = problems(refused);
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn notes(reply: &v1::ChangeReply) -> Vec<&str> {
    reply.changes.iter().map(|change| change.note.as_str()).collect()
}

impl Fleet {
    pub(crate) async fn tls(&mut self) -> v1::GetTlsReply {
        let request = v1::GetTlsRequest { tenant: "acme".to_owned() };
        self.operator.get_tls(request).await.unwrap().into_inner()
    }

    pub(crate) async fn set_certificate(
        &mut self,
        certificate: &str,
        key: &str,
        dry_run: bool,
    ) -> Result<v1::ChangeReply, Status> {
        let options = Some(v1::ChangeOptions { dry_run, ..Default::default() });
        let (certificate, key) = (text(certificate), text(key));
        let tenant = "acme".to_owned();
        let request = v1::SetCertificateRequest { tenant, certificate, key, options };
        Ok(self.operator.set_certificate(request).await?.into_inner())
    }

    pub(crate) async fn renew(&mut self, new_authority: bool) -> Result<v1::ChangeReply, Status> {
        let tenant = "acme".to_owned();
        let request = v1::RenewCertificateRequest { tenant, new_authority, options: None };
        Ok(self.operator.renew_certificate(request).await?.into_inner())
    }

    /// A fleet whose voice server runs with a certificate of the tenant's own authority.
    pub(crate) async fn self_signed() -> Self {
        let mut fleet = Self::start(StoreKind::InMemory).await;
        apply(&mut fleet.operator, &spec(SELF_SIGNED)).await.unwrap();
        until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
        fleet.log.lock().unwrap().clear();
        fleet
    }
}

/// What the store holds, as text.
async fn stored(world: &World) -> String {
    let all = world.store.list("").await.unwrap();
    all.iter()
        .map(|(key, found)| format!("{key} {}\n", String::from_utf8_lossy(&found.value)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_apply_issues_a_certificate_that_reaches_the_host_with_its_key() {
    let world = World::start(StoreKind::OnDisk).await;
    let mut operator = world.operator().await;
    let voice = enroll(&world, "acme", "voice", "acme-voice").await;
    let spec = spec(SELF_SIGNED).replace("  voice: {", "  pbx: {").replace("  db: \"1\"\n", "");
    let spec = spec.replace("  web: \"1\"\n", "");
    let reply = apply(&mut operator, &spec).await.unwrap();
    assert_eq!((reply.revision, reply.certificate.unwrap().version), (1, 1));
    let mut session = Session::open(&world, &voice).await.unwrap();
    let mut secrets = session.secrets().await;
    secrets.sort_by(|a, b| a.name.cmp(&b.name));
    let seen: Vec<(&str, u64, bool)> =
        secrets.iter().map(|it| (it.name.as_str(), it.version, it.mounted)).collect();
    assert_eq!(seen, [("tls_certificate", 1, true), ("tls_key", 1, true)]);
    let [certificate, key] = [&secrets[0].value, &secrets[1].value];
    let read = omlcontroller::pki::read_pair(certificate, key);
    let expected = oml_common::decide::tls::GivenKey::Readable { certificate: Some(0) };
    assert_eq!(read.given.key, expected);
    assert_eq!(read.given.chain[0].facts.names, ["10.0.0.5", "pbx.example.com"]);
    // The key is nowhere in the store, and that of the authority is given to no host.
    let stored = stored(&world).await;
    let line = key.lines().nth(1).unwrap();
    assert!(stored.contains("secrets/acme/tls_ca_key") && !stored.contains(line), "{stored}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_document_issues_nothing_and_other_names_are_a_rotation() {
    let mut fleet = Fleet::self_signed().await;
    let first = fleet.tls().await;
    let of_first = first.certificate.clone().unwrap();
    assert_eq!((of_first.version, of_first.selfsigned), (1, true));
    assert_eq!(of_first.used_by, ["voice"]);
    assert_eq!((first.mode.as_str(), of_first.warning.as_str()), ("selfsigned", ""));
    assert!(first.authority_pem.starts_with("-----BEGIN CERTIFICATE-----"), "{first:?}");
    let again = apply(&mut fleet.operator, &spec(SELF_SIGNED)).await.unwrap();
    assert_eq!((again.changed, again.certificate, again.revision), (false, None, 1));

    let other = spec("tls: {mode: selfsigned, names: [pbx.example.com, www.example.com]}");
    let options = Some(v1::ChangeOptions { dry_run: true, ..Default::default() });
    let request = v1::ApplyRequest { spec_yaml: other.clone(), options };
    let plan = fleet.operator.apply(request).await.unwrap().into_inner();
    assert_eq!((plan.revision, plan.certificate.as_ref().unwrap().version), (2, 2));
    assert_eq!(fleet.tls().await.certificate.unwrap(), of_first, "a plan issues nothing");
    let reply = apply(&mut fleet.operator, &other).await.unwrap();
    let note = "secret tls_certificate version 2, secret tls_key version 2, not drained: calls through it are cut";
    assert_eq!(notes(&reply), [note]);
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let second = fleet.tls().await;
    assert_eq!(second.authority, first.authority, "the browsers know the authority already");
    assert_eq!(second.certificate.unwrap().names, ["pbx.example.com", "www.example.com"]);

    // Another change leaves the certificate as it is, and a rollback brings the former one back.
    let other = set_version(&mut fleet.operator, "web", "2", "").await.unwrap();
    assert_eq!((other.changes.len(), other.certificate), (1, None));
    until_rollout(&mut fleet.operator, 3, RolloutState::Completed).await;
    let request = v1::RollbackRequest { tenant: "acme".into(), to: 1, options: None };
    let back = fleet.operator.rollback(request).await.unwrap().into_inner();
    assert!(notes(&back).contains(&note.replace('2', "1").as_str()), "{back:?}");
    until_rollout(&mut fleet.operator, 4, RolloutState::Completed).await;
    assert_eq!(fleet.tls().await.certificate.unwrap(), of_first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_is_a_change_of_exactly_what_uses_the_certificate() {
    let mut fleet = Fleet::self_signed().await;
    let first = fleet.tls().await;
    let reply = fleet.renew(false).await.unwrap();
    assert_eq!((reply.revision, reply.certificate.as_ref().unwrap().version), (2, 2));
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    assert_eq!(fleet.done(), [("acme-voice".into(), "voice".into(), "1".into())]);
    let second = fleet.tls().await;
    assert_eq!(second.authority, first.authority);
    let fingerprint = |tls: &v1::GetTlsReply| tls.certificate.clone().unwrap().fingerprint;
    assert_ne!(fingerprint(&second), fingerprint(&first));
    fleet.renew(true).await.unwrap();
    until_rollout(&mut fleet.operator, 3, RolloutState::Completed).await;
    assert_ne!(fleet.tls().await.authority, first.authority);

    let request = v1::ListRevisionsRequest { tenant: "acme".into() };
    let history = fleet.operator.list_revisions(request).await.unwrap().into_inner();
    assert_eq!(history.revisions[1].kind(), v1::RevisionKind::RotateCertificate);
    let stored = stored(&fleet.world).await;
    let audit: Vec<&str> = stored.lines().filter(|line| line.starts_with("audit/")).collect();
    for action in [
        "issued (the first one) certificate version 1 for 10.0.0.5, pbx.example.com, which is revision 1",
        "issued (renewed) certificate version 2 for 10.0.0.5, pbx.example.com, which is revision 2",
        "issued (with another authority) certificate version 3",
    ] {
        assert!(audit.iter().any(|line| line.contains(action)), "{action}: {audit:#?}");
    }
    // The end is on the page of metrics, for the certificate that is in use.
    let expires_ms = fleet.tls().await.certificate.unwrap().expires_ms;
    let page = web::get(&fleet, "/metrics").await;
    let line = "oml_tenant_certificate_expiry_timestamp_seconds{tenant=\"acme\"} ";
    let shown = page.lines().find_map(|it| it.strip_prefix(line));
    let shown: f64 = shown.unwrap_or_else(|| panic!("{page}")).parse().unwrap();
    assert!((shown - expires_ms as f64 / 1000.0).abs() < 1.0, "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_given_certificate_is_checked_kept_and_used_when_the_document_asks_for_it() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    let refused = apply(&mut fleet.operator, &spec(CUSTOM)).await.unwrap_err();
    let command = "omlctl tls set tenant=acme --certificate FILE --key FILE";
    let refused = said(&refused);
    assert!(refused.contains(command), "{refused}");
    assert_eq!(refused.matches("has no certificate yet").count(), 1, "{refused}");

    let (certificate, key) = chain("pbx.example.com");
    let plan = fleet.set_certificate(&certificate, &key, true).await.unwrap();
    assert_eq!((plan.revision, plan.certificate.unwrap().version), (0, 1));
    assert_eq!(fleet.tls().await.certificate, None, "a plan gives nothing");
    let kept = fleet.set_certificate(&certificate, &key, false).await.unwrap();
    assert_eq!((kept.revision, kept.changed, kept.certificate.unwrap().version), (0, false, 1));
    apply(&mut fleet.operator, &spec(CUSTOM)).await.unwrap();
    until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
    let shown = fleet.tls().await;
    assert_eq!(shown.mode, "custom");
    let of_shown = shown.certificate.unwrap();
    assert_eq!((of_shown.version, of_shown.selfsigned), (1, false));
    assert_eq!(shown.authority_pem, "");

    // Every mistake at once, and nothing changes.
    let (other, _) = chain("www.example.com");
    let error = fleet.set_certificate(&other, &key, false).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    for part in [
        "the private key is not that of the certificate of CN=www.example.com",
        "the certificate is not for pbx.example.com; it is for www.example.com",
    ] {
        assert!(said(&error).contains(part), "{part}: {}", said(&error));
    }
    let line = key.lines().nth(1).unwrap();
    assert!(!said(&error).contains(line), "{error}");
    assert_eq!(fleet.tls().await.certificate.unwrap(), of_shown);

    let (certificate, key) = chain("*.example.com");
    let reply = fleet.set_certificate(&certificate, &key, false).await.unwrap();
    assert_eq!((reply.revision, reply.changed, reply.certificate.unwrap().version), (2, true, 2));
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let error = fleet.renew(false).await.unwrap_err();
    assert!(error.message().contains(command), "{error}");
    let (stored, backup) = (stored(&fleet.world).await, fleet.world.backup().await);
    let line = key.lines().nth(1).unwrap();
    assert!(!stored.contains(line) && !backup.contains(line));
    assert!(stored.contains("gave certificate version 2 for *.example.com, which is revision 2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_changes_from_one_mode_to_the_other() {
    let mut fleet = Fleet::self_signed().await;
    let (certificate, key) = chain("pbx.example.com");
    let reply = fleet.set_certificate(&certificate, &key, false).await;
    let error = reply.unwrap_err();
    assert!(error.message().contains("is not for 10.0.0.5"), "the names of the document: {error}");
    let named = spec("tls: {mode: selfsigned, names: [pbx.example.com]}");
    apply(&mut fleet.operator, &named).await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let reply = fleet.set_certificate(&certificate, &key, false).await.unwrap();
    assert_eq!((reply.changed, reply.revision, reply.certificate.unwrap().version), (false, 2, 3));
    assert_eq!(fleet.tls().await.certificate.unwrap().version, 2, "the document asks for its own");
    fleet.renew(false).await.unwrap();
    until_rollout(&mut fleet.operator, 3, RolloutState::Completed).await;
    let reply = apply(&mut fleet.operator, &spec(CUSTOM)).await.unwrap();
    assert_eq!((reply.changed, reply.certificate), (true, None));
    until_rollout(&mut fleet.operator, 4, RolloutState::Completed).await;
    assert_eq!(fleet.tls().await.certificate.unwrap().version, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_parts_of_a_certificate_are_not_given_one_by_one() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    for name in ["tls_certificate", "tls_key", "tls_ca", "tls_ca_key"] {
        let (tenant, value) = ("acme".to_owned(), text("s3cret"));
        let request = v1::SetSecretRequest { tenant, name: name.to_owned(), value };
        let error = fleet.operator.set_secret(request).await.unwrap_err();
        assert!(error.message().contains("is a part of the certificate of acme"), "{error}");
    }
    let error = fleet.renew(false).await.unwrap_err();
    assert!(error.message().contains("nothing was applied to acme yet"), "{error}");
    let (certificate, key) = chain("pbx.example.com");
    let (tenant, options) = ("acne".to_owned(), None);
    let (certificate, key) = (text(&certificate), text(&key));
    let request = v1::SetCertificateRequest { tenant, certificate, key, options };
    let error = fleet.operator.set_certificate(request).await.unwrap_err();
    assert!(error.message().contains("did you mean acme?"), "{error}");
    let refused = apply(&mut fleet.operator, &spec("# no tls")).await.unwrap_err();
    let hint = "add tls: {mode: selfsigned, names: [pbx.example.com]}";
    assert!(refused.message().contains(hint), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_in_a_reply_or_in_a_backup() {
    let mut fleet = Fleet::self_signed().await;
    let renewed = fleet.renew(false).await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let status = fleet.operator.get_status(v1::StatusRequest::default()).await.unwrap();
    let secrets = v1::ListSecretsRequest { tenant: "acme".into() };
    let secrets = fleet.operator.list_secrets(secrets).await.unwrap();
    let (tls, backup) = (fleet.tls().await, fleet.world.backup().await);
    let replies = format!("{renewed:?} {status:?} {secrets:?} {tls:?}");
    for (place, text) in [("replies", &replies), ("backup", &backup)] {
        assert!(text.contains("tls_certificate") || place == "replies");
        // The authority of the controller itself is in its backup.
        let others = text.lines().filter(|line| !line.starts_with("{\"begin\""));
        assert!(!others.collect::<String>().contains("PRIVATE KEY"), "{place}");
    }
    assert!(replies.contains("BEGIN CERTIFICATE"), "the search itself: the authority is shown");
}
