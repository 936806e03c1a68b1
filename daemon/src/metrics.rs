//! The metrics pages of both daemons: the formats that a scraper can ask for, and the
//! numbers of hosts and instances, which mean the same on both pages.
//!
//! Every series has one owner: the names on the agent's page begin with `oml_agent_`, and
//! no name on the controller's page does, so nothing is counted twice where both are scraped.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

mod accept;
mod host;
mod instance;
mod text;

pub use host::HostMetrics;
pub use instance::InstanceMetrics;

/// The names and values of labels.
pub type Labels = Vec<(&'static str, String)>;
/// Numbers that rise and fall, by label.
pub type Gauges = Family<Labels, Gauge>;
/// Gauges that can have a fraction.
pub type Fractions = Family<Labels, Gauge<f64, AtomicU64>>;
/// Numbers that only rise until their source starts again, by label.
pub type Counters = Family<Labels, Counter>;

/// A format of the metrics page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, which every tool reads.
    Text,
    /// The text format of OpenMetrics, which Prometheus asks for.
    OpenMetrics,
}

impl Format {
    /// Returns the format that suits the values of a request's `Accept` headers best. It is
    /// text unless a scraper names OpenMetrics and likes text no better.
    #[must_use]
    pub fn accepted<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        accept::format(values)
    }

    /// Returns the content type of a page in this format.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Writes the page. Its last line is `# EOF` in both formats (a comment in text), so
    /// that a page that was cut off can be recognised.
    #[must_use]
    pub fn page(self, registry: &Registry) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail, and our metrics have no errors of their own.
        let _infallible = encode(&mut page, registry);
        match self {
            Format::Text => text::from_openmetrics(&page),
            Format::OpenMetrics => page,
        }
    }
}

/// Returns the number as gauges keep it.
#[must_use]
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
