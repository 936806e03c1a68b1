//! Tests that everything that is wrong with a document or a request is said in one answer, each with
//! its place and what to type, and that nothing is changed.

use std::collections::BTreeMap;

use oml_proto::v1;
use tonic::Status;

use crate::agent::{Session, enroll, hello};
use crate::changes::problems;
use crate::fleet::Fleet;
use crate::secrets::given;
use crate::tls::chain;
use crate::world::{SPEC, StoreKind, World, apply, until};

/// The kinds of records that only operators change.
const KINDS: [&str; 11] = [
    "heads/",
    "revisions/",
    "plans/",
    "rollouts/",
    "outcomes/",
    "targets/",
    "secrets/",
    "idempotency/",
    "runs/",
    "tokens/",
    "audit/",
];

/// The changes of the catalog of the tests: a setting without a default, a secret, a right, a
/// certificate, a template that names nothing, and a component with a mistake.
const CHANGES: [(&str, &str); 5] = [
    (
        "settings: {sip_port: \"5060\"}\n",
        "settings:\n  sip_port: \"5060\"\n  domain:\n  \
         mode: {type: choice, default: lan, choices: {lan: Inside., cloud: Outside.}}\n",
    ),
    (
        "    image: db\n",
        "    image: db\n    secrets: {PASSWORD: {name: db_password, from: controller}}\n",
    ),
    (
        "    container: voice-server\n    image: voice\n",
        "    container: voice-server\n    image: voice\n    cap_add: [SYS_NICE]\n    \
         because: audio\n    secrets: {CERT_FILE: {name: tls_certificate, from: controller, file: \
         /certs/cert.pem}}\n",
    ),
    (
        "    image: web\n",
        "    image: web\n    env: {WAY: \"{{ settings.nothing }}\", DOMAIN: \"{{ settings.domain }}\"}\n",
    ),
    ("    unit: exporter.service\n", "    unit: exporter.service\n    colour: red\n"),
];

const RELEASES: &str = "\
catalog: test
releases: {'1.0': {db: '1', voice: '1', web: '1'}}
together:
  - {components: [voice, web], because: they are programs of one image}
";

/// A document with everything that can be wrong beside each other.
const DOCUMENT: &str = "\
tenant: acme
catalog: test
registri: x
registries: {quay.io: {username: x, password: hub}}
settings: {mode: clowd, sip_prt: \"5070\"}
tls: {mode: custom, names: [pbx.example.com]}
components:
  db: no-db
  voice: {version: \"1\", nodes: [acme-voice, acme-strict, acme-nowhere]}
  web: {version: \"2\", env: {FROM: \"{{ node.adress }}\"}, after: [vioce]}
  pbx: \"a:b\"
  exporter: {}
  wbe: \"1\"
rollout: {max_paralel: 2}
";

/// The beginnings and further words of all lines about the document.
const SAID: [(&str, &str); 20] = [
    ("line 3: registri: unknown key", "(did you mean regist"),
    ("line 4: registries.quay.io.password: ", "omlctl secret set tenant=acme hub"),
    ("line 5: settings.mode: \"clowd\" is not one of", "(did you mean cloud?)"),
    ("line 5: settings.sip_prt: unknown setting", "(did you mean sip_port?)"),
    ("settings.domain: is missing", "omlctl settings catalog=test domain"),
    ("line 6: tls: acme has no certificate yet", "omlctl tls set tenant=acme"),
    ("line 8: components.db.version: ", "test/db:no-db"),
    ("line 8: components.db.secrets.PASSWORD: ", "generate tenant=acme db_password"),
    ("line 9: components.voice.nodes: acme-nowhere is not a node", "("),
    ("line 9: components.voice: acme-strict does not allow it", "capabilities = [\"SYS_NICE\"]"),
    ("line 9: components.voice: pbx and voice both use port 5060/udp of acme-strict", "(place"),
    ("line 9: components.voice: pbx and voice both use port 5060/udp of acme-voice", "(place"),
    ("line 10: components.web.after: vioce is not a component", "(did you mean voice?)"),
    ("line 10: components.web.env.FROM: cannot render", "node.address"),
    ("line 10: components.web.env.WAY: cannot render", "settings.NAME"),
    ("line ", "must have the same version as"),
    ("line 11: components.pbx: \"a:b\" is not a version: 1 to 128 letters", ""),
    ("line 12: components.exporter: its definition in catalog test cannot be used", "(see "),
    ("line 13: components.wbe: unknown component", "(known: "),
    ("line 14: rollout.max_paralel: unknown key", "(did you mean max_parallel?)"),
];

/// A fleet in its first revision with one more host, which allows little, and whose catalog was
/// changed.
async fn fleet() -> (Fleet, Session) {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let folder = fleet.world.settings.catalog_dir.clone();
    let mut catalog = std::fs::read_to_string(folder.join("test.yaml")).unwrap();
    for (from, to) in CHANGES {
        assert!(catalog.contains(from), "{from}");
        catalog = catalog.replace(from, to);
    }
    std::fs::write(folder.join("test.yaml"), catalog).unwrap();
    std::fs::write(folder.join("test.releases.yaml"), RELEASES).unwrap();
    fleet.restart().await;
    let strict = enroll(&fleet.world, "acme", "voice", "acme-strict").await;
    let channel = fleet.world.channel(&strict.credentials).await;
    let policy = Some(v1::HostPolicy::default());
    let greeting = v1::Hello { policy, ..hello(None) };
    let session = Session::open_with_hello(channel, greeting).await.unwrap();
    until(&mut fleet.operator, "acme", |status| {
        let strict = status.nodes.iter().find(|node| node.node == "acme-strict");
        strict.is_some_and(|node| node.policy.is_some())
    })
    .await;
    (fleet, session)
}

/// Returns what the store holds of what operators want and did.
async fn recorded(world: &World) -> Vec<String> {
    let all = world.store.list("").await.unwrap();
    let is_one = |key: &str| KINDS.iter().any(|kind| key.starts_with(kind));
    let wanted = all.iter().filter(|(key, _)| is_one(key.as_str()));
    let line = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    wanted.map(|(key, found)| format!("{key} {}", line(&found.value))).collect()
}

fn lines(refused: &Status) -> Vec<String> {
    problems(refused).iter().map(ToString::to_string).collect()
}

/// Checks that the lines have these beginnings and words.
fn assert_said(refused: &Status, expected: &[(&str, &str)]) {
    let lines = lines(refused);
    for (begin, words) in expected {
        let is_it = |line: &String| line.starts_with(begin) && line.contains(words);
        assert!(lines.iter().any(is_it), "{begin} {words}: {lines:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_of_a_document_is_in_one_answer_and_nothing_is_changed() {
    let (mut fleet, _session) = fleet().await;
    let before = recorded(&fleet.world).await;
    let refused = apply(&mut fleet.operator, DOCUMENT).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    assert_said(&refused, &SAID);
    let found = problems(&refused);
    assert_eq!(found.len(), SAID.len(), "{:#?}", lines(&refused));
    // The rule of a name is a part of its message; everything else says what to type.
    let without: Vec<&str> =
        found.iter().filter(|it| it.hint.is_none()).map(|it| it.path.as_str()).collect();
    assert_eq!(without, ["components.pbx"]);
    // A dry run says the same.
    let options = Some(v1::ChangeOptions { dry_run: true, ..Default::default() });
    let request = v1::ApplyRequest { spec_yaml: DOCUMENT.to_owned(), options };
    let planned = fleet.operator.apply(request).await.unwrap_err();
    assert_eq!(lines(&planned), lines(&refused));
    assert_eq!(recorded(&fleet.world).await, before);
    let request = v1::ListRevisionsRequest { tenant: "acme".into() };
    let history = fleet.operator.list_revisions(request).await.unwrap().into_inner();
    assert_eq!(history.revisions.len(), 1);
    assert!(fleet.done().is_empty());
}

/// What is wrong with revision 1 since its catalog was changed.
const OF_CATALOG: [(&str, &str); 5] = [
    ("line 5: components.db.secrets.PASSWORD: ", "omlctl secret generate tenant=acme db_password"),
    ("line 6: components.voice: acme-strict does not allow it", "SYS_NICE"),
    ("line 6: components.voice.secrets.CERT_FILE: ", "add tls: {mode: selfsigned"),
    ("line 8: components.exporter: its definition in catalog test cannot be used", "colour"),
    ("settings.domain: is missing", "omlctl settings catalog=test domain"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mistakes_of_a_request_are_said_beside_those_of_a_changed_catalog() {
    let (mut fleet, _session) = fleet().await;
    let before = recorded(&fleet.world).await;
    let (tenant, release) = ("acme".to_owned(), "9.9".to_owned());
    let request = v1::SetReleaseRequest { tenant, release, options: None };
    let refused = fleet.operator.set_release(request).await.unwrap_err();
    assert_said(&refused, &OF_CATALOG);
    assert_said(&refused, &[("release: catalog test has no release 9.9", "(known: 1.0)")]);

    let versions = [("vioce", "2"), ("web", "no-web")];
    let versions = versions.map(|(name, version)| (name.to_owned(), version.to_owned()));
    let versions = BTreeMap::from(versions);
    let request = v1::SetVersionRequest { tenant: "acme".into(), versions, options: None };
    let refused = fleet.operator.set_version(request).await.unwrap_err();
    assert_said(&refused, &OF_CATALOG);
    assert_said(&refused, &[("vioce: acme has no component vioce", "(did you mean voice?)")]);
    assert_said(&refused, &[("line 7: components.web.version: ", "test/web:no-web")]);

    let (certificate, _) = chain("pbx.example.com");
    let (_, key) = chain("pbx.example.com");
    let refused = fleet.set_certificate(&certificate, &key, false).await.unwrap_err();
    assert_said(&refused, &OF_CATALOG);
    assert_said(&refused, &[("key: the private key is not that of the certificate", "(give ")]);

    let request = v1::RollbackRequest { tenant: "acme".into(), to: 1, options: None };
    let refused = fleet.operator.rollback(request).await.unwrap_err();
    assert_said(&refused, &OF_CATALOG);
    assert_eq!(recorded(&fleet.world).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_else_is_wrong_with_a_document_of_an_unknown_catalog_is_said_beside_it() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let before = recorded(&fleet.world).await;
    let document = DOCUMENT.replace("catalog: test", "catalog: tset");
    let refused = apply(&mut fleet.operator, &document).await.unwrap_err();
    assert_said(
        &refused,
        &[
            ("line 2: catalog: there is no catalog tset", "(did you mean test?)"),
            ("line 3: registri: unknown key", ""),
            ("line 4: registries.quay.io.password: ", "omlctl secret set"),
            ("line 6: tls: acme has no certificate yet", "omlctl tls set"),
            ("line 9: components.voice.nodes: acme-nowhere is not a node", ""),
            ("line 9: components.voice.nodes: acme-strict is not a node", ""),
            ("line 10: components.web.after: vioce is not a component", ""),
            ("line 11: components.pbx: ", ""),
            ("line 14: rollout.max_paralel: unknown key", ""),
        ],
    );
    assert_eq!(problems(&refused).len(), 9, "{:#?}", lines(&refused));
    assert_eq!(recorded(&fleet.world).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_two_changes_is_said_beside_other_mistakes() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let before = recorded(&fleet.world).await;
    let document = SPEC.replace("voice:", "pbx:");
    let document = document.replace("components:", "settings: {colour: blue}\ncomponents:");
    let refused = apply(&mut fleet.operator, &document).await.unwrap_err();
    assert_said(
        &refused,
        &[
            ("line 4: settings.colour: unknown setting", "(known: sip_port)"),
            ("line 7: components.pbx: uses port 5060/udp of voice", "(remove voice in a separate"),
        ],
    );
    assert_eq!(problems(&refused).len(), 2, "{:#?}", lines(&refused));
    assert_eq!(recorded(&fleet.world).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_is_refused_with_every_reason_and_leaves_nothing() {
    let (mut fleet, _session) = fleet().await;
    let before = recorded(&fleet.world).await;
    let values = [("usr", "ana")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = v1::RunOperationRequest {
        tenant: "acme".into(),
        component: "db".into(),
        operation: "reset".into(),
        node: "acme-app".into(),
        values: BTreeMap::from(values),
    };
    let refused = fleet.operator.run_operation(request).await.unwrap_err();
    assert_said(
        &refused,
        &[
            ("node: acme-app (role app) does not run db", "(it runs on node=acme-data)"),
            ("user: user= is missing", "(reset takes user=VALUE)"),
            ("usr: reset takes no value of this name", "(did you mean user?)"),
            ("catalog: catalog test changed after revision 1", "omlctl apply -f FILE"),
        ],
    );
    assert_eq!(problems(&refused).len(), 4, "{:#?}", lines(&refused));
    assert_eq!(recorded(&fleet.world).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_a_request_that_is_wrong_is_named() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let before = recorded(&fleet.world).await;
    let paths = |refused: &Status| -> Vec<String> {
        problems(refused).into_iter().map(|problem| problem.path).collect()
    };
    let versions = [("Web", "1"), ("voice", "a:b")];
    let versions = versions.map(|(name, version)| (name.to_owned(), version.to_owned()));
    let versions = BTreeMap::from(versions);
    let request = v1::SetVersionRequest { tenant: "ACME".into(), versions, options: None };
    let refused = fleet.operator.set_version(request).await.unwrap_err();
    assert_eq!(paths(&refused), ["component", "tenant", "voice"]);

    let (tenant, name, options) = ("acme".to_owned(), "hbu".to_owned(), None);
    let request = v1::RotateSecretRequest { tenant, name, value: given(""), options };
    let refused = fleet.operator.rotate_secret(request).await.unwrap_err();
    assert_eq!(paths(&refused), ["name", "value"]);

    let (tenant, name) = ("acne".to_owned(), "tls_key".to_owned());
    let request = v1::SetSecretRequest { tenant, name, value: given("") };
    let refused = fleet.operator.set_secret(request).await.unwrap_err();
    assert_eq!(paths(&refused), ["name", "tenant", "value"]);

    let request = v1::CreateTokenRequest {
        tenant: "acme".into(),
        roles: vec!["vioce".into()],
        node: String::new(),
        valid_ms: 1,
        dry_run: false,
    };
    let refused = fleet.operator.create_token(request).await.unwrap_err();
    assert_eq!(paths(&refused), ["role", "valid"]);
    assert_eq!(recorded(&fleet.world).await, before);
}
