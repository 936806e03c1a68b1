//! Counts of calls by several commands.

use oml_common::document::instance::{ActiveProbe, ActiveSource, ActiveTotal};

use super::*;

/// The calls are those that two programs in the container count.
fn both() -> ActiveProbe {
    let sources = [("count", "active calls"), ("dialer", "calls waiting")];
    let source = |(word, before): (&str, &str)| ActiveSource {
        command: vec![word.to_owned()],
        before: before.to_owned(),
    };
    let sources = sources.map(source).into();
    ActiveProbe::of(sources, "calls".to_owned(), ActiveTotal::Sum).unwrap()
}

#[tokio::test(start_paused = true)]
async fn calls_of_every_source_are_waited_for_and_a_source_that_cannot_be_read_is_not_zero() {
    let mut bench = Bench::with_calls(2).await;
    bench.host.answer_exec(&["dialer"], 0, "3 calls waiting\n");
    // What runs says how its calls are counted.
    bench.desire_counted_as(both(), "1", OnDeadline::Wait);
    bench.until_ready("1").await;
    bench.desire_counted_as(both(), "2", OnDeadline::Wait);
    bench.until(|report| report.reason.contains("5 calls are up")).await;
    bench.set_calls(0);
    bench.until(|report| report.reason.contains("3 calls are up")).await;
    bench.host.answer_exec(&["dialer"], 1, "no such queue");
    let words = "printed \"no such queue\"; the command is dialer";
    bench.until(|report| report.reason.contains(words)).await;
    bench.pass_time(300).await;
    bench.until(|report| matches!(report.phase, Phase::Draining { .. })).await;
    bench.host.answer_exec(&["dialer"], 0, "0 calls waiting\n");
    bench.until_ready("2").await;
}
