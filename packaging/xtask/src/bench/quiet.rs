//! Waits until the machine is nearly idle, so that work left over from one run does
//! not slow down the next.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const WINDOW: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(5);
/// The highest load of all processors together, in percent, at which the machine counts as quiet.
const BUSY_PERCENT_MAX: u64 = 15;

/// Waits until the machine is quiet and returns true, or returns false if it is still busy after five seconds.
pub(crate) fn wait() -> Result<bool> {
    let started = Instant::now();
    let mut before = Ticks::now()?;
    while started.elapsed() < LIMIT {
        thread::sleep(WINDOW);
        let now = Ticks::now()?;
        let (all, busy) = (now.all - before.all, now.busy - before.busy);
        if all > 0 && busy * 100 / all <= BUSY_PERCENT_MAX {
            return Ok(true);
        }
        before = now;
    }
    Ok(false)
}

struct Ticks {
    all: u64,
    busy: u64,
}

impl Ticks {
    /// Reads the first line of /proc/stat, which has the columns user, nice, system, idle, iowait, irq, softirq and steal.
    fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
        let all = ticks.iter().sum();
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        Ok(Self { all, busy: all - idle })
    }
}
