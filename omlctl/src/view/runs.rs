//! The runs of operations as a table.

use oml_proto::v1::{Run, RunId, RunOutcome, RunState};

use crate::output::Output;
use crate::table::Column::{Prose, Whole};
use crate::table::{Field, Style, plain};

/// Formats runs as a table, the newest first.
pub(crate) fn runs(output: &Output, runs: &[Run]) -> String {
    let columns = [
        Whole("RUN"),
        Whole("ASKED"),
        Whole("WHO"),
        Whole("NODE"),
        Whole("COMPONENT"),
        Whole("OPERATION"),
        Prose("OUTCOME"),
    ];
    let rows = runs.iter().map(|run| {
        vec![
            plain(run_number(run)),
            plain(asked_at(output, run)),
            plain(if run.who.is_empty() { "update" } else { &run.who }),
            plain(&run.node),
            plain(&run.component),
            plain(&run.operation),
            Field::new(&run.sentence, style(run)),
        ]
    });
    output.tables.table(&columns, rows.collect())
}

/// Returns when a run was asked for, or a dash while that is not known.
fn asked_at(output: &Output, run: &Run) -> String {
    match run.asked_at_ms {
        0 => "-".to_owned(),
        at => output.clock.date_time(at),
    }
}

/// Returns the number of a run, as the name of its unit has it.
pub(crate) fn run_number(run: &Run) -> String {
    let id = run.id.as_ref();
    id.map(|RunId { epoch, number }| format!("{epoch}-{number}")).unwrap_or_default()
}

fn style(run: &Run) -> Style {
    let result = run.result.clone().unwrap_or_default();
    match (run.state(), result.outcome(), result.status) {
        (RunState::Waiting | RunState::Running, _, _) => Style::Moving,
        (RunState::Ended, RunOutcome::Exited, Some(0)) => Style::Good,
        (RunState::Ended | RunState::Unanswered | RunState::Lost | RunState::Unspecified, _, _) => {
            Style::Bad
        }
    }
}
