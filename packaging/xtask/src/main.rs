//! `cargo xtask <verb>`: one file per verb. No verb knows another.
#![expect(
    clippy::disallowed_methods,
    reason = "a tool of developers: it measures real time and reads its own variables"
)]

mod announce;
mod bench;
mod demo;
mod deny;
mod elevate;
mod hosts;
mod lab;
mod packages;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Real hosts on this machine: boot them, enter them, take them down
    #[command(subcommand)]
    Lab(lab::Lab),
    /// The life of a tenant on real hosts, command by command
    Demo(demo::Demo),
    /// The Debian packages, as released
    Packages,
    /// What it costs, measured beside the engine alone and Docker Swarm
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Licences, sources and banned crates of everything we depend on
    Deny(deny::Deny),
    /// Every test, those on real hosts included
    Test(test::Test),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.verb {
        Verb::Lab(verb) => lab::run(verb),
        Verb::Demo(verb) => demo::run(&verb),
        Verb::Bench(verb) => bench::run(&verb),
        Verb::Packages => packages::run(),
        Verb::Deny(verb) => deny::run(&verb),
        Verb::Test(verb) => test::run(&verb),
    };
    // Also what a verb that failed has left.
    if let Err(error) = elevate::hand_back() {
        eprintln!("warning: {error:#}");
    }
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
