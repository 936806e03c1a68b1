//! `omlctl completions` prints completion scripts for shells.

use clap_complete::Shell;

use crate::common::Common;
use crate::error::CommandError;
use crate::output::Output;
use crate::wait::ExitOutcome;

/// Print the completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl completions bash > /etc/bash_completion.d/omlctl
  omlctl completions zsh > ~/.zfunc/_omlctl
  omlctl completions fish > ~/.config/fish/completions/omlctl.fish")]
pub(crate) struct Arguments {
    /// The shell: bash, zsh, fish, elvish or powershell
    #[arg(hide_possible_values = true)]
    shell: Shell,
}

/// Prints the script for the syntax of `command`.
pub(super) fn run(
    common: &Common,
    arguments: &Arguments,
    mut command: clap::Command,
) -> Result<ExitOutcome, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "omlctl", &mut script);
    Output::new(common.output).text(&String::from_utf8_lossy(&script))?;
    Ok(ExitOutcome::Done)
}
