//! Tests of a tenant's login to the registry of its images.

use oml_proto::v1;

use crate::agent::{Session, enroll};
use crate::secrets::{FIRST, SECOND, given, notes};
use crate::world::{StoreKind, World, apply};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_of_a_registry_is_sent_to_who_pulls_and_another_one_replaces_nothing() {
    let world = World::start(StoreKind::InMemory).await;
    let mut operator = world.operator().await;
    let voice = enroll(&world, "acme", "voice", "acme-voice").await;
    let address = world.registry.address;
    let spec = format!(
        "tenant: acme\ncatalog: test\nregistries:\n  \"{address}\": {{username: puller, password: \
         hub}}\ncomponents: {{pbx: \"1\"}}\n"
    );
    let refused = apply(&mut operator, &spec).await.unwrap_err();
    let hint = "acme has no secret hub (omlctl secret set tenant=acme hub)";
    assert!(refused.message().contains(hint), "{refused}");
    let (tenant, name) = ("acme".to_owned(), "hub".to_owned());
    let request = v1::SetSecretRequest { tenant, name, value: given(FIRST) };
    operator.set_secret(request).await.unwrap();
    apply(&mut operator, &spec).await.unwrap();
    let mut session = Session::open(&world, &voice).await.unwrap();
    let sent = |secrets: Vec<v1::SecretValue>| {
        let sent = secrets.into_iter().map(|it| (it.name, it.version, it.value, it.mounted));
        sent.collect::<Vec<_>>()
    };
    let hub = |version: u64, value: &str| [("hub".to_owned(), version, value.to_owned(), false)];
    assert_eq!(sent(session.secrets().await), hub(1, FIRST));

    let (tenant, name) = ("acme".to_owned(), "hub".to_owned());
    let options = Some(v1::ChangeOptions::default());
    let request = v1::RotateSecretRequest { tenant, name, value: given(SECOND), options };
    let rotated = operator.rotate_secret(request).await.unwrap().into_inner();
    assert_eq!(notes(&rotated), ["pbx pulled with secret hub version 2"]);
    assert!(rotated.changes.iter().all(|change| change.kind() == v1::ChangeKind::Update));
    assert!(!format!("{rotated:?}").contains(SECOND));
    let listed = v1::ListSecretsRequest { tenant: "acme".to_owned() };
    let listed = operator.list_secrets(listed).await.unwrap().into_inner();
    assert_eq!(listed.secrets[0].used_by, [("pbx".to_owned(), 2)].into());
}
