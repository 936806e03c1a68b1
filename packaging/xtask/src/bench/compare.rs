//! The race as rows: each contender's times, and ours beside the others'. Pure.

use std::time::Duration;

use super::contender::Contender;
use super::figures::Figures;
use super::replace::{Lane, Race, Run};
use super::table::{Aim, Table, millis};

const TOTAL_OVER_FLOOR: Duration = Duration::from_millis(100);
const GAP_OVER_FLOOR: Duration = Duration::from_millis(50);
const SWARM_SHARE: u32 = 10;

type Part = fn(&Run) -> Duration;

/// Adds the rows of a race.
pub(crate) fn tell(race: &Race<'_>, table: &mut Table) {
    let parts: [(&str, Part); 3] = [
        ("command → new version serving", |run| run.serving),
        ("gap old stops → new answers", |run| run.gap),
        ("command → it returns", |run| run.returned),
    ];
    for (words, part) in parts {
        let rivals = Rivals::of(race, part);
        for lane in &race.lanes {
            let what = format!("{words}: {}", lane.contender.name());
            match (figures(lane, part), &lane.failure) {
                (Some(figures), None) => table.figures(what, &figures, Aim::none()),
                (_, failure) => table.missing(what, failure.as_deref().unwrap_or("no run")),
            }
        }
        rivals.compare(words, table);
    }
}

fn figures(lane: &Lane<'_>, part: Part) -> Option<Figures> {
    Figures::of(lane.runs.iter().map(part))
}

struct Rivals {
    floor: Option<Duration>,
    ours: Option<Duration>,
    swarm: Option<Duration>,
}

impl Rivals {
    fn of(race: &Race<'_>, part: Part) -> Self {
        let median = |is_wanted: fn(&Contender<'_>) -> bool| {
            let lane = race.lanes.iter().find(|lane| is_wanted(&lane.contender))?;
            Some(figures(lane, part)?.median)
        };
        Self {
            floor: median(|one| matches!(one, Contender::Floor { .. })),
            ours: median(|one| matches!(one, Contender::Ours { .. })),
            swarm: median(|one| matches!(one, Contender::Swarm { .. })),
        }
    }
}

impl Rivals {
    /// Ours against the two others; nothing where ours is missing.
    fn compare(&self, words: &str, table: &mut Table) {
        let Some(ours) = self.ours else { return };
        if let Some(floor) = self.floor {
            let over = if words.starts_with("gap") { GAP_OVER_FLOOR } else { TOTAL_OVER_FLOOR };
            let aim = if words.contains("returns") {
                Aim::none()
            } else {
                let limit = format!("≤ {} (the engine's + {})", millis(floor + over), millis(over));
                Aim::new(limit, Some(ours <= floor + over))
            };
            table.value(format!("{words}: ours / engine"), ratio(ours, floor), aim);
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
