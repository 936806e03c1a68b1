//! `omlctl`, the operator's command line. Asks the controller and shows what it
//! says; decides nothing about tenants itself.

use std::process::ExitCode;

use oml_daemon::env::Env;

mod change;
mod cli;
mod clock;
mod config;
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
    // A second installation finds the same provider already there.
    let _already = rustls::crypto::ring::default_provider().install_default();
    match cli::parse().and_then(|cli| verb::run(cli, &Env::system())) {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            output::tell_error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
