//! The commands of an image, and what a program does that was started by one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A command that an image knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The command with its arguments. A `*` in a word is any text, and `*` as the last word is any further words.
    #[serde(default)]
    pub words: Vec<String>,
    /// The values that variables must have for it.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
    #[serde(default)]
    pub action: Action,
    #[serde(default)]
    pub listens: Vec<Listen>,
    /// What it prints before it does anything else.
    #[serde(default)]
    pub prints: Vec<String>,
    /// The command that takes its place.
    #[serde(default)]
    pub becomes: Vec<String>,
}

/// What a command does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It listens and runs until it is stopped.
    #[default]
    Serve,
    /// It prints its lines and ends with 0.
    End,
    /// It does the same, and fails in an image whose tag says so.
    Migrate,
    /// It runs a program of the system below, such as a shell.
    Exec,
}

/// A place where a program listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// The address and the port, as a text that [`super::Context`] fills in.
    pub at: String,
    pub speaks: Speaks,
    /// The status of every path; a path that is not here has that of `*`, or 404.
    #[serde(default)]
    pub paths: BTreeMap<String, u16>,
    /// The names in a `Host` header that it accepts, with commas between them, as a text to fill in. Without it, it
    /// accepts every name.
    #[serde(default)]
    pub hosts: Option<String>,
    /// The folder of what it stores, as a text to fill in.
    #[serde(default)]
    pub folder: Option<String>,
}

/// A protocol, at a port of TCP unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaks {
    Http,
    /// HTTP, and a small part of S3 below its paths.
    S3,
    /// It accepts connections and is silent.
    Tcp,
    /// It takes packets of UDP and is silent.
    Udp,
    SipUdp,
    SipTcp,
    /// The text protocol of gearmand for administrators.
    Gearman,
    /// The beginning of AMQP 0-9-1.
    Amqp,
    /// Only the real programs speak the following.
    Https,
    Redis,
    Postgres,
    Rtpengine,
}

impl Command {
    /// Returns true if these words and this environment start the command. Without words, only the environment counts.
    pub fn is_for(&self, words: &[String], env: &BTreeMap<String, String>) -> bool {
        let has = |(name, value): (&String, &String)| env.get(name) == Some(value);
        self.when.iter().all(has) && (words.is_empty() || takes(&self.words, words))
    }
}

impl Speaks {
    /// Returns true for a protocol that the generic stand-in does not speak.
    pub fn needs_the_real_program(self) -> bool {
        match self {
            Self::Https | Self::Redis | Self::Postgres | Self::Rtpengine => true,
            Self::Http
            | Self::S3
            | Self::Tcp
            | Self::Udp
            | Self::SipUdp
            | Self::SipTcp
            | Self::Gearman
            | Self::Amqp => false,
        }
    }

    /// Returns its name, as contracts have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::S3 => "s3",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::SipUdp => "sip-udp",
            Self::SipTcp => "sip-tcp",
            Self::Gearman => "gearman",
            Self::Amqp => "amqp",
            Self::Https => "https",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::Rtpengine => "rtpengine",
        }
    }

    /// Returns true if its port is one of UDP.
    pub fn is_udp(self) -> bool {
        matches!(self, Self::Udp | Self::SipUdp | Self::Rtpengine)
    }
}

fn takes(patterns: &[String], words: &[String]) -> bool {
    match (patterns, words) {
        ([last], _) if last == "*" => true,
        ([], []) => true,
        ([pattern, patterns @ ..], [word, words @ ..]) => {
            has_form(word, pattern) && takes(patterns, words)
        }
        ([], _) | (_, []) => false,
    }
}

/// Returns true if a text has a form in which one `*` is any text.
pub(crate) fn has_form(text: &str, form: &str) -> bool {
    match form.split_once('*') {
        None => text == form,
        Some((before, after)) => {
            text.strip_prefix(before).is_some_and(|rest| rest.ends_with(after))
        }
    }
}

#[cfg(test)]
mod tests;
