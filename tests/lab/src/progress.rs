//! Prints progress on standard error for the person who waits: one plain line per step, with the time it took.

use std::io::{self, Write};
use std::time::Instant;

/// Prints one line. It writes to standard error directly, so that the line is shown even when the test harness captures
/// the output, because it announces changes to the machine.
pub(crate) fn log(text: &str) {
    // If standard error is closed, there is nowhere to report that.
    writeln!(io::stderr(), "lab: {text}").ok();
}

/// Runs one step and prints how long it took.
pub(crate) fn timed<T>(what: &str, step: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let value = step();
    log(&format!("{what}: {:.1} s", started.elapsed().as_secs_f64()));
    value
}
