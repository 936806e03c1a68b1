//! Turns the comparison into rows of the table: each contender's times, and ours relative to the others. This module
//! is pure.

use std::time::Duration;

use super::contender::Contender;
use super::figures::Figures;
use super::replace::{Comparison, Run, Series};
use super::table::{Aim, Table, millis};

const TOTAL_OVER_BASELINE: Duration = Duration::from_millis(100);
const GAP_OVER_BASELINE: Duration = Duration::from_millis(50);
const SWARM_SHARE: u32 = 10;

type Part = fn(&Run) -> Duration;

/// Adds the rows of a comparison.
pub(crate) fn add_rows(comparison: &Comparison<'_>, table: &mut Table) {
    let parts: [(&str, Part); 3] = [
        ("command → new version serving", |run| run.serving),
        ("gap old stops → new answers", |run| run.gap),
        ("command → it returns", |run| run.returned),
    ];
    for (words, part) in parts {
        let medians = Medians::of(comparison, part);
        for one in &comparison.series {
            let what = format!("{words}: {}", one.contender.name());
            match (figures(one, part), &one.failure) {
                (Some(figures), None) => table.figures(what, &figures, Aim::none()),
                (_, failure) => {
                    table.not_measured(what, failure.as_deref().unwrap_or("there was no run"))
                }
            }
        }
        medians.compare(words, table);
    }
}

fn figures(one: &Series<'_>, part: Part) -> Option<Figures> {
    Figures::of(one.runs.iter().map(part))
}

struct Medians {
    baseline: Option<Duration>,
    ours: Option<Duration>,
    swarm: Option<Duration>,
}

impl Medians {
    fn of(comparison: &Comparison<'_>, part: Part) -> Self {
        let median = |is_wanted: fn(&Contender<'_>) -> bool| {
            let one = comparison.series.iter().find(|one| is_wanted(&one.contender))?;
            Some(figures(one, part)?.median)
        };
        Self {
            baseline: median(|one| matches!(one, Contender::Baseline { .. })),
            ours: median(|one| matches!(one, Contender::Ours { .. })),
            swarm: median(|one| matches!(one, Contender::Swarm { .. })),
        }
    }
}

impl Medians {
    /// Adds the rows that compare our median with the other two. It adds nothing if ours is missing.
    fn compare(&self, words: &str, table: &mut Table) {
        let Some(ours) = self.ours else { return };
        if let Some(baseline) = self.baseline {
            let over =
                if words.starts_with("gap") { GAP_OVER_BASELINE } else { TOTAL_OVER_BASELINE };
            let aim = if words.contains("returns") {
                Aim::none()
            } else {
                let limit =
                    format!("≤ {} (the engine's + {})", millis(baseline + over), millis(over));
                Aim::new(limit, Some(ours <= baseline + over))
            };
            table.value(format!("{words}: ours / engine"), ratio(ours, baseline), aim);
        }
        if let Some(swarm) = self.swarm {
            let aim = if words.contains("serving") {
                let limit = format!("≤ {} (a tenth of Swarm's)", millis(swarm / SWARM_SHARE));
                Aim::new(limit, Some(ours <= swarm / SWARM_SHARE))
            } else {
                Aim::none()
            };
            table.value(format!("{words}: ours / Swarm"), ratio(ours, swarm), aim);
        }
    }
}

fn ratio(ours: Duration, other: Duration) -> String {
    format!("{:.2}", ours.as_secs_f64() / other.as_secs_f64())
}
