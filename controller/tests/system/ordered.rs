//! Tests of certificates that are ordered from an ACME directory which is not there, or gives none. A real one is
//! asked by the end-to-end tests.

use oml_daemon::env::Random;
use oml_proto::v1::RolloutState;
use omlcontroller::seal::{KEY_FILE, new_key};
use tonic::Code;

use crate::changes::problems;
use crate::directory::{Directory, Fault};
use crate::fleet::Fleet;
use crate::tls::{SELF_SIGNED, spec};
use crate::world::{StoreKind, apply, set_version, until, until_rollout};

/// A directory at a port where nothing listens.
const DIRECTORY: &str = "https://127.0.0.1:1/directory";

fn ordering() -> String {
    ordering_from(DIRECTORY)
}

fn ordering_from(directory: &str) -> String {
    spec(&format!(
        "tls: {{mode: acme, names: [pbx.example.com], contact: it@example.com, directory: \"{directory}\"}}"
    ))
}

impl Fleet {
    /// Starts a fleet whose tenant orders its certificate from this directory, and has its first revision.
    async fn ordering(directory: &Directory) -> Self {
        let mut fleet = Self::start(StoreKind::InMemory).await;
        fleet.world.settings.acme_authorities = vec![directory.authority.clone()];
        fleet.restart().await;
        apply(&mut fleet.operator, &ordering_from(&directory.url)).await.unwrap();
        until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
        fleet
    }

    /// Waits until the status says why no certificate could be ordered, and returns that.
    async fn failure(&mut self) -> String {
        let said = |warning: &str| warning.contains("no certificate could be ordered for acme");
        let status = until(&mut self.operator, "acme", |status| {
            status.certificate.as_ref().is_some_and(|it| said(&it.warning))
        });
        status.await.certificate.unwrap().warning
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_not_there_stops_nothing_and_is_named() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    let reply = apply(&mut fleet.operator, &ordering()).await.unwrap();
    let stand_in = reply.certificate.unwrap();
    assert_eq!((stand_in.version, stand_in.selfsigned), (1, true));
    until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
    let failure = fleet.failure().await;
    for words in [
        format!("cannot ask {DIRECTORY}"),
        "it is tried again in ".to_owned(),
        "omlctl tls renew tenant=acme".to_owned(),
    ] {
        assert!(failure.contains(&words), "{words}: {failure}");
    }
    let shown = fleet.tls().await;
    let order = shown.order.unwrap();
    assert_eq!((order.directory.as_str(), order.renewed_from_ms), (DIRECTORY, 0));
    assert_eq!(shown.certificate.unwrap().version, 1, "the stand-in stays");

    let other = set_version(&mut fleet.operator, "web", "2", "").await.unwrap();
    assert_eq!((other.revision, other.changes.len(), other.certificate), (2, 1, None));
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_who_asks_gets_no_revision_before_the_certificate_has_come() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    apply(&mut fleet.operator, &ordering()).await.unwrap();
    until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
    fleet.failure().await;
    let asked = fleet.renew(false).await.unwrap();
    let expected = (1, false, DIRECTORY);
    assert_eq!((asked.revision, asked.changed, asked.ordered_from.as_str()), expected);
    let refused = fleet.renew(true).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let said: Vec<String> = problems(&refused).iter().map(ToString::to_string).collect();
    assert!(said[0].contains("is ordered from https://127.0.0.1:1/"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_orders_keeps_its_certificate_and_gets_the_file_that_answers() {
    let mut fleet = Fleet::self_signed().await;
    let reply = apply(&mut fleet.operator, &ordering()).await.unwrap();
    let changed: Vec<&str> = reply.changes.iter().map(|change| change.component.as_str()).collect();
    assert_eq!((changed, reply.certificate), (vec!["web"], None));
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    fleet.failure().await;
    // The same document changes nothing, because the account stays.
    let again = apply(&mut fleet.operator, &ordering()).await.unwrap();
    assert!(!again.changed, "{again:?}");
    // In another mode nothing is ordered, and nothing is said of it.
    apply(&mut fleet.operator, &spec(SELF_SIGNED)).await.unwrap();
    until_rollout(&mut fleet.operator, 3, RolloutState::Completed).await;
    assert_eq!(fleet.tls().await.order, None);
    until(&mut fleet.operator, "acme", |status| {
        status.certificate.as_ref().is_some_and(|it| it.warning.is_empty())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_whose_account_was_sealed_with_a_lost_key_says_so_and_gets_another_account() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    apply(&mut fleet.operator, &ordering()).await.unwrap();
    until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
    fleet.failure().await;
    assert_eq!(fleet.kept("tls_acme_account_key").await, [1]);
    let key = fleet.world.settings.data_dir.join(KEY_FILE);
    std::fs::write(&key, &*new_key(&Random::system()).unwrap()).unwrap();
    fleet.restart().await;
    fleet.renew(false).await.unwrap();
    let status = until(&mut fleet.operator, "acme", |status| {
        let warning = status.certificate.as_ref().map(|it| it.warning.as_str());
        warning.is_some_and(|warning| warning.contains("was sealed with the key"))
    });
    let warning = status.await.certificate.unwrap().warning;
    assert!(warning.contains("if it is lost, apply the document again"), "{warning}");

    let again = apply(&mut fleet.operator, &ordering()).await.unwrap();
    let changed: Vec<&str> = again.changes.iter().map(|change| change.component.as_str()).collect();
    assert_eq!(changed, ["web"], "the file that answers has another thumbprint");
    assert_eq!(fleet.kept("tls_acme_account_key").await, [2]);
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let failure = fleet.failure().await;
    assert!(failure.contains(&format!("cannot ask {DIRECTORY}")), "{failure}");
    let same = apply(&mut fleet.operator, &ordering()).await.unwrap();
    assert!(!same.changed, "{same:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_works_on_an_order_is_asked_when_it_says_and_not_at_every_pass() {
    let directory = Directory::start(Fault::Nothing).await;
    let mut fleet = Fleet::ordering(&directory).await;
    directory.has_orders(1).await;
    for revision in 2..4 {
        set_version(&mut fleet.operator, "web", &revision.to_string(), "").await.unwrap();
        until_rollout(&mut fleet.operator, revision, RolloutState::Completed).await;
    }
    assert_eq!(*directory.seen.looks.borrow(), 0, "it wants an hour");
    // After a restart it is asked once more, about the same order.
    fleet.restart().await;
    directory.has_looks(1).await;
    assert_eq!(*directory.seen.orders.borrow(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_an_order_is_kept_before_the_directory_is_asked_for_it() {
    let directory = Directory::start(Fault::Orders).await;
    let mut fleet = Fleet::ordering(&directory).await;
    let failure = fleet.failure().await;
    assert!(failure.contains("no, thanks"), "{failure}");
    assert_eq!(fleet.kept("tls_acme_order_key").await, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_names_an_address_that_is_none_stops_nothing_and_is_shown() {
    let directory = Directory::start(Fault::Address).await;
    let mut fleet = Fleet::ordering(&directory).await;
    let failure = fleet.failure().await;
    assert!(failure.contains("the directory cannot be used"), "{failure}");
    assert!(failure.contains("it is tried again in "), "{failure}");
}
