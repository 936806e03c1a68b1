//! Formats times and ages for people.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oml_common::time::Span;

/// Formats times in one time zone.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// Makes a clock with the time zone of this machine.
    pub(crate) fn local() -> Self {
        Self { zone: TimeZone::system() }
    }

    /// Makes a clock whose output is the same on every machine.
    #[cfg(test)]
    pub(crate) fn utc() -> Self {
        Self { zone: TimeZone::UTC }
    }

    /// Formats the time of day, such as `14:05:10`.
    pub(crate) fn time(&self, at_ms: u64) -> String {
        self.show(at_ms, "%H:%M:%S")
    }

    /// Formats the date and the time, such as `2024-05-01 14:05:10`.
    pub(crate) fn date_time(&self, at_ms: u64) -> String {
        self.show(at_ms, "%Y-%m-%d %H:%M:%S")
    }

    fn show(&self, at_ms: u64, form: &str) -> String {
        let instant = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        match instant {
            Some(instant) => instant.to_zoned(self.zone.clone()).strftime(form).to_string(),
            None => "?".to_owned(),
        }
    }
}

/// Formats the age of a time: `12s ago`, or `never` for 0.
pub(crate) fn age(now_ms: u64, at_ms: u64) -> String {
    match at_ms {
        0 => "never".to_owned(),
        at_ms => format!("{} ago", span(now_ms.saturating_sub(at_ms))),
    }
}

/// Formats a span in its largest unit, for tables: `12s`, `3m`.
pub(crate) fn short_span(duration_ms: u64) -> String {
    let span = span(duration_ms);
    span.split_once(' ').map_or(span.as_str(), |(first, _rest)| first).to_owned()
}

/// Formats a span without fractions of a second: `0s`, `12s`, `3m 5s`.
pub(crate) fn span(duration_ms: u64) -> String {
    match duration_ms {
        0..1000 => "0s".to_owned(),
        longer => Span(longer).to_string(),
    }
}
