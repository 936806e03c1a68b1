//! Tests of the secrets that the controller keeps.

use oml_daemon::env::Random;
use oml_proto::v1;
use oml_proto::v1::RolloutState;
use omlcontroller::seal::{KEY_FILE, new_key};
use tonic::{Code, Status};

use crate::agent::{Session, enroll};
use crate::changes::problems;
use crate::fleet::Fleet;
use crate::world::{SPEC, StoreKind, World, apply, set_version, until_rollout};

/// The values that are searched for.
pub(crate) const FIRST: &str = "correct-horse-battery-staple";
pub(crate) const SECOND: &str = "Tr0ub4dor-and-3";
/// What is said of the voice server when the first secret gets another version.
pub(crate) const ROTATED: &str =
    "voice secret token version 2, not drained: calls through it are cut";

pub(crate) fn given(value: &str) -> Option<v1::NewSecretValue> {
    Some(v1::NewSecretValue { value: value.to_owned(), generate_length: 0 })
}

pub(crate) fn generated(generate_length: u32) -> Option<v1::NewSecretValue> {
    Some(v1::NewSecretValue { value: String::new(), generate_length })
}

/// The specification, whose voice server has a secret in its environment and one in a file.
pub(crate) fn spec() -> String {
    let secrets = "{TOKEN: {name: token, from: controller}, \
                   KEY_FILE: {name: key, from: controller, file: /run/secrets/key}}";
    let line = format!("  voice: {{version: \"1\", secrets: {secrets}}}");
    let spec = SPEC.replace("  voice: \"1\"   # the one that changes", &line);
    assert_ne!(spec, SPEC);
    spec
}

impl Fleet {
    pub(crate) async fn give(
        &mut self,
        name: &str,
        value: Option<v1::NewSecretValue>,
    ) -> Result<u64, Status> {
        let (tenant, name) = ("acme".to_owned(), name.to_owned());
        let reply = self.operator.set_secret(v1::SetSecretRequest { tenant, name, value }).await?;
        Ok(reply.into_inner().version)
    }

    pub(crate) async fn rotate(
        &mut self,
        name: &str,
        value: &str,
        dry_run: bool,
    ) -> Result<v1::ChangeReply, Status> {
        let options = Some(v1::ChangeOptions { dry_run, ..Default::default() });
        let (tenant, name, value) = ("acme".to_owned(), name.to_owned(), given(value));
        let request = v1::RotateSecretRequest { tenant, name, value, options };
        Ok(self.operator.rotate_secret(request).await?.into_inner())
    }

    pub(crate) async fn secrets(&mut self) -> v1::ListSecretsReply {
        let request = v1::ListSecretsRequest { tenant: "acme".to_owned() };
        self.operator.list_secrets(request).await.unwrap().into_inner()
    }

    async fn remove(&mut self, name: &str) -> Result<(), Status> {
        let request = v1::RemoveSecretRequest { tenant: "acme".into(), name: name.to_owned() };
        self.operator.remove_secret(request).await.map(drop)
    }

    /// A fleet whose voice server runs with both secrets, in revision 1.
    pub(crate) async fn with_secrets() -> Self {
        let mut fleet = Self::start(StoreKind::InMemory).await;
        fleet.give("token", given(FIRST)).await.unwrap();
        fleet.give("key", generated(40)).await.unwrap();
        apply(&mut fleet.operator, &spec()).await.unwrap();
        until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
        fleet.log.lock().unwrap().clear();
        fleet
    }
}

pub(crate) fn notes(reply: &v1::ChangeReply) -> Vec<String> {
    let line = |change: &v1::Change| format!("{} {}", change.component, change.note);
    reply.changes.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_without_its_secrets_is_refused_with_what_to_type_and_goes_on_with_them() {
    let mut fleet = Fleet::start(StoreKind::OnDisk).await;
    let refused = apply(&mut fleet.operator, &spec()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let problems = problems(&refused);
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let text = text.join("\n");
    for hint in ["generate tenant=acme token", "set tenant=acme key < FILE", "secrets.TOKEN"] {
        assert!(text.contains(hint), "{hint}: {text}");
    }
    assert_eq!(fleet.give("token", given(FIRST)).await.unwrap(), 1);
    assert_eq!(fleet.give("key", generated(40)).await.unwrap(), 1);
    let reply = apply(&mut fleet.operator, &spec()).await.unwrap();
    assert_eq!(reply.revision, 1);
    until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
    let listed = fleet.secrets().await;
    assert_eq!(listed.problem, "");
    let shown: Vec<(&str, u64, &str)> = listed
        .secrets
        .iter()
        .map(|secret| (secret.name.as_str(), secret.version, secret.who.as_str()))
        .collect();
    assert_eq!(shown, [("key", 1, "maria"), ("token", 1, "maria")]);
    assert!(listed.secrets.iter().all(|secret| secret.used_by == [("voice".into(), 1)].into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_is_a_change_of_exactly_what_uses_the_secret_and_can_be_rolled_back() {
    let mut fleet = Fleet::with_secrets().await;
    let plan = fleet.rotate("token", SECOND, true).await.unwrap();
    assert_eq!((plan.revision, plan.secret_version), (2, 2));
    assert_eq!(notes(&plan), [ROTATED]);
    assert_eq!(fleet.secrets().await.secrets[1].version, 1, "a plan gives nothing");

    let reply = fleet.rotate("token", SECOND, false).await.unwrap();
    assert_eq!((reply.revision, reply.changed, reply.secret_version), (2, true, 2));
    assert_eq!(notes(&reply), [ROTATED]);
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    assert_eq!(fleet.done(), [("acme-voice".into(), "voice".into(), "1".into())]);

    // Another change leaves the secret as it is.
    let other = set_version(&mut fleet.operator, "web", "2", "").await.unwrap();
    assert_eq!(other.changes.len(), 1, "{other:?}");
    until_rollout(&mut fleet.operator, 3, RolloutState::Completed).await;

    let request = v1::RollbackRequest { tenant: "acme".into(), to: 1, options: None };
    let back = fleet.operator.rollback(request).await.unwrap().into_inner();
    assert!(notes(&back).contains(&ROTATED.replace('2', "1")), "{back:?}");
    until_rollout(&mut fleet.operator, 4, RolloutState::Completed).await;
    let token = fleet.secrets().await.secrets.remove(1);
    assert_eq!((token.version, token.kept.as_slice()), (2, &[1, 2][..]));
    assert_eq!(token.used_by, [("voice".into(), 1)].into());

    let request = v1::ListRevisionsRequest { tenant: "acme".into() };
    let history = fleet.operator.list_revisions(request).await.unwrap().into_inner();
    assert_eq!(history.revisions[1].kind(), v1::RevisionKind::RotateSecret);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_nothing_uses_is_rotated_and_removed_and_one_that_is_used_is_not() {
    let mut fleet = Fleet::with_secrets().await;
    fleet.give("spare", generated(32)).await.unwrap();
    let reply = fleet.rotate("spare", SECOND, false).await.unwrap();
    assert_eq!((reply.changed, reply.secret_version, reply.revision), (false, 2, 1));
    let error = fleet.give("spare", given(FIRST)).await.unwrap_err();
    assert!(error.message().contains("omlctl secret rotate tenant=acme spare"), "{error}");
    let error = fleet.remove("token").await.unwrap_err();
    assert!(error.message().contains("is used by voice in revision 1 of acme"), "{error}");
    fleet.remove("spare").await.unwrap();
    let error = fleet.remove("spare").await.unwrap_err();
    assert!(error.message().contains("acme has no secret spare"), "{error}");
    assert_eq!(fleet.secrets().await.secrets.len(), 2);
    // Its number goes on: a node must never take one value for another.
    assert_eq!(fleet.give("spare", given(FIRST)).await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_a_secret_is_refused_and_not_shown() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    for (name, value, part) in [
        ("token", given("correct\u{0}horse"), "contains a zero byte"),
        ("token", given("\n"), "the value is empty"),
        ("token", generated(7), "8 to 256 characters"),
        ("Token", generated(32), "not a secret name"),
    ] {
        let error = fleet.give(name, value).await.unwrap_err();
        let text = error.message();
        assert!(text.contains(part) && !text.contains("correct"), "{text}");
        assert_eq!(error.code(), Code::InvalidArgument, "{text}");
    }
    let request =
        v1::SetSecretRequest { tenant: "acne".into(), name: "token".into(), value: generated(32) };
    let error = fleet.operator.set_secret(request).await.unwrap_err();
    assert!(error.message().contains("did you mean acme?"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_gets_the_secrets_of_its_own_instances_and_no_others() {
    let world = World::start(StoreKind::InMemory).await;
    let mut operator = world.operator().await;
    let voice = enroll(&world, "acme", "voice", "acme-voice").await;
    for (name, value) in [("token", FIRST), ("key", "k"), ("spare", SECOND)] {
        let (tenant, name, value) = ("acme".to_owned(), name.to_owned(), given(value));
        operator.set_secret(v1::SetSecretRequest { tenant, name, value }).await.unwrap();
    }
    let secrets = "{TOKEN: {name: token, from: controller}, \
                   KEY_FILE: {name: key, from: controller, file: /run/secrets/key}}";
    let spec = format!(
        "tenant: acme\ncatalog: test\ncomponents:\n  pbx: {{version: \"1\", secrets: {secrets}}}\n"
    );
    apply(&mut operator, &spec).await.unwrap();
    let mut session = Session::open(&world, &voice).await.unwrap();
    let mut secrets = session.secrets().await;
    secrets.sort_by(|a, b| a.name.cmp(&b.name));
    let seen: Vec<(&str, u64, &str, bool)> = secrets
        .iter()
        .map(|it| (it.name.as_str(), it.version, it.value.as_str(), it.mounted))
        .collect();
    assert_eq!(seen, [("key", 1, "k", true), ("token", 1, FIRST, false)]);
    // They come again in another session, because the host may have lost them.
    drop(session);
    let mut again = Session::open(&world, &voice).await.unwrap();
    assert_eq!(again.secrets().await.len(), 2);
}

/// What the store holds, as its bytes and as what those are when base64 is decoded.
async fn stored(world: &World) -> String {
    let all = world.store.list("").await.unwrap();
    all.iter()
        .map(|(key, found)| format!("{key} {}\n", String::from_utf8_lossy(&found.value)))
        .collect()
}

/// The forms in which a value could be found.
fn forms(value: &str) -> Vec<String> {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(value);
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![value.to_owned(), base64[..base64.len() - 2].to_owned(), hex]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_is_in_the_store_in_a_backup_or_in_a_reply() {
    let mut fleet = Fleet::with_secrets().await;
    let plan = fleet.rotate("token", SECOND, true).await.unwrap();
    let made = fleet.rotate("token", SECOND, false).await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let status = fleet.operator.get_status(v1::StatusRequest::default()).await.unwrap();
    let request = v1::ListRevisionsRequest { tenant: "acme".into() };
    let history = fleet.operator.list_revisions(request).await.unwrap();
    let listed = fleet.secrets().await;
    let (stored, backup) = (stored(&fleet.world).await, fleet.world.backup().await);
    let replies = format!("{plan:?} {made:?} {status:?} {history:?} {listed:?}");
    for (place, text) in [("store", &stored), ("backup", &backup), ("replies", &replies)] {
        // The search itself: what should be there is.
        assert!(text.contains("token"), "{place}");
        for form in [FIRST, SECOND].into_iter().flat_map(forms) {
            assert!(!text.contains(&form), "{form} is in the {place}");
        }
    }
    let audit: Vec<&str> = stored.lines().filter(|line| line.starts_with("audit/")).collect();
    for action in
        ["gave secret token version 1", "rotated secret token to version 2, which is revision 2"]
    {
        assert!(audit.iter().any(|line| line.contains(action)), "{action}: {audit:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_key_the_controller_runs_and_says_what_it_cannot_do() {
    let mut fleet = Fleet::with_secrets().await;
    let key = fleet.world.settings.data_dir.join(KEY_FILE);
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    fleet.restart().await;
    let listed = fleet.secrets().await;
    assert_eq!(listed.secrets.len(), 2, "what is known without a value is shown");
    assert!(listed.problem.contains("there is no key for secrets"), "{}", listed.problem);
    for refused in [
        fleet.give("more", generated(32)).await.unwrap_err(),
        fleet.rotate("token", SECOND, false).await.unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        assert!(refused.message().contains("omlcontroller secrets-key"), "{refused}");
    }
    // Changes of something else go on.
    set_version(&mut fleet.operator, "web", "2", "").await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    std::fs::write(&key, kept).unwrap();
    fleet.restart().await;
    assert_eq!(fleet.secrets().await.problem, "");
    assert_eq!(fleet.give("more", generated(32)).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_another_key_the_controller_says_so_and_takes_no_new_secret() {
    let mut fleet = Fleet::with_secrets().await;
    let key = fleet.world.settings.data_dir.join(KEY_FILE);
    let (right, wrong) = (std::fs::read(&key).unwrap(), new_key(&Random::system()).unwrap());
    std::fs::write(&key, &*wrong).unwrap();
    fleet.restart().await;
    let problem = fleet.secrets().await.problem;
    assert!(problem.starts_with("2 of 2 secrets were sealed with another key ("), "{problem}");
    assert!(problem.contains("put the right secrets.key in place"), "{problem}");
    let refused = fleet.give("more", generated(32)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(refused.message().contains("2 of 2 secrets were sealed with"), "{refused}");
    // Nothing was lost with it.
    std::fs::write(&key, &right).unwrap();
    fleet.restart().await;
    assert_eq!(fleet.secrets().await.problem, "");
    assert_eq!(fleet.give("more", generated(32)).await.unwrap(), 1);
    // A lost key is replaced, and then every secret gets a new value.
    std::fs::write(&key, &*wrong).unwrap();
    fleet.restart().await;
    for (name, rest) in [("key", "2 of 3 secrets were"), ("token", "1 of 3 secrets was")] {
        fleet.rotate(name, SECOND, false).await.unwrap();
        let problem = fleet.secrets().await.problem;
        assert!(problem.starts_with(rest), "{problem}");
    }
    assert_eq!(fleet.give("another", generated(32)).await.unwrap(), 1);
    fleet.rotate("more", SECOND, false).await.unwrap();
    assert_eq!(fleet.secrets().await.problem, "");
}
