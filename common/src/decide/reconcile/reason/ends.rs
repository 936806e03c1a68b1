//! The words about a program that ends again and again.

use std::fmt::{Formatter, Result};

use crate::text::plural::counted;

use super::{Ends, Reason, last_lines};

/// Says how often a program ended. `now` is what is said after it, where the cause may stand.
pub(super) fn ends_again(f: &mut Formatter<'_>, ends: &Ends, now: Option<&Reason>) -> Result {
    let Ends { times, within, not_started, exit_code, printed } = ends;
    let times = counted(u64::try_from(*times).unwrap_or(u64::MAX), "times");
    if let Some(why) = not_started {
        write!(f, "ends or cannot be started again and again: {times} within {within}")?;
        return match now.is_some_and(|now| now.names_failed_start(why)) {
            true => Ok(()),
            false => write!(f, ", the last start failed: {why}"),
        };
    }
    write!(f, "ends again and again: {times} within {within}")?;
    if let Some(code) = exit_code {
        write!(f, ", last with exit code {code}")?;
    }
    last_lines(f, "its last words", printed)
}

/// Says how the program is now. Of a packaged unit that is active there is nothing more to say.
pub(super) fn now_is(f: &mut Formatter<'_>, now: &Reason) -> Result {
    match now.to_string().as_str() {
        "" => f.write_str("; it is active now"),
        words => write!(f, "; now: {words}"),
    }
}
