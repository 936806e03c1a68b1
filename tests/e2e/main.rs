//! End-to-end tests of the real programs on real hosts, with real Docker, systemd
//! and a real registry. The tests share fleets; every test starts from the same state.
#![expect(
    clippy::disallowed_methods,
    reason = "tests on real hosts use real time and read their own variables"
)]

mod acme;
mod acme_certificate;
mod bad_input;
mod bad_versions;
mod by_hand;
mod calls;
mod contract;
mod counts;
mod crashes;
mod data;
mod drain;
mod drift;
mod files;
mod grpc;
mod images;
mod in_use;
mod kept_alive;
mod mistakes;
mod omlctl;
mod operations;
mod order;
mod packaged;
mod pool;
mod preflight;
mod prometheus;
mod registries;
mod registry;
mod removal;
mod revisions;
mod rights;
mod rpm;
mod secrets;
mod security;
mod settings;
mod texts;
mod tls;
mod trixie;
mod units;
mod wordpress;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Conclusion, Trial};
use oml_lab::Debian;
use oml_tests::{Fleet, Packages, field, release, trial};

use crate::pool::{Kind, Pool};

/// The fleet that a test runs on, the test's name and its function.
pub(crate) type Case = (Kind, &'static str, fn(&Fleet) -> anyhow::Result<()>);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let pool = Arc::new(Pool::default());
    let debian = match release::of_hosts() {
        Ok(debian) => debian,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials: Vec<Trial> = cases().into_iter().map(|case| on_fleet(&pool, case)).collect();
    trials
        .push(on_own_host(&pool, contract::NAME, move |packages| contract::run(packages, debian)));
    // Where all hosts run Debian 13, every test is one on Debian 13.
    if debian != Debian::Trixie {
        trials.extend(trixie::CASES.iter().map(|case| on_fleet(&pool, *case)));
        let on_trixie = |packages: &Packages| contract::run(packages, Debian::Trixie);
        trials.push(in_turn(&pool, contract::NAME_ON_TRIXIE, on_trixie));
    } else {
        // The tool that makes them takes minutes to build, so that not every run has them.
        trials.push(in_turn(&pool, rpm::NAME, rpm::run));
    }
    let unknown = order::unknown(|name| trials.iter().any(|trial| trial.name() == name));
    if debian != Debian::Trixie && !unknown.is_empty() {
        eprintln!("error: tests/e2e/order.rs names what is no test: {}", unknown.join(", "));
        return ExitCode::FAILURE;
    }
    if field::is_alone() {
        trials.retain(|trial| field::names(trial.name()));
    }
    if !trial::can_run() && !arguments.list {
        trials = trials.into_iter().map(|trial| trial.with_ignored_flag(true)).collect();
    }
    // All tests may run in parallel; the pool makes tests of the same fleet wait for each other.
    arguments.test_threads = Some(trials.len());
    let conclusion = libtest_mimic::run(&arguments, trials);
    take_down(&pool, conclusion)
}

fn on_fleet(pool: &Arc<Pool>, case: Case) -> Trial {
    let pool = Arc::clone(pool);
    let (kind, name, _test) = case;
    Trial::test(name, move || trial::outcome(name, pool.run_on(case))).with_kind(kind.as_str())
}

/// A test on hosts of its own.
type OwnTest = fn(&Packages) -> anyhow::Result<()>;

fn on_own_host(
    pool: &Arc<Pool>,
    name: &'static str,
    test: impl FnOnce(&Packages) -> anyhow::Result<()> + Send + 'static,
) -> Trial {
    let pool = Arc::clone(pool);
    Trial::test(name, move || {
        trial::outcome(name, pool.packages().and_then(|packages| test(&packages)))
    })
}

/// Runs the test on hosts of its own when no other test uses hosts with Debian 13.
fn in_turn(pool: &Arc<Pool>, name: &'static str, test: OwnTest) -> Trial {
    let pool = Arc::clone(pool);
    Trial::test(name, move || trial::outcome(name, pool.run_in_turn(Kind::Trixie, name, test)))
}

fn cases() -> Vec<Case> {
    let mut cases = acme::CASES.to_vec();
    cases.extend(counts::CASES);
    cases.extend(files::CASES);
    cases.extend(crashes::CASES);
    cases.extend(data::CASES);
    cases.extend(drain::CASES);
    cases.extend(drift::CASES);
    cases.extend(grpc::CASES);
    cases.extend(in_use::CASES);
    cases.extend(kept_alive::CASES);
    cases.extend(operations::CASES);
    cases.extend(bad_versions::CASES);
    cases.extend(by_hand::CASES);
    cases.extend(calls::CASES);
    cases.extend(packaged::CASES);
    cases.extend(preflight::CASES);
    cases.extend(prometheus::CASES);
    cases.extend(registry::CASES);
    cases.extend(registries::CASES);
    cases.extend(removal::CASES);
    cases.extend(images::CASES);
    cases.extend(revisions::CASES);
    cases.extend(rights::CASES);
    cases.extend(bad_input::CASES);
    cases.extend(mistakes::CASES);
    cases.extend(secrets::CASES);
    cases.extend(security::CASES);
    cases.extend(settings::CASES);
    cases.extend(texts::CASES);
    cases.extend(tls::CASES);
    cases.extend(acme_certificate::CASES);
    cases.extend(units::CASES);
    cases.extend(wordpress::CASES);
    cases
}

fn take_down(pool: &Pool, conclusion: Conclusion) -> ExitCode {
    if let Err(error) = pool.down() {
        eprintln!("error: the labs could not be taken down: {error:#}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
