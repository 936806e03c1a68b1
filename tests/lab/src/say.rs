//! Progress for the person who waits: plain lines on standard error, with the time each step took.

use std::io::{self, Write};
use std::time::Instant;

/// Prints one line, also from a test whose output is kept back: it says what is about to change on the machine.
pub(crate) fn say(text: &str) {
    // A closed standard error leaves nobody to tell.
    writeln!(io::stderr(), "lab: {text}").ok();
}

/// Runs one step and prints how long it took.
pub(crate) fn timed<T>(what: &str, step: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let value = step();
    say(&format!("{what}: {:.1} s", started.elapsed().as_secs_f64()));
    value
}
