//! Manages units through the D-Bus interface of systemd: writes unit files, starts and
//! stops units. The supervisor runs inside the unit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use oml_common::decide::difference::ForeignObject;
use oml_common::decide::observed::ActiveState;
use oml_common::decide::unit_end::{SkipCause, UnitMemory, is_same_life, why_skipped};
use oml_common::document::instance::{HeldInstance, InstanceDocument, Timing, Workload};
use oml_common::document::operation::RunOrder;
use oml_common::id::{ComponentName, RunId, TenantId, UnitName};
use oml_common::time::Timestamp;
use tokio::sync::watch;

use super::{ExitReport, RuntimeError, UnitListing, UnitManager};
use crate::files as disk;
use crate::paths::Paths;

mod bus;
mod by_hand;
mod calls;
mod ends;
mod files;
mod jobs;
mod journal;
mod log_tails;
#[cfg(any(test, feature = "sim"))]
mod model;
mod observe;
mod origin;
mod signals;
mod skips;
mod state;
mod stops;
mod text;
mod transient;

use bus::Bus;
use calls::UnitCalls;
use files::{InstanceFile, OurFile};
use jobs::EndedJob;
use signals::Signals;

pub use jobs::start_agent;
#[cfg(test)]
pub(crate) use origin::unit_text;
pub use origin::{FileOrigin, origin_of};
pub use text::OTHER_UNIT_STATUS;

/// The time limit of a job beyond the limits of the unit.
const JOB_MARGIN: Duration = Duration::from_secs(45);
/// The time limit for the stop of a removed component, which is longer than that of any unit.
const STOP_LIMIT: Duration = Duration::from_secs(600);

/// systemd on a host.
#[derive(Debug)]
pub struct Systemd {
    paths: Paths,
    /// The tenant of this host, if it is known: files of others are not ours.
    tenant: Option<TenantId>,
    calls: Arc<dyn UnitCalls>,
    signals: Signals,
    listener: tokio::task::JoinHandle<()>,
    /// Serialises writes and reloads of the unit files.
    writing: tokio::sync::Mutex<()>,
    /// What is known of the units of the desired components.
    memories: Mutex<BTreeMap<String, UnitMemory>>,
    /// The recent ends of packaged units.
    ends: Mutex<BTreeMap<String, ends::NotedEnds>>,
    log_tails: log_tails::LogTails,
    /// The units of the desired components at the last listing. `After=` lines name units.
    units: Mutex<BTreeMap<ComponentName, UnitName>>,
    /// The units in which components were seen, also under an earlier name.
    known: Mutex<BTreeSet<(ComponentName, UnitName)>>,
}

impl Systemd {
    /// The systemd of this host, which is of that tenant; it may be away. Must be called inside
    /// a tokio runtime.
    #[must_use]
    pub fn new(paths: Paths, tenant: Option<TenantId>) -> Self {
        let signals = Signals::new();
        let listener = tokio::spawn(signals.clone().listen());
        Self::over(paths, tenant, Arc::new(Bus::default()), signals, listener)
    }

    fn over(
        paths: Paths,
        tenant: Option<TenantId>,
        calls: Arc<dyn UnitCalls>,
        signals: Signals,
        listener: tokio::task::JoinHandle<()>,
    ) -> Self {
        Self {
            paths,
            tenant,
            calls,
            signals,
            listener,
            writing: tokio::sync::Mutex::default(),
            memories: Mutex::default(),
            ends: Mutex::default(),
            log_tails: log_tails::LogTails::default(),
            units: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// Returns the files of ours of a component: one, or two where its unit has got another name.
    fn files_of(&self, component: &ComponentName) -> Result<Vec<OurFile>, RuntimeError> {
        let (mut files, _others) = self.files()?;
        files.retain(|file| &file.mark.component == component);
        Ok(files)
    }

    fn render(&self, instance: &InstanceDocument) -> String {
        let units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        let after: Vec<UnitName> =
            instance.after.iter().filter_map(|name| units.get(name).cloned()).collect();
        text::render(instance, &after, &self.paths)
    }

    /// Restarts a unit and waits until its program answers or its start has failed.
    async fn restart_unit(
        &self,
        unit: &str,
        timing: &Timing,
        is_supervised: bool,
    ) -> Result<(), RuntimeError> {
        let limit =
            Duration::from_millis(timing.start_timeout_ms.saturating_add(timing.stop_grace_ms))
                .saturating_add(JOB_MARGIN);
        let before = self.calls.load(unit).await?.invocation();
        // Deliberate starts count towards systemd's limit too.
        self.calls.forget_failure(unit).await?;
        let ended = self.job(unit, limit, async || self.calls.restart(unit).await).await?;
        match ended.loaded.active() {
            ActiveState::Active | ActiveState::Reloading
                if is_same_life(&before, &ended.loaded.invocation()) =>
            {
                Err(not_restarted(unit))
            }
            ActiveState::Active | ActiveState::Reloading => Ok(()),
            ActiveState::Inactive
            | ActiveState::Activating
            | ActiveState::Deactivating
            | ActiveState::Failed => Err(self.failed_start(unit, &ended, is_supervised)),
        }
    }

    /// Returns the error for a start after which the unit does not run.
    fn failed_start(&self, unit: &str, ended: &EndedJob, is_supervised: bool) -> RuntimeError {
        let EndedJob { loaded, end } = ended;
        let result = end.as_ref().map(|end| end.result);
        let seen = || Some(self.signals.skip_of(unit, end.as_ref()?.number)?.into());
        let (detail, transient) = match why_skipped(&loaded.tested(), result).or_else(seen) {
            Some(unmet) => {
                if let Some(end) = end {
                    self.signals.note_skipped(unit, end.number, SkipCause::from(&unmet));
                }
                (unmet.explain(unit), false)
            }
            // Somebody else's stop says nothing of what was started.
            None => (loaded.why(is_supervised), loaded.was_interrupted(is_supervised)),
        };
        RuntimeError::Refused { verb: "start", object: unit.to_owned(), detail, transient }
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

#[async_trait]
impl UnitManager for Systemd {
    async fn list(&self, desired: &[InstanceDocument]) -> Result<UnitListing, RuntimeError> {
        let units = desired.iter().map(|i| (i.component.clone(), i.unit.clone())).collect();
        *self.units.lock().unwrap_or_else(PoisonError::into_inner) = units;
        let mut listing = UnitListing::default();
        let mut ours = BTreeSet::new();
        let (files, others) = self.files()?;
        for file in others {
            listing.differs.push(self.describe_foreign(file).await);
        }
        for instance in desired {
            ours.extend(self.observe_desired(instance, &files, &mut listing).await?);
        }
        for file in files {
            let is_desired =
                |i: &InstanceDocument| i.unit == file.unit || i.component == file.mark.component;
            if desired.iter().any(is_desired) {
                continue;
            }
            ours.extend(self.observe_leftover(&file, &mut listing).await?);
        }
        self.signals.keep_ours(&ours);
        self.add_log_tails(&mut listing).await;
        Ok(listing)
    }

    async fn write(&self, instance: &InstanceDocument) -> Result<(), RuntimeError> {
        let unit = instance.unit.as_str();
        let _turn = self.writing.lock().await;
        let loaded = self.calls.load(unit).await?;
        let file = files::look(&self.paths, instance).map_err(files::unusable)?;
        let path = files::path(&self.paths, instance);
        match *instance.workload {
            Workload::Container(_)
                if file == InstanceFile::Absent && loaded.is_defined_beside(&path) =>
            {
                return Err(foreign_unit(instance));
            }
            Workload::Unit(_) if !loaded.has_file() && !loaded.is_masked() => {
                return Err(missing(unit));
            }
            Workload::Container(_) | Workload::Unit(_) => {}
        }
        let wanted = self.render(instance);
        text::check(&wanted, unit)?;
        let is_written = match file {
            InstanceFile::Foreign => return Err(foreign_unit(instance)),
            InstanceFile::Ours(text) => text == wanted,
            InstanceFile::Absent => false,
        };
        if !is_written {
            disk::write_durably(&path, wanted.as_bytes(), 0o644).map_err(files::unusable)?;
        }
        // systemd enables no masked unit. Its drop-in counts once it is unmasked.
        let is_newly_enabled = !loaded.is_masked() && self.calls.enable(unit).await?;
        // The written files count from here on. Being wanted by a target also
        // keeps systemd from forgetting a stopped unit, and that it was stopped.
        if !is_written || is_newly_enabled || loaded.needs_reload() {
            self.calls.reload().await?;
        }
        // Until it runs itself, what it had before holds what runs.
        if loaded.is_up() { self.retire_others(instance).await } else { Ok(()) }
    }

    async fn start(&self, instance: &InstanceDocument) -> Result<(), RuntimeError> {
        let unit = instance.unit.as_str();
        match files::look(&self.paths, instance).map_err(files::unusable)? {
            InstanceFile::Ours(_) => {}
            InstanceFile::Foreign => return Err(foreign_unit(instance)),
            InstanceFile::Absent => return Err(unwritten(unit)),
        }
        // Calls were counted a moment ago: only where there is something to do it waits for others.
        let files = self.files_of(&instance.component)?;
        if files.iter().any(|file| file.is_superseded_by(instance)) {
            let _turn = self.writing.lock().await;
            // What an old unit does says nothing of the version that is started.
            self.retire_others(instance).await.map_err(RuntimeError::made_transient)?;
        }
        self.restart_unit(unit, &instance.timing, instance.container().is_some()).await
    }

    async fn start_held(&self, instance: &HeldInstance) -> Result<(), RuntimeError> {
        let unit = &instance.unit;
        let files = self.files_of(&instance.component)?;
        let Some(file) = files.iter().find(|file| &file.unit == unit) else {
            return Err(unwritten(unit.as_str()));
        };
        self.restart_unit(unit.as_str(), &instance.timing, !file.is_drop_in).await
    }

    async fn replace_supervisor(&self, component: &ComponentName) -> Result<(), RuntimeError> {
        for file in self.files_of(component)? {
            if !file.is_drop_in {
                self.calls.kill_main_process(file.unit.as_str()).await?;
            }
        }
        Ok(())
    }

    async fn stop(&self, component: &ComponentName) -> Result<(), RuntimeError> {
        for file in self.files_of(component)? {
            self.stop_unit(file.unit.as_str(), STOP_LIMIT).await?;
        }
        Ok(())
    }

    async fn rests(&self, component: &ComponentName) -> Result<bool, RuntimeError> {
        for file in self.files_of(component)? {
            if self.calls.load(file.unit.as_str()).await?.is_up() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn remove(&self, component: &ComponentName) -> Result<(), RuntimeError> {
        let _turn = self.writing.lock().await;
        for file in self.files_of(component)? {
            if !self.calls.load(file.unit.as_str()).await?.is_up() {
                self.take_away(&file).await?;
            }
        }
        Ok(())
    }

    async fn start_run(&self, order: &RunOrder) -> Result<(), RuntimeError> {
        self.start_unit_of_run(order).await
    }

    async fn run_is_up(&self, id: RunId) -> Result<bool, RuntimeError> {
        let loaded = self.calls.load(&transient::unit_name(id)).await?;
        // Where other jobs go first it waits, and is inactive meanwhile.
        Ok(loaded.is_up() || loaded.has_any_job())
    }

    fn run_changes(&self) -> watch::Receiver<u64> {
        self.signals.run_changes()
    }

    async fn exit_report(
        &self,
        component: &ComponentName,
        since: Timestamp,
    ) -> Result<ExitReport, RuntimeError> {
        let Some(file) = self.files_of(component)?.pop() else {
            return Ok(ExitReport::default());
        };
        let loaded = self.calls.load(file.unit.as_str()).await?;
        let is_skipped = self.unmet(file.unit.as_str(), &loaded).is_some();
        if is_skipped || !loaded.was_started_since(since) {
            return Ok(ExitReport::default());
        }
        let ended = loaded.service.main_exit.filter(|_| file.is_drop_in);
        let log_tail = match ended.filter(|ended| *ended > 0) {
            Some(ended) => {
                let name = loaded.own_name(file.unit.as_str());
                self.calls.log_tail(name, &loaded.log_life(ended)).await
            }
            None => Vec::new(),
        };
        Ok(ExitReport { exit_code: loaded.exit_code(), log_tail })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.signals.changes()
    }
}

/// The error for a unit of that name which is not ours.
fn foreign_unit(instance: &InstanceDocument) -> RuntimeError {
    let unit = instance.unit.clone();
    RuntimeError::Foreign(ForeignObject::Unit { unit, unreadable: None })
}

fn unwritten(unit: &str) -> RuntimeError {
    RuntimeError::Refused {
        verb: "start",
        object: unit.to_owned(),
        detail: "its unit file was not written yet, or was removed".to_owned(),
        transient: true,
    }
}

/// The error for a restart that somebody cancelled before it stopped anything.
fn not_restarted(unit: &str) -> RuntimeError {
    RuntimeError::Refused {
        verb: "restart",
        object: unit.to_owned(),
        detail: "somebody cancelled its job, and what ran before still runs".to_owned(),
        transient: true,
    }
}

fn missing(unit: &str) -> RuntimeError {
    RuntimeError::Refused {
        verb: "configure",
        object: unit.to_owned(),
        detail: "there is no such unit on this host; install the package that brings it".to_owned(),
        transient: false,
    }
}
