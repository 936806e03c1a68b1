//! An instance document that somebody copied to the folder of another component.

use oml_common::document::report::Phase;
use oml_sim::{Behaviour, Container};

use super::bench::{Bench, name};
use crate::documents;
use crate::paths::Slot;

/// The component whose document is copied.
const COPIED: &str = "redis";

fn running(bench: &Bench, component: &str) -> Container {
    bench.host.running(&name(component)).unwrap()
}

/// Returns the version by the current document in the folder of the bench's own component.
fn documented(bench: &Bench) -> Option<String> {
    let read = documents::read_usable(&bench.host.paths, &name("asterisk"), Slot::Current);
    read.unwrap()?.version().map(ToString::to_string)
}

/// Two components run, the agent does not, and the document of one lies in the folder of the other.
async fn copied() -> Bench {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    bench.desire_with("1", COPIED);
    bench
        .until_report(|report| {
            report.instances.len() == 2
                && report.instances.values().all(|instance| instance.phase == Phase::Ready)
        })
        .await;
    bench.stop();
    let path = |component| bench.host.paths.document(&name(component), Slot::Current);
    std::fs::copy(path(COPIED), path("asterisk")).unwrap();
    bench
}

#[tokio::test(start_paused = true)]
async fn a_restarted_unit_with_the_document_of_another_component_starts_its_own_container() {
    let mut bench = copied().await;
    let before = [running(&bench, "asterisk").id, running(&bench, COPIED).id];
    bench.host.systemctl("restart", "asterisk.service").await;
    let check = |bench: &Bench| {
        assert_eq!([running(bench, "asterisk").id, running(bench, COPIED).id], before);
        assert_eq!(bench.host.host.containers().len(), 2);
    };
    // The agent does not run, so the supervisor is alone with the copy.
    check(&bench);
    bench.start();
    bench.until_ready("1").await;
    bench.pass_time(600).await;
    check(&bench);
}

#[tokio::test(start_paused = true)]
async fn a_copied_document_is_replaced_by_the_one_of_its_folder() {
    let mut bench = copied().await;
    let before = [running(&bench, "asterisk"), running(&bench, COPIED)];
    bench.start();
    bench.pass_time(600).await;
    bench.until_report(|_| documented(&bench).as_deref() == Some("1")).await;
    assert_eq!([running(&bench, "asterisk"), running(&bench, COPIED)], before);
}
