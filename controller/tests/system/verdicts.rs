//! Tests of watching a change until the controller's verdict.

use oml_proto::v1::fleet_client::FleetClient;
use oml_proto::v1::{
    ChangeHolds, ChangeOutcome, ChangeProgress, RolloutState, Verdict, WatchChangeRequest,
};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::fleet::Fleet;
use crate::world::{LIMIT, StoreKind, set_version};

/// Returns every message to a watcher of this revision, until the stream ends.
async fn watched(
    fleet: &mut FleetClient<Channel>,
    revision: u64,
) -> Result<Vec<ChangeProgress>, Status> {
    let request = WatchChangeRequest { tenant: "acme".into(), revision };
    let messages = async {
        let mut replies = fleet.watch_change(request).await?.into_inner();
        let mut messages = Vec::new();
        while let Some(progress) = replies.message().await? {
            messages.push(progress);
        }
        Ok(messages)
    };
    tokio::time::timeout(LIMIT, messages).await.unwrap()
}

/// Returns the verdict of the last message. All earlier ones must say that it waits.
async fn verdict(fleet: &mut FleetClient<Channel>, revision: u64) -> Verdict {
    let messages = watched(fleet, revision).await.unwrap();
    let (last, before) = messages.split_last().unwrap();
    for progress in before {
        let verdict = progress.verdict.as_ref().unwrap();
        assert_eq!(verdict.outcome(), ChangeOutcome::Waiting, "{verdict:?}");
    }
    last.verdict.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_watched_until_it_is_done() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let reply = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    let messages = watched(&mut fleet.operator, reply.revision).await.unwrap();
    let last = messages.last().unwrap();
    let verdict = last.verdict.as_ref().unwrap();
    assert_eq!((verdict.outcome(), verdict.superseded_by), (ChangeOutcome::Done, 0));
    assert_eq!(verdict.holds(), ChangeHolds::Unspecified);
    let lead = "done: acme runs revision 2, after ";
    assert!(verdict.sentence.starts_with(lead), "{}", verdict.sentence);
    let status = last.status.as_ref().unwrap();
    assert_eq!(status.rollout.as_ref().unwrap().state(), RolloutState::Completed);
    assert_eq!(status.nodes.len(), 3, "the last message must have the status of the nodes");
    let again = watched(&mut fleet.operator, reply.revision).await.unwrap();
    assert_eq!(again.len(), 1, "a later watcher must get the verdict at once");
    assert_eq!(again[0].verdict, last.verdict, "the verdict must be the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_change_is_rolled_back_and_its_failure_is_reported_with_its_log() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let reply = set_version(&mut fleet.operator, "voice", "bad1", "").await.unwrap();
    let messages = watched(&mut fleet.operator, reply.revision).await.unwrap();
    let last = messages.last().unwrap();
    let verdict = last.verdict.as_ref().unwrap();
    assert_eq!((verdict.outcome(), verdict.in_effect), (ChangeOutcome::RolledBack, 1));
    let lead = "rolled back: revision 2 of acme failed, and its nodes run revision 1 again: ";
    assert!(verdict.sentence.starts_with(lead), "{}", verdict.sentence);
    let rollout = last.status.as_ref().unwrap().rollout.as_ref().unwrap();
    let failure = rollout.failures[0].failure.as_ref().unwrap();
    assert!(!failure.log_tail.is_empty(), "{failure:?}");
    // The previous revision is running again.
    assert_eq!(self::verdict(&mut fleet.operator, 1).await.outcome(), ChangeOutcome::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verdict_on_a_superseded_change_says_whether_it_is_contained() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    for (component, version) in [("voice", "2"), ("web", "2"), ("voice", "3")] {
        let reply = set_version(&mut fleet.operator, component, version, "").await.unwrap();
        let verdict = verdict(&mut fleet.operator, reply.revision).await;
        assert_eq!(verdict.outcome(), ChangeOutcome::Done, "{verdict:?}");
    }
    let verdicts = [verdict(&mut fleet.operator, 2).await, verdict(&mut fleet.operator, 3).await];
    let altered = "failed: revision 4 of acme superseded 2 and undid or altered this change: \
                   voice on acme-voice";
    let contained = "done: acme runs revision 4, which superseded 3 and contains this change";
    assert_eq!(verdicts.each_ref().map(|verdict| verdict.sentence.as_str()), [altered, contained]);
    assert_eq!(
        verdicts.each_ref().map(|v| v.outcome()),
        [ChangeOutcome::Failed, ChangeOutcome::Done]
    );
    assert_eq!(verdicts.each_ref().map(|verdict| verdict.superseded_by), [4, 4]);
    assert_eq!(verdicts.each_ref().map(|verdict| verdict.in_effect), [4, 4]);
    assert_eq!(
        verdicts.each_ref().map(|verdict| verdict.holds()),
        [ChangeHolds::Altered, ChangeHolds::Contained]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_existing_revisions_can_be_watched() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let refused = watched(&mut fleet.operator, 2).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("tenant acme has no revision 2"), "{refused}");
    let request = WatchChangeRequest { tenant: "nobody".into(), revision: 1 };
    let mut replies = fleet.operator.watch_change(request).await.unwrap().into_inner();
    let refused = replies.message().await.unwrap_err();
    assert!(refused.message().contains("nobody"), "{refused}");
}
