//! An instance document as the supervisor of a container that exists reads it.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    ActiveProbe, Check, Instance, InstanceDocument, Probe, Reload, RestartUnhealthy, Timing,
    may_carry_calls,
};
use crate::document::{ReadError, version_of};
use crate::id::{ComponentName, ContainerName, ContentHash, TenantId, UnitName, Version};

/// The time limit of a count of calls beside a probe that only a later release understands.
const LATER_TIMEOUT_MS: u64 = 5_000;

/// The parts of an instance document by which a container that exists is started, probed
/// and stopped. Only creating a container takes the workload, so a workload that a later
/// release wrote is not refused here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldInstance {
    pub tenant: TenantId,
    pub component: ComponentName,
    /// The systemd unit that owns it.
    pub unit: UnitName,
    pub workload: HeldWorkload,
    /// None if only a later release understands its check.
    pub probe: Option<Probe>,
    pub active: Option<ActiveProbe>,
    pub timing: Timing,
    pub restart_unhealthy: RestartUnhealthy,
    /// Whether a stop may cut calls, as [`Instance::may_carry_calls`] says of a whole document.
    pub may_carry_calls: bool,
    /// None also if only a later release understands it.
    pub reload: Option<Reload>,
    text: String,
}

/// The identity of a workload, and what people know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldWorkload {
    pub hash: ContentHash,
    /// The container's name; a packaged unit has none.
    pub name: Option<ContainerName>,
    /// The container's version; a packaged unit has none.
    pub version: Option<Version>,
}

/// The fields of an instance document that are read.
#[derive(Deserialize)]
struct Fields {
    tenant: TenantId,
    component: ComponentName,
    unit: UnitName,
    workload: HeldWorkload,
    #[serde(deserialize_with = "understood")]
    probe: Option<Probe>,
    #[serde(default)]
    active: Option<ActiveProbe>,
    timing: Timing,
    #[serde(default)]
    restart_unhealthy: RestartUnhealthy,
    #[serde(default)]
    ports: Vec<HeldPort>,
    #[serde(default)]
    ranges: Vec<HeldPort>,
    #[serde(default, deserialize_with = "if_understood")]
    reload: Option<Reload>,
}

/// As much of a port as says whether calls may go through it, also of one that a later release
/// wrote.
#[derive(Deserialize)]
struct HeldPort {
    #[serde(default)]
    protocol: String,
}

/// Reads a probe. One with a check that a later release added is none, because a container that
/// exists is started and stopped without it.
fn understood<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Probe>, D::Error> {
    #[derive(Deserialize)]
    struct Any {
        check: Kind,
    }
    #[derive(Deserialize)]
    struct Kind {
        kind: String,
    }
    let text = Box::<RawValue>::deserialize(deserializer)?;
    match serde_json::from_str(text.get()) {
        Ok(probe) => Ok(Some(probe)),
        Err(error) => {
            let known = serde_json::from_str::<Any>(text.get()).map(|any| any.check.kind);
            if known.is_ok_and(|kind| !Check::KINDS.contains(&kind.as_str())) {
                Ok(None)
            } else {
                Err(serde::de::Error::custom(error))
            }
        }
    }
}

/// Reads what a program takes over while it runs; none if a later release added to it, because a
/// container that exists is started and stopped without it.
fn if_understood<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Reload>, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(text.get()).ok())
}

impl HeldInstance {
    /// Reads an instance document with any workload.
    ///
    /// # Errors
    /// Returns [`ReadError`] for a later version and for what is no instance document.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        version_of::<Instance>(text)?;
        let fields = serde_json::from_str(text).map_err(ReadError::malformed::<Instance>)?;
        let Fields { tenant, component, unit, workload, probe, active, reload, .. } = fields;
        let (timing, restart_unhealthy) = (fields.timing, fields.restart_unhealthy);
        let protocols =
            fields.ports.iter().chain(&fields.ranges).map(|port| port.protocol.as_str());
        let may_carry_calls = may_carry_calls(active.as_ref(), protocols);
        // As in the whole document, blanks around it are none of its bytes.
        let text = text.trim().to_owned();
        Ok(Self {
            tenant,
            component,
            unit,
            workload,
            probe,
            active,
            timing,
            restart_unhealthy,
            may_carry_calls,
            reload,
            text,
        })
    }

    /// Returns the time in milliseconds within which a probe, or a count of calls, must end.
    #[must_use]
    pub fn probe_timeout_ms(&self) -> u64 {
        self.probe.as_ref().map_or(LATER_TIMEOUT_MS, |probe| probe.timeout_ms)
    }

    /// Returns the bytes of the document, which are UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the SHA-256 of the bytes.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        ContentHash::of(self.text.as_bytes())
    }

    /// Reads the whole document, from which a container can be created.
    ///
    /// # Errors
    /// Returns [`ReadError`] for a workload that this release does not understand.
    pub fn whole(&self) -> Result<InstanceDocument, ReadError> {
        InstanceDocument::read(&self.text)
    }
}

impl<'de> Deserialize<'de> for HeldWorkload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Names {
            #[serde(default)]
            name: Option<ContainerName>,
            #[serde(default)]
            version: Option<Version>,
        }
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let Names { name, version } =
            serde_json::from_str(text.get()).map_err(serde::de::Error::custom)?;
        Ok(Self { hash: ContentHash::of(text.get().as_bytes()), name, version })
    }
}

#[cfg(test)]
mod tests;
