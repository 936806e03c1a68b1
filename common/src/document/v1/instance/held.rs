//! An instance document as the supervisor of a container that exists reads it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{
    ActiveProbe, Counting, Instance, InstanceDocument, Probe, Reload, RestartUnhealthy, Timing,
    may_carry_calls,
};
use crate::document::{ReadError, version_of};
use crate::id::{ComponentName, ContainerName, ContentHash, TenantId, UnitName, Version};

/// The time limit of a count of calls beside a probe that only a later release understands.
const LATER_TIMEOUT_MS: u64 = 5_000;

/// The parts of an instance document by which a container that exists is started, probed
/// and stopped. Only creating a container takes the workload, so a workload that a later
/// release wrote is not refused here. Nor is any other word that only a later release understands:
/// what it must know are the names of the tenant, the component and the unit, the bytes of the
/// workload and the timing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldInstance {
    pub tenant: TenantId,
    pub component: ComponentName,
    /// The systemd unit that owns it.
    pub unit: UnitName,
    pub workload: HeldWorkload,
    /// None if only a later release understands it.
    pub probe: Option<Probe>,
    /// How its calls are counted; unknown if only a later release understands it.
    pub counting: Counting,
    pub timing: Timing,
    /// Never if only a later release understands it.
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
    /// The container's name; a packaged unit has none, nor one of a form that only a later release knows.
    pub name: Option<ContainerName>,
    /// The container's version; none as for the name.
    pub version: Option<Version>,
}

/// The fields of an instance document that are read.
#[derive(Deserialize)]
struct Fields {
    tenant: TenantId,
    component: ComponentName,
    unit: UnitName,
    workload: HeldWorkload,
    #[serde(default, deserialize_with = "if_understood")]
    probe: Option<Probe>,
    #[serde(default, deserialize_with = "counting")]
    active: Counting,
    timing: Timing,
    #[serde(default, deserialize_with = "restarts")]
    restart_unhealthy: RestartUnhealthy,
    #[serde(default, deserialize_with = "protocols")]
    ports: Vec<String>,
    #[serde(default, deserialize_with = "protocols")]
    ranges: Vec<String>,
    #[serde(default, deserialize_with = "if_understood")]
    reload: Option<Reload>,
}

/// Reads a part of a document; none if a later release wrote what this one does not understand,
/// because a container that exists is started and stopped without it.
fn if_understood<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(text.get()).ok())
}

/// Reads how calls are counted. They are unknown if a word or a field of it is: what a later release
/// adds may count calls that the rest of it leaves out.
fn counting<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Counting, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    Ok(match serde_json::from_str::<Option<ActiveProbe>>(text.get()) {
        Ok(Some(probe)) if is_whole(&probe, text.get()) => Counting::By(probe),
        Ok(Some(_)) | Err(_) => Counting::Unknown,
        Ok(None) => Counting::Nothing,
    })
}

/// Returns true if a text says nothing more than the probe that was read from it.
fn is_whole(probe: &ActiveProbe, text: &str) -> bool {
    let (written, read) = (serde_json::to_value(probe), serde_json::from_str::<Value>(text));
    written.is_ok_and(|written| read.is_ok_and(|read| read == written))
}

/// Reads when an instance that stays unhealthy is restarted.
fn restarts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RestartUnhealthy, D::Error> {
    let never = RestartUnhealthy { after_ms: None, cuts_calls: false };
    Ok(if_understood(deserializer)?.unwrap_or(never))
}

/// Reads as much of ports as says whether calls may go through them: the word for the protocol of
/// each, which is empty for one that only a later release understands.
fn protocols<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let Value::Array(ports) = Value::deserialize(deserializer)? else {
        return Ok(vec![String::new()]);
    };
    let word = |port: &Value| port.get("protocol").and_then(Value::as_str).map(str::to_owned);
    Ok(ports.iter().map(|port| word(port).unwrap_or_default()).collect())
}

impl HeldInstance {
    /// Reads an instance document with any workload.
    ///
    /// # Errors
    /// Returns [`ReadError`] for a later version and for what is no instance document.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        version_of::<Instance>(text)?;
        let fields: Fields =
            serde_json::from_str(text).map_err(ReadError::malformed::<Instance>)?;
        let protocols = fields.ports.iter().chain(&fields.ranges).map(String::as_str);
        let may_carry_calls = may_carry_calls(fields.active != Counting::Nothing, protocols);
        let Fields { tenant, component, unit, workload, probe, active, reload, .. } = fields;
        let (timing, restart_unhealthy) = (fields.timing, fields.restart_unhealthy);
        // As in the whole document, blanks around it are none of its bytes.
        let text = text.trim().to_owned();
        Ok(Self {
            tenant,
            component,
            unit,
            workload,
            probe,
            counting: active,
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
            #[serde(default, deserialize_with = "if_understood")]
            name: Option<ContainerName>,
            #[serde(default, deserialize_with = "if_understood")]
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
