//! The options that every command has.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::output::Format;

/// The options that every command accepts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value = "table",
        hide_possible_values = true,
        help = "Output format: table, json or yaml"
    )]
    pub(crate) output: Format,
    /// Use this context instead of the current one
    #[arg(long, global = true, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) context: Option<String>,
    /// Connect to the controller at this address (host:port) instead of those of the context
    #[arg(long, global = true, value_name = "ADDRESS", value_hint = ValueHint::Other)]
    pub(crate) endpoint: Option<String>,
    /// The file that lists the contexts [env: OMLCTL_CONFIG] [default: ~/.config/omlctl/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}
