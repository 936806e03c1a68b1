//! `cargo xtask <command>`. Every command has its own file and is independent of the others.
#![expect(
    clippy::disallowed_methods,
    reason = "a tool of developers: it measures real time and reads its own variables"
)]

mod announce;
mod bench;
mod beside;
mod demo;
mod deny;
mod elevate;
mod field;
mod hosts;
mod lab;
mod lines;
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
    /// Boot real hosts on this machine, enter them and take them down
    #[command(subcommand)]
    Lab(lab::Lab),
    /// Show the life of a tenant on real hosts, command by command
    Demo(demo::Demo),
    /// Build the packages as they are released, for Debian and for distributions that use rpm
    Packages,
    /// Measure the product against the bare Docker Engine and Docker Swarm
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Check licences, sources and bans of all dependencies
    Deny(deny::Deny),
    /// Run what was tried on real hosts, or only random sequences of what people do there by hand
    Field(field::Field),
    /// Install, upgrade and roll back every line of OMniLeads on real hosts
    Lines(lines::Lines),
    /// Run every test, including those on real hosts
    Test(test::Test),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let leaves_files = !matches!(arguments.verb, Verb::Lab(_));
    let done = match arguments.verb {
        Verb::Lab(verb) => lab::run(verb),
        Verb::Demo(verb) => demo::run(&verb),
        Verb::Bench(verb) => bench::run(&verb),
        Verb::Packages => packages::run(),
        Verb::Deny(verb) => deny::run(&verb),
        Verb::Field(verb) => field::run(&verb),
        Verb::Lines(verb) => lines::run(&verb),
        Verb::Test(verb) => test::run(&verb),
    };
    // This also runs after a failed command. A lab has no files in cargo's folders, in which another process may build.
    if leaves_files && let Err(error) = elevate::return_files() {
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
