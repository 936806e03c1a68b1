//! Runs the comparison. The contenders replace the same small container in turn, so
//! that other load on the machine affects all of them alike.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use oml_lab::Host;

use super::contender::Contender;
use super::quiet;
use super::watch::Watch;

const VERSIONS: [&str; 2] = ["v1", "v2"];
/// The number of rounds before the measured ones, so that the caches are warm for all contenders.
const WARM_UP: usize = 2;

/// The measured times of one replacement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// The time from the start of the command to the first answer of the new version.
    pub(crate) serving: Duration,
    /// The time from the last answer of the old version to the first answer of the new one.
    pub(crate) gap: Duration,
    /// The time from the start of the command to its end.
    pub(crate) returned: Duration,
}

/// The results of one contender.
pub(crate) struct Series<'a> {
    pub(crate) contender: Contender<'a>,
    pub(crate) runs: Vec<Run>,
    /// The error that excluded the contender, if any.
    pub(crate) failure: Option<String>,
}

/// The results of all contenders.
pub(crate) struct Comparison<'a> {
    pub(crate) series: Vec<Series<'a>>,
    /// The number of measured runs that started while the machine was busy with something else.
    pub(crate) busy_starts: usize,
}

impl<'a> Comparison<'a> {
    /// Runs the comparison on a host that has both images.
    pub(crate) fn run(contenders: Vec<Contender<'a>>, host: &Host, runs: usize) -> Result<Self> {
        let series = contenders
            .into_iter()
            .map(|contender| Series { contender, runs: Vec::new(), failure: None })
            .collect();
        let mut comparison = Self { series, busy_starts: 0 };
        let [mut old, mut new] = VERSIONS;
        for one in &mut comparison.series {
            one.attempt(|contender| contender.prepare(host, old));
        }
        for round in 0..WARM_UP + runs {
            comparison.round(host, old, new, round.checked_sub(WARM_UP))?;
            (old, new) = (new, old);
        }
        for one in &mut comparison.series {
            one.attempt(|contender| contender.clean_up(host, old));
        }
        Ok(comparison)
    }

    /// Lets each contender replace the container once. A warm-up round has no number and is not recorded.
    fn round(&mut self, host: &Host, old: &str, new: &str, number: Option<usize>) -> Result<()> {
        for one in &mut self.series {
            let is_quiet = quiet::wait()?;
            let run = one.attempt(|contender| measure(contender, host, old, new));
            let (Some(run), Some(number)) = (run, number) else { continue };
            self.busy_starts += usize::from(!is_quiet);
            one.runs.push(run);
            eprintln!(
                "{:>3} {:<24} serving {:>8.1?}  gap {:>8.1?}  returned {:>8.1?}{}",
                number + 1,
                one.contender.name(),
                run.serving,
                run.gap,
                run.returned,
                if is_quiet { "" } else { "  (machine busy)" }
            );
        }
        Ok(())
    }
}

impl Series<'_> {
    fn attempt<T>(&mut self, step: impl FnOnce(&Contender<'_>) -> Result<T>) -> Option<T> {
        if self.failure.is_some() {
            return None;
        }
        step(&self.contender)
            .map_err(|error| {
                eprintln!("{} failed and is excluded: {error:#}", self.contender.name());
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
    contender.remove_old(old).context("clean up after the run")?;
    Ok(Run { serving: seen.first_new - started, gap: seen.first_new - seen.last_old, returned })
}
