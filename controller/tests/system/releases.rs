//! Tests of the releases of a catalog, from the file to what the history keeps.

use oml_common::text::problem::Problem;
use oml_proto::v1;
use oml_proto::v1::RolloutState;
use tonic::Status;

use crate::fleet::Fleet;
use crate::world::{StoreKind, set_version, until_rollout};

const RELEASES: &str = "\
catalog: test
releases:
  '1.0': {db: '1', voice: '1', web: '1'}
  '1.1': {db: '1', voice: '2', web: '2', pbx: '2'}
together:
  - {components: [voice, web], because: they are programs of one image}
one_way:
  - {component: web, from: '2', because: 2 migrates the database, loses: what came after the backup}
";

/// A fleet whose catalog has releases.
async fn fleet() -> Fleet {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let folder = fleet.world.settings.catalog_dir.clone();
    std::fs::write(folder.join("test.releases.yaml"), RELEASES).unwrap();
    fleet.restart().await;
    fleet
}

impl Fleet {
    async fn set_release(&mut self, release: &str, force: &str) -> Result<v1::ChangeReply, Status> {
        let options = Some(v1::ChangeOptions { force: force.into(), ..Default::default() });
        let (tenant, release) = ("acme".into(), release.into());
        let request = v1::SetReleaseRequest { tenant, release, options };
        self.operator.set_release(request).await.map(tonic::Response::into_inner)
    }

    async fn releases(&mut self) -> v1::ListReleasesReply {
        let request = v1::ListReleasesRequest { tenant: "acme".into() };
        self.operator.list_releases(request).await.unwrap().into_inner()
    }
}

fn message(status: &Status) -> String {
    let problems: Vec<Problem> = oml_proto::problem::from_status(status).unwrap().0;
    problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_set_as_one_change_and_there_is_no_way_back_without_a_reason() {
    let mut fleet = fleet().await;
    let listed = fleet.releases().await;
    assert_eq!((listed.catalog.as_str(), listed.current.as_str()), ("test", "1.0"));
    assert_eq!(listed.releases[1].different, ["voice", "web"]);
    assert!(!listed.releases[1].versions.contains_key("pbx"), "the tenant has no pbx");
    let reply = fleet.set_release("1.1", "").await.unwrap();
    assert_eq!((reply.revision, reply.changes.len(), reply.release.as_str()), (2, 2, "1.1"));
    assert_eq!(reply.warnings.len(), 1, "{:?}", reply.warnings);
    assert!(reply.warnings[0].starts_with("web 1 -> 2 has no way back"), "{:?}", reply.warnings);
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    assert_eq!(fleet.releases().await.current, "1.1");

    let refused = fleet.set_release("1.0", "").await.unwrap_err();
    let expected = "web 2 -> 1 leads back over a step that only leads forward: 2 migrates the \
                    database; it would lose what came after the backup";
    assert_eq!(message(&refused), expected);
    let rollback = v1::RollbackRequest { tenant: "acme".into(), to: 1, options: None };
    let refused = fleet.operator.rollback(rollback).await.unwrap_err();
    assert_eq!(message(&refused), expected);
    let reply = fleet.set_release("1.0", "the backup is back").await.unwrap();
    assert_eq!(reply.warnings, [format!("forced: {expected}")]);
    let request = v1::ListRevisionsRequest { tenant: "acme".into() };
    let history = fleet.operator.list_revisions(request).await.unwrap().into_inner().revisions;
    assert_eq!(history.last().unwrap().why, "forced: the backup is back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_outside_of_a_release_is_warned_about_and_a_forbidden_pair_is_refused() {
    let mut fleet = fleet().await;
    let reply = set_version(&mut fleet.operator, "db", "2", "").await.unwrap();
    assert_eq!(
        reply.warnings,
        [
            "these versions were not published together; the nearest release is 1.0, with db 1 (not 2)"
        ]
    );
    assert_eq!(reply.release, "");
    let refused = set_version(&mut fleet.operator, "voice", "3", "").await.unwrap_err();
    assert_eq!(
        message(&refused),
        "web 1 must have the same version as voice 3: they are programs of one image"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_is_not_known_is_refused_with_those_that_are() {
    let mut fleet = fleet().await;
    let refused = fleet.set_release("1.2", "").await.unwrap_err();
    assert_eq!(message(&refused), "catalog test has no release 1.2");
    let refused = fleet.set_release("../1", "").await.unwrap_err();
    assert!(message(&refused).contains("is not a release"), "{}", message(&refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_without_releases_says_nothing_and_has_none_to_set() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    assert!(fleet.releases().await.releases.is_empty());
    let reply = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    assert_eq!((reply.warnings.len(), reply.release.as_str()), (0, ""));
    assert!(fleet.set_release("1.0", "").await.is_err());
}
