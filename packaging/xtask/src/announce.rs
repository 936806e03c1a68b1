//! Announces what a command is about to install and change, once and before it changes anything.

use anyhow::Result;
use oml_lab::Preflight;
use oml_tests::tools::Tool;

use crate::elevate::was_started_with_sudo;

/// Prints what will change on this machine, unless the command that started this one with sudo has done so.
pub(crate) fn announce(found: &Preflight, tools: &[Tool]) -> Result<()> {
    if was_started_with_sudo() {
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
