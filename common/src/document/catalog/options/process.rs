//! Reads as whom the program of a container runs, its limits and its stop signal.

use std::collections::BTreeMap;

use crate::document::instance::Ulimit;
use crate::text::problem::Problems;
use crate::text::yaml::FieldNode;

use super::literal;

/// The limits that engines know (go-units).
const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];
/// The most open files that every kernel allows (`fs.nr_open`). An engine cannot start a container
/// with more.
const NOFILE_MAX: i64 = 1_048_576;
/// The highest real-time priority (sched(7)).
const RTPRIO_MAX: i64 = 99;
/// The value of the limit of `nice` that stands for the niceness -20 (getrlimit(2)).
const NICE_MAX: i64 = 40;
/// The number that means no user (chown(2)).
const NOBODY_AT_ALL: u32 = u32::MAX;

/// The signals that ask a program to end.
const SIGNALS: [&str; 10] = [
    "SIGABRT", "SIGCONT", "SIGHUP", "SIGINT", "SIGKILL", "SIGQUIT", "SIGTERM", "SIGUSR1",
    "SIGUSR2", "SIGWINCH",
];

/// Reads a user with or without a group, each by its name or number.
pub(super) fn user(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let text = literal::text(field, problems)?;
    let mut parts = text.split(':');
    let is_known = parts.by_ref().take(2).all(is_user) && parts.next().is_none();
    if !is_known {
        let message = "must be a user, or a user and a group, each a name or a number";
        problems.push(field.problem(message).hint("write www-data, 1000 or 1000:1000"));
        return None;
    }
    Some(text)
}

fn is_user(text: &str) -> bool {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return text.parse::<u32>().is_ok_and(|number| number != NOBODY_AT_ALL);
    }
    (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Reads the limits of processes: one number for both, or the soft and the hard limit.
pub(super) fn ulimits(field: &FieldNode<'_>, problems: &mut Problems) -> BTreeMap<String, Ulimit> {
    let mut limits = BTreeMap::new();
    for (name, item) in field.entries::<String>(problems) {
        if !ULIMITS.contains(&name.as_str()) {
            problems.push(item.problem("is no limit of a process").suggest(&name, ULIMITS));
            continue;
        }
        let Some(text) = literal::text(&item, problems) else { continue };
        match ulimit(&name, &text) {
            Ok(limit) => _ = limits.insert(name, limit),
            Err(why) => problems.push(item.problem(why)),
        }
    }
    limits
}

fn ulimit(name: &str, text: &str) -> Result<Ulimit, String> {
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| match text {
        "unlimited" => Some(-1),
        digits => digits.parse::<i64>().ok().filter(|number| *number >= 0),
    };
    let (Some(soft), Some(hard)) = (number(soft), number(hard)) else {
        return Err("must be a number, unlimited, or two such as 1024:65536".to_owned());
    };
    if hard >= 0 && (soft < 0 || soft > hard) {
        return Err("the first number, the limit at the start, is above the second, the most \
                    that a program may raise it to"
            .to_owned());
    }
    let max = match name {
        "nofile" => NOFILE_MAX,
        "rtprio" => RTPRIO_MAX,
        "nice" => NICE_MAX,
        _ => return Ok(Ulimit { soft, hard }),
    };
    if !(0..=max).contains(&hard) || soft < 0 {
        return Err(format!("must be a number from 0 to {max}"));
    }
    Ok(Ulimit { soft, hard })
}

/// Reads the signal that asks the program to stop.
pub(super) fn stop_signal(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let choices = SIGNALS.map(|name| (name, name));
    field.choice(&choices, problems).map(str::to_owned)
}
