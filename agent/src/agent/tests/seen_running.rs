//! A packaged unit that somebody masked while it runs, and a version in use of which somebody removed or
//! edited the document: what was seen to run counts.

use oml_common::document::report::Phase;
use oml_sim::ActiveState;

use super::bench::{Bench, name};
use super::restarts;
use super::skipped::packaged;
use crate::paths::Slot;

const UNIT: &str = "asterisk.service";

/// The unit of a package runs with the first setting.
async fn settled() -> Bench {
    let mut bench = Bench::new();
    bench.host.host.install_package(UNIT);
    bench.desire_document(packaged("1"));
    bench.until(|report| report.phase == Phase::Ready).await;
    bench
}

fn is_up(bench: &Bench) -> bool {
    let units = bench.host.host.units();
    units.iter().any(|(name, found)| name == UNIT && found.active == ActiveState::Active)
}

/// What somebody does to the document of the version in use.
const CHANGES: [fn(&Bench); 2] = [
    |bench| {
        let path = bench.host.paths.document(&name("asterisk"), Slot::Current);
        std::fs::remove_file(path).unwrap();
    },
    |bench| {
        let text = bench.text(Slot::Current).replace("OML=1", "OML=9");
        bench.garble(Slot::Current, text.as_bytes());
    },
];

fn has_document_of(bench: &Bench, slot: Slot, setting: &str) -> bool {
    let path = bench.host.paths.document(&name("asterisk"), slot);
    std::fs::read_to_string(path).is_ok_and(|text| text.contains(setting))
}

fn drop_in(bench: &Bench) -> std::path::PathBuf {
    bench.host.paths.drop_in(&UNIT.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_files_of_a_packaged_unit_are_put_right_also_while_it_is_masked_and_it_runs_on() {
    let bench = settled().await;
    let before = restarts(&bench);
    bench.host.host.mask(UNIT);
    let written = std::fs::read_to_string(drop_in(&bench)).unwrap();
    std::fs::write(drop_in(&bench), written.replace("OML=1", "OML=9")).unwrap();
    bench
        .until_report(|_| {
            std::fs::read_to_string(drop_in(&bench)).is_ok_and(|text| text == written)
        })
        .await;
    for change in CHANGES {
        change(&bench);
        bench.until_report(|_| has_document_of(&bench, Slot::Current, "OML=1")).await;
    }
    bench.until(|report| report.phase == Phase::Ready).await;
    assert!(is_up(&bench) && restarts(&bench) == before);
}

#[tokio::test(start_paused = true)]
async fn an_edited_document_of_a_packaged_unit_is_written_again_without_a_restart() {
    for change in CHANGES {
        let mut bench = settled().await;
        let before = restarts(&bench);
        change(&bench);
        bench.until_report(|_| has_document_of(&bench, Slot::Current, "OML=1")).await;
        // Nor by an agent that did not see it run before.
        bench.stop();
        change(&bench);
        bench.start();
        bench.until_report(|_| has_document_of(&bench, Slot::Current, "OML=1")).await;
        bench.until(|report| report.phase == Phase::Ready).await;
        assert_eq!(restarts(&bench), before, "it was restarted");
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_in_use_whose_document_was_removed_or_edited_while_it_is_masked_stays_in_use() {
    for change in CHANGES {
        let mut bench = settled().await;
        bench.desire_document(packaged("0"));
        bench.until(|report| report.phase == Phase::Ready).await;
        bench.desire_document(packaged("1"));
        bench.until(|report| report.phase == Phase::Ready).await;
        let before = restarts(&bench);
        bench.host.host.mask(UNIT);
        bench.desire_document(packaged("2"));
        bench.until(|report| report.reason.contains("systemctl unmask")).await;
        change(&bench);
        bench.until_report(|_| has_document_of(&bench, Slot::Current, "OML=1")).await;
        bench.until(|report| report.reason.contains("systemctl unmask")).await;
        assert!(is_up(&bench) && restarts(&bench) == before);
        bench.host.host.unmask(UNIT);
        bench.until(|report| report.phase == Phase::Ready).await;
        assert!(has_document_of(&bench, Slot::Current, "OML=2"));
        assert!(has_document_of(&bench, Slot::Previous, "OML=1"), "it is not what to go back to");
    }
}

/// What somebody edits in the document of the version in use: what is no part of its workload, and
/// its workload.
const EDITS: [(&str, &str); 2] = [("10000", "10001"), ("OML=2", "OML=9")];

#[tokio::test(start_paused = true)]
async fn an_edited_document_of_a_version_that_was_superseded_in_its_soak_is_put_right_and_reported()
{
    for (own, edited) in EDITS {
        let mut bench = settled().await;
        bench.desire_document(packaged("2"));
        bench.until_soaking().await;
        bench.host.host.mask(UNIT);
        bench.desire_document(packaged("3"));
        bench.until(|report| report.reason.contains("systemctl unmask")).await;
        let (before, text) = (restarts(&bench), bench.text(Slot::Current));
        assert!(text.contains("OML=2") && text.contains(own), "{text}");
        bench.garble(Slot::Current, text.replace(own, edited).as_bytes());
        bench.until_report(|_| bench.text(Slot::Current) == text).await;
        bench.pass_time(600).await;
        assert_eq!(bench.text(Slot::Current), text);
        assert!(is_up(&bench) && restarts(&bench) == before);
        // The mask was reported in its place.
        bench.host.host.unmask(UNIT);
        let words = "its instance document was changed";
        bench.until(|report| report.drift.as_ref().is_some_and(|it| it.found == words)).await;
    }
}
