//! `cargo xtask deny` checks the licences and sources of all dependencies, and that none of them is banned.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use oml_tests::tools::CARGO_DENY;

#[derive(Debug, Args)]
pub(crate) struct Deny {
    /// The checks to run; `advisories` needs access to GitHub
    #[arg(default_values = ["bans", "licenses", "sources"])]
    checks: Vec<String>,
}

pub(crate) fn run(verb: &Deny) -> Result<ExitCode> {
    let mut deny = std::process::Command::new(CARGO_DENY.ensure()?);
    deny.current_dir(oml_tests::workspace::workspace_root()?);
    deny.args(["--workspace", "--all-features", "--locked", "check"]).args(&verb.checks);
    let status = deny.status().context("start cargo-deny")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
