//! The policy file of a host, which its administrator writes in TOML.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use super::host_policy::{HostPolicy, NAME_BYTES_MAX, NAMES_MAX};
use crate::id::CapabilityName;
use crate::text::problem::{Problem, Problems};

/// The longest file that is read, in bytes.
pub const POLICY_BYTES_MAX: usize = 256 << 10;

/// The file as it is written. Every key may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    privileged: bool,
    realtime: bool,
    host_network: Option<bool>,
    capabilities: Vec<Spanned<String>>,
    devices: Vec<Spanned<String>>,
    sysctls: Vec<Spanned<String>>,
    host_paths: Option<Vec<Spanned<String>>>,
}

impl HostPolicy {
    /// Reads the policy file of a host.
    ///
    /// # Errors
    /// Returns every mistake in its lists with its line, or the one for which it is no such file. One
    /// of more than [`POLICY_BYTES_MAX`] is none.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        if text.len() > POLICY_BYTES_MAX {
            let message = format!("is longer than {} KiB", POLICY_BYTES_MAX >> 10);
            return Err(Problem::new("", message).into());
        }
        let file: File = toml::from_str(text).map_err(|error| {
            let problem = Problem::new("", first_line(error.message()));
            Problems::from(match error.span() {
                Some(span) => problem.at_line(line(text, span.start)),
                None => problem,
            })
        })?;
        let mut reader = Reader { text, problems: Problems::default() };
        let policy = Self {
            privileged: file.privileged,
            realtime: file.realtime,
            no_host_network: file.host_network == Some(false),
            capabilities: reader.names("capabilities", &file.capabilities, capability),
            devices: reader.names("devices", &file.devices, device),
            sysctls: reader.names("sysctls", &file.sysctls, sysctl),
            host_paths: file.host_paths.map(|paths| reader.names("host_paths", &paths, folder)),
        };
        reader.problems.into_result(policy)
    }
}

/// Reads the lists of a file and collects their mistakes.
struct Reader<'a> {
    text: &'a str,
    problems: Problems,
}

impl Reader<'_> {
    fn names<T: Ord>(
        &mut self,
        key: &str,
        names: &[Spanned<String>],
        read: fn(&str) -> Result<T, String>,
    ) -> BTreeSet<T> {
        if let Some(first) = names.get(NAMES_MAX) {
            let message = format!("has {} names; at most {NAMES_MAX} are read", names.len());
            let at = line(self.text, first.span().start);
            self.problems.push(Problem::new(key, message).at_line(at));
        }
        let mut found = BTreeSet::new();
        for name in names.iter().take(NAMES_MAX) {
            let text = name.get_ref();
            let result = match text.len() > NAME_BYTES_MAX {
                true => Err(format!("a name has at most {NAME_BYTES_MAX} bytes")),
                false => read(text),
            };
            match result {
                Ok(name) => _ = found.insert(name),
                Err(why) => {
                    let at = line(self.text, name.span().start);
                    self.problems.push(Problem::new(key, why).at_line(at));
                }
            }
        }
        found
    }
}

fn capability(text: &str) -> Result<CapabilityName, String> {
    let name = text.strip_prefix("CAP_").unwrap_or(text);
    parsed(name)
}

fn parsed<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn device(text: &str) -> Result<String, String> {
    let is_device = text == "/dev" || text.starts_with("/dev/");
    match is_device && is_path(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is no path of a device, such as /dev/net/tun")),
    }
}

fn sysctl(text: &str) -> Result<String, String> {
    let prefix = text.strip_suffix(".*").unwrap_or(text);
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    };
    match prefix.split('.').all(is_part) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text:?} is no name of a kernel setting, such as net.core.somaxconn or net.ipv4.*"
        )),
    }
}

fn folder(text: &str) -> Result<String, String> {
    match text.starts_with('/') && is_path(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is no absolute path")),
    }
}

fn is_path(text: &str) -> bool {
    !text.contains(char::is_control) && !text.split('/').any(|part| part == "..")
}

/// Returns the number of the line that has this byte, counted from 1.
fn line(text: &str, byte: usize) -> u32 {
    let before = text.as_bytes().iter().take(byte);
    u32::try_from(before.filter(|b| **b == b'\n').count()).unwrap_or(u32::MAX).saturating_add(1)
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or(message)
}

#[cfg(test)]
mod tests;
