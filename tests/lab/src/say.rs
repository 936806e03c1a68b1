//! Progress for the person who waits: plain lines on standard error, with the time each step took.

use std::time::Instant;

/// Prints one line.
pub(crate) fn say(text: &str) {
    eprintln!("lab: {text}");
}

/// Runs one step and prints how long it took.
pub(crate) fn timed<T>(what: &str, step: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let value = step();
    say(&format!("{what}: {:.1} s", started.elapsed().as_secs_f64()));
    value
}
