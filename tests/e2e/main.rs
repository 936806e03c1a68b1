//! The whole chain on real hosts: real Docker, real systemd, a real registry,
//! real programs. Each test leaves its fleet as the next one expects it.

mod acme;
mod bad_input;
mod bad_versions;
mod drift;
mod look;
mod pool;
mod security;
mod tiny;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use oml_tests::Fleet;

use crate::pool::{Kind, Pool};

/// A test and the fleet it runs on.
pub(crate) type Case = (Kind, &'static str, fn(&Fleet) -> anyhow::Result<()>);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One thread a fleet: tests of one fleet follow each other.
    arguments.test_threads = Some(Kind::ALL.len());
    let pool = Arc::new(Pool::default());
    let trials = cases().into_iter().map(|(kind, name, test)| {
        let pool = Arc::clone(&pool);
        Trial::test(name, move || {
            pool.with(kind, test).map_err(|error| Failed::from(format!("{error:#}")))
        })
        .with_kind(kind.word())
    });
    let conclusion = if pool::can_run() || arguments.list {
        libtest_mimic::run(&arguments, trials.collect())
    } else {
        let skipped: Vec<Trial> = trials.map(|trial| trial.with_ignored_flag(true)).collect();
        libtest_mimic::run(&arguments, skipped)
    };
    end(&pool, conclusion)
}

fn cases() -> Vec<Case> {
    let mut cases = acme::CASES.to_vec();
    cases.extend(tiny::CASES);
    cases.extend(drift::CASES);
    cases.extend(bad_versions::CASES);
    cases.extend(bad_input::CASES);
    cases.extend(security::CASES);
    // Alternating, so that both fleets have work from the beginning.
    cases.sort_by_key(|(_, name, _)| *name);
    cases
}

fn end(pool: &Pool, conclusion: Conclusion) -> ExitCode {
    if let Err(error) = pool.down() {
        eprintln!("error: the labs could not be taken down: {error:#}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
