//! The defaults of the options of a change.

use clap::Parser as _;
use oml_common::document::spec::RolloutSpec;

use crate::cli::{Cli, Verb};

#[test]
fn the_default_timeout_is_longer_than_the_default_drain_deadline() {
    let words = ["omlctl", "set-version", "tenant=acme", "asterisk=1"];
    let Verb::SetVersion(arguments) = Cli::parse_from(words).verb else { panic!("set-version") };
    let drain_ms = RolloutSpec::default().drain_deadline_ms;
    assert!(arguments.args.timeout.as_millis() >= 2 * u128::from(drain_ms));
}
