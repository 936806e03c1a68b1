//! What is said of the calls that a change waits for or cuts.

use std::fmt::{Formatter, Result};

use super::CallCount;
use crate::text::plural::{counted, is_or_are};

pub(super) fn draining(
    f: &mut Formatter<'_>,
    noun: &str,
    count: &CallCount,
    is_overdue: bool,
) -> Result {
    match count {
        CallCount::Asked => write!(f, "asking how many {noun} are up")?,
        CallCount::Up(active) => {
            write!(f, "{} {} up", counted(*active, noun), is_or_are(*active))?;
        }
        CallCount::Unreadable(why) => {
            write!(f, "the number of {noun} cannot be read, so {noun} count as up")?;
            if !why.is_empty() {
                write!(f, ": {why}")?;
            }
        }
    }
    if is_overdue {
        f.write_str("; the deadline has passed, on_deadline is wait")?;
    }
    Ok(())
}

pub(super) fn cut_at_deadline(f: &mut Formatter<'_>, calls: Option<u64>) -> Result {
    f.write_str("the drain deadline has passed; ")?;
    match calls {
        Some(calls) => write!(f, "{calls} {} cut", is_or_are(calls)),
        None => f.write_str("an unknown number of calls is cut"),
    }
}
