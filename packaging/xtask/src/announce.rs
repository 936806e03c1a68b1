//! Announces what a command is about to install and change, once and before it changes anything.

use std::env;

use anyhow::Result;
use oml_lab::Preflight;
use oml_tests::tools::Tool;

/// This variable is set for the same command under sudo, which must not announce the changes a second time.
pub(crate) const ANNOUNCED: &str = "OML_XTASK_ANNOUNCED";

/// Prints what will change on this machine, unless the command that started this one with sudo has done so.
pub(crate) fn announce(found: &Preflight, tools: &[Tool]) -> Result<()> {
    if env::var_os(ANNOUNCED).is_some() {
        return Ok(());
    }
    let own = tools.iter().filter_map(|tool| tool.announcement().transpose());
    let own = own.collect::<Result<Vec<_>>>()?;
    eprintln!("This command:");
    for line in own.iter().map(String::as_str).chain(found.announcement().lines()) {
        eprintln!("  - {line}");
    }
    Ok(())
}
