//! The whole chain on real hosts: real Docker, real systemd, a real registry,
//! real programs. Each test leaves its fleet as the next one expects it.
#![expect(clippy::disallowed_methods, reason = "real hosts, by real time, as whoever runs it says")]

mod acme;
mod bad_input;
mod bad_versions;
mod contract;
mod deaths;
mod drain;
mod drift;
mod look;
mod operator;
mod pool;
mod preflight;
mod registry;
mod revisions;
mod security;
mod units;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use oml_tests::Fleet;

use crate::pool::{Kind, Pool};

/// A test and the fleet it runs on.
pub(crate) type Case = (Kind, &'static str, fn(&Fleet) -> anyhow::Result<()>);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let pool = Arc::new(Pool::default());
    let mut trials: Vec<Trial> = cases().into_iter().map(|case| on_fleet(&pool, case)).collect();
    trials.push(on_own_host(&pool));
    if !pool::can_run() && !arguments.list {
        trials = trials.into_iter().map(|trial| trial.with_ignored_flag(true)).collect();
    }
    // Tests of one fleet wait for each other, and none for those of another.
    arguments.test_threads = Some(trials.len());
    let conclusion = libtest_mimic::run(&arguments, trials);
    end(&pool, conclusion)
}

fn on_fleet(pool: &Arc<Pool>, (kind, name, test): Case) -> Trial {
    let pool = Arc::clone(pool);
    Trial::test(name, move || told(pool.with(kind, test))).with_kind(kind.as_str())
}

fn on_own_host(pool: &Arc<Pool>) -> Trial {
    let pool = Arc::clone(pool);
    Trial::test(contract::NAME, move || {
        told(pool.packages().and_then(|packages| contract::is_kept(&packages)))
    })
}

fn told(outcome: anyhow::Result<()>) -> Result<(), Failed> {
    outcome.map_err(|error| Failed::from(format!("{error:#}")))
}

fn cases() -> Vec<Case> {
    let mut cases = acme::CASES.to_vec();
    cases.extend(deaths::CASES);
    cases.extend(drain::CASES);
    cases.extend(drift::CASES);
    cases.extend(bad_versions::CASES);
    cases.extend(preflight::CASES);
    cases.extend(registry::CASES);
    cases.extend(revisions::CASES);
    cases.extend(bad_input::CASES);
    cases.extend(security::CASES);
    cases.extend(units::CASES);
    cases
}

fn end(pool: &Pool, conclusion: Conclusion) -> ExitCode {
    if let Err(error) = pool.down() {
        eprintln!("error: the labs could not be taken down: {error:#}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
