//! Tests of a catalog that changed under a tenant: what it changes by itself comes with no other change.

use oml_proto::problem::from_status;
use oml_proto::v1;
use tonic::Status;

use crate::fleet::Fleet;
use crate::world::{SPEC, StoreKind, apply, now, set_version, until};

/// Writes another text of the catalog and starts the controller with it.
async fn change_catalog(fleet: &mut Fleet, from: &str, to: &str) {
    let file = fleet.world.settings.catalog_dir.join("test.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text.replacen(from, to, 1);
    assert_ne!(changed, text);
    std::fs::write(&file, changed).unwrap();
    let restarted = now();
    fleet.restart().await;
    let is_up = |node: &v1::NodeStatus| {
        node.report.as_ref().is_some_and(|report| report.at_ms > restarted.0)
    };
    until(&mut fleet.operator, "acme", |status| status.nodes.iter().all(is_up)).await;
}

/// Gives the database of the catalog another limit of processes, which replaces its container.
async fn replace_database(fleet: &mut Fleet) {
    change_catalog(fleet, "  db:\n", "  db:\n    pids_limit: 100\n").await;
}

fn said(refused: &Status) -> String {
    from_status(refused).map(|problems| problems.to_string()).unwrap_or_default()
}

async fn revision(fleet: &mut Fleet) -> u64 {
    until(&mut fleet.operator, "acme", |_| true).await.revision
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_that_changes_more_than_was_asked_for_refuses_until_the_tenant_is_applied() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    replace_database(&mut fleet).await;
    let refused = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap_err();
    let expected = "line 3: catalog: catalog test changed after revision 1 was made, and would also change \
                    db (look at it with omlctl apply -f FILE --dry-run, and apply it first)";
    assert!(said(&refused).contains(expected), "{}", said(&refused));
    // Everything else that is wrong is said beside it.
    let refused = set_version(&mut fleet.operator, "vioce", "2", "").await.unwrap_err();
    assert!(said(&refused).contains(expected), "{}", said(&refused));
    assert!(said(&refused).contains("did you mean voice?"), "{}", said(&refused));
    assert_eq!(revision(&mut fleet).await, 1);

    let applied = apply(&mut fleet.operator, SPEC).await.unwrap();
    assert!(applied.changed, "{applied:?}");
    let note =
        "catalog test changed after revision 1 was made; this plan is made with it as it is now";
    assert!(applied.notes.iter().any(|it| it == note), "{:?}", applied.notes);
    let made = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    assert_eq!(made.changes.len(), 1, "{made:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_text_of_a_catalog_that_changes_nothing_of_a_tenant_stops_no_change() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    change_catalog(&mut fleet, "catalog: test\n", "# Another comment.\ncatalog: test\n").await;
    let made = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    assert_eq!(made.changes.len(), 1, "{made:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_says_that_its_revision_was_made_with_another_catalog() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    replace_database(&mut fleet).await;
    apply(&mut fleet.operator, &SPEC.replace("voice: \"1\"", "voice: \"2\"")).await.unwrap();
    let options = Some(v1::ChangeOptions { dry_run: true, ..Default::default() });
    let request = v1::RollbackRequest { tenant: "acme".into(), to: 1, options };
    let back = fleet.operator.rollback(request).await.unwrap().into_inner();
    let note =
        "catalog test changed after revision 1 was made; this plan is made with it as it is now";
    assert!(back.notes.iter().any(|it| it == note), "{:?}", back.notes);
}
