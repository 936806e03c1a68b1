//! The fake systemd.

use std::collections::BTreeMap;

use async_trait::async_trait;
use oml_common::decide::observed::ActiveState;
use oml_common::document::instance::{Instance, InstanceDocument, Workload};
use oml_common::id::{ComponentName, UnitName};
use tokio::sync::watch;

use super::{Daemon, FakeHost, FakeUnit, Verb};
use crate::runtime::{ExitReport, Listing, RuntimeError, UnitManager};

/// The systemd of a [`FakeHost`].
#[derive(Clone)]
pub(crate) struct FakeSystemd(pub(super) FakeHost);

/// What a unit file depends on.
fn text(instance: &InstanceDocument) -> String {
    let Instance { tenant, component, after, timing, workload, .. } = &**instance;
    let lines = match &**workload {
        Workload::Container(_) => "",
        Workload::Unit(packaged) => &packaged.drop_in,
    };
    format!("{tenant}/{component} {after:?} {timing:?} {lines}")
}

impl FakeHost {
    /// Starts a unit and gives why it does not run, if so.
    pub(super) fn run_unit(
        &self,
        unit: &UnitName,
        component: &ComponentName,
    ) -> Result<(), String> {
        let is_packaged = self.state().units.get(unit).is_some_and(|unit| unit.packaged);
        let started = if is_packaged { Ok(()) } else { self.supervise(component) };
        let now = self.now();
        if let Some(unit) = self.state().units.get_mut(unit) {
            match &started {
                Ok(()) => unit.enter(ActiveState::Active, "success", now),
                // It is about to be started once more.
                Err(_) => unit.enter(ActiveState::Activating, "exit-code", now),
            }
            unit.restarts = u32::from(started.is_err());
        }
        started
    }
}

impl FakeSystemd {
    async fn enter(
        &self,
        verb: Verb,
        component: Option<&ComponentName>,
    ) -> Result<(), RuntimeError> {
        self.0.enter(Daemon::Systemd, verb, component).await
    }

    fn unit_of(&self, component: &ComponentName) -> Option<UnitName> {
        let state = self.0.state();
        let owned = |unit: &FakeUnit| unit.owner.as_ref().is_some_and(|(_, c)| c == component);
        state.units.iter().find(|(_, unit)| owned(unit)).map(|(name, _)| name.clone())
    }
}

fn foreign(unit: &UnitName) -> String {
    format!("unit {unit}")
}

#[async_trait]
impl UnitManager for FakeSystemd {
    async fn list(&self, desired: &[InstanceDocument]) -> Result<Listing, RuntimeError> {
        self.enter(Verb::List, None).await?;
        let mut listing = Listing::default();
        let state = self.0.state();
        let by_unit: BTreeMap<_, _> = desired.iter().map(|i| (&i.unit, i)).collect();
        for (name, unit) in &state.units {
            match (by_unit.get(name), &unit.owner) {
                (Some(instance), Some(_)) => {
                    let stale = unit.text.as_ref() != Some(&text(instance));
                    listing.units.push((instance.component.clone(), unit.observe(stale)));
                }
                (Some(instance), None) if unit.packaged || unit.masked => {
                    listing.units.push((instance.component.clone(), unit.observe(true)));
                }
                (Some(instance), None) => {
                    listing.foreign.push((instance.component.clone(), foreign(name)));
                }
                (None, Some((_, component))) => {
                    listing.units.push((component.clone(), unit.observe(false)));
                }
                (None, None) => {}
            }
        }
        Ok(listing)
    }

    async fn write(&self, instance: &InstanceDocument) -> Result<(), RuntimeError> {
        self.enter(Verb::Put, Some(&instance.component)).await?;
        let now = self.0.now();
        let is_packaged = matches!(*instance.workload, Workload::Unit(_));
        let mut state = self.0.state();
        let unit = match state.units.get_mut(&instance.unit) {
            // Nobody of ours wrote it, or a package brought it.
            Some(unit)
                if unit.packaged != is_packaged || (unit.owner.is_none() && !is_packaged) =>
            {
                return Err(RuntimeError::Foreign(foreign(&instance.unit)));
            }
            Some(unit) => unit,
            None if is_packaged => {
                return Err(RuntimeError::Refused {
                    verb: "configure",
                    object: instance.unit.to_string(),
                    detail: "there is no such unit on this host".to_owned(),
                    transient: false,
                });
            }
            None => state.units.entry(instance.unit.clone()).or_insert_with(|| FakeUnit::idle(now)),
        };
        unit.owner = Some((instance.tenant.clone(), instance.component.clone()));
        unit.text = Some(text(instance));
        drop(state);
        self.0.nudge();
        Ok(())
    }

    async fn start(&self, instance: &InstanceDocument) -> Result<(), RuntimeError> {
        self.enter(Verb::Start, Some(&instance.component)).await?;
        let refused = |detail: String| RuntimeError::Refused {
            verb: "start",
            object: instance.unit.to_string(),
            detail,
            transient: false,
        };
        if self.unit_of(&instance.component).is_none() {
            return Err(refused("there is no such unit".to_owned()));
        }
        let now = self.0.now();
        // A restart: what runs is stopped, the wanted one too.
        self.0.state().stop_all(&instance.component, None, now);
        let started = self.0.run_unit(&instance.unit, &instance.component);
        self.0.nudge();
        started.map_err(refused)
    }

    async fn stop(&self, component: &ComponentName) -> Result<(), RuntimeError> {
        self.enter(Verb::Stop, Some(component)).await?;
        if let Some(unit) = self.unit_of(component) {
            self.0.stop_by_hand(&unit);
        }
        Ok(())
    }

    async fn remove(&self, component: &ComponentName) -> Result<(), RuntimeError> {
        self.enter(Verb::Remove, Some(component)).await?;
        let Some(name) = self.unit_of(component) else { return Ok(()) };
        let mut state = self.0.state();
        let Some(unit) = state.units.get_mut(&name) else { return Ok(()) };
        let is_up = !matches!(unit.active, ActiveState::Inactive | ActiveState::Failed);
        if is_up {
            return Ok(());
        }
        if unit.packaged {
            (unit.owner, unit.text) = (None, None);
        } else {
            state.units.remove(&name);
        }
        drop(state);
        self.0.nudge();
        Ok(())
    }

    async fn exit_report(&self, component: &ComponentName) -> Result<ExitReport, RuntimeError> {
        self.enter(Verb::ExitReport, Some(component)).await?;
        Ok(ExitReport::default())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.shared.changes.subscribe()
    }
}
