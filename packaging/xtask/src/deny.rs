//! `cargo xtask deny`: licences, sources and banned crates of everything we depend on.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use oml_tests::tools::CARGO_DENY;

#[derive(Debug, Args)]
pub(crate) struct Deny {
    /// What to look at; `advisories` needs the way to GitHub
    #[arg(default_values = ["bans", "licenses", "sources"])]
    checks: Vec<String>,
}

pub(crate) fn run(verb: &Deny) -> Result<ExitCode> {
    let mut deny = std::process::Command::new(CARGO_DENY.ensure()?);
    deny.current_dir(oml_tests::packages::root()?);
    deny.args(["--workspace", "--all-features", "--locked", "check"]).args(&verb.checks);
    let status = deny.status().context("start cargo-deny")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
