//! The race: the contenders replace the same small container by turns, so that
//! whatever else the machine does hits all alike.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use oml_lab::Host;

use super::contender::Contender;
use super::quiet;
use super::watch::Watch;

const VERSIONS: [&str; 2] = ["v1", "v2"];
/// Turns before the measured ones: caches are warm for all.
const WARM_UP: usize = 2;

/// The measured times of one replacement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// From the command's start to the new version's first answer.
    pub(crate) serving: Duration,
    /// From the old version's last answer to the new one's first.
    pub(crate) gap: Duration,
    /// From the command's start to its end.
    pub(crate) returned: Duration,
}

/// What became of one contender.
pub(crate) struct Lane<'a> {
    pub(crate) contender: Contender<'a>,
    pub(crate) runs: Vec<Run>,
    /// Why it is out of the race.
    pub(crate) failure: Option<String>,
}

/// All of them, and how the machine was.
pub(crate) struct Race<'a> {
    pub(crate) lanes: Vec<Lane<'a>>,
    /// Measured runs that began although the machine was busy with something else.
    pub(crate) busy_starts: usize,
}

impl<'a> Race<'a> {
    /// Runs it on a host that has both images.
    pub(crate) fn run(contenders: Vec<Contender<'a>>, host: &Host, runs: usize) -> Result<Self> {
        let lanes = contenders
            .into_iter()
            .map(|contender| Lane { contender, runs: Vec::new(), failure: None })
            .collect();
        let mut race = Self { lanes, busy_starts: 0 };
        let [mut old, mut new] = VERSIONS;
        for lane in &mut race.lanes {
            lane.attempt(|contender| contender.prepare(host, old));
        }
        for turn in 0..WARM_UP + runs {
            race.turn(host, (old, new), turn.checked_sub(WARM_UP))?;
            (old, new) = (new, old);
        }
        for lane in &mut race.lanes {
            lane.attempt(|contender| contender.leave(host, old));
        }
        Ok(race)
    }

    /// Each contender replaces once; a warm-up has no number.
    fn turn(&mut self, host: &Host, (old, new): (&str, &str), number: Option<usize>) -> Result<()> {
        for lane in &mut self.lanes {
            let is_quiet = quiet::wait()?;
            let run = lane.attempt(|contender| measure(contender, host, old, new));
            let (Some(run), Some(number)) = (run, number) else { continue };
            self.busy_starts += usize::from(!is_quiet);
            lane.runs.push(run);
            eprintln!(
                "{:>3} {:<24} serving {:>8.1?}  gap {:>8.1?}  returned {:>8.1?}{}",
                number + 1,
                lane.contender.name(),
                run.serving,
                run.gap,
                run.returned,
                if is_quiet { "" } else { "  (machine busy)" }
            );
        }
        Ok(())
    }
}

impl Lane<'_> {
    fn attempt<T>(&mut self, step: impl FnOnce(&Contender<'_>) -> Result<T>) -> Option<T> {
        if self.failure.is_some() {
            return None;
        }
        step(&self.contender)
            .map_err(|error| {
                eprintln!("{} is out: {error:#}", self.contender.name());
                self.failure = Some(format!("{error:#}"));
            })
            .ok()
    }
}

fn measure(contender: &Contender<'_>, host: &Host, old: &str, new: &str) -> Result<Run> {
    let watch = Watch::start(contender.port(host), old, new)?;
    let started = Instant::now();
    contender.replace(host, old, new)?;
    let returned = started.elapsed();
    let seen = watch.finish()?;
    contender.tidy(old).context("tidy up after the run")?;
    Ok(Run { serving: seen.first_new - started, gap: seen.first_new - seen.last_old, returned })
}
