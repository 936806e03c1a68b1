//! `omlctl` is the operator's command line. It asks the controller and shows the
//! answers; it makes no decisions about tenants.

use std::process::ExitCode;

use oml_daemon::core_dumps;
use oml_daemon::env::Env;

mod change;
mod cli;
mod clock;
mod common;
mod config;
mod confirm;
mod connection;
mod describe;
mod error;
mod output;
mod pairs;
mod progress;
mod table;
mod variables;
mod verb;
mod view;
mod wait;

fn main() -> ExitCode {
    if let Err(error) = core_dumps::forbid() {
        eprintln!("omlctl: cannot forbid core dumps: {error}");
    }
    // This fails only if a provider is installed already, and it is the same one.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    match cli::parse().and_then(|cli| verb::run(cli, &Env::system())) {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
