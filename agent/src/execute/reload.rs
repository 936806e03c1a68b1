//! Lets a program take over its files while it runs: writes them, asks the program, and waits for
//! its probe. If the program does not take them over, it gets the former ones again.
//!
//! The document on this host changes last, so it always says what the program has; a reload that was
//! interrupted is done again from the beginning.

use std::time::Duration;

use oml_common::decide::exit::asks_for_end;
use oml_common::decide::reload::{
    FormerContent, NotTaken, Probed, PutBack, ReloadFailed, ReloadMoment, before_reload,
    former_content, not_probed, probe_limit_ms, probed, would_end,
};
use oml_common::document::instance::{InstanceDocument, Reload, ReloadBy};
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use oml_common::text::printable::{printable, shortened};
use oml_daemon::failpoint;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{info, warn};

use super::{StepError, Work};
use crate::container_files;
use crate::documents;
use crate::host::Host;
use crate::paths::Slot;
use crate::reloaded_files;
use crate::runtime::{ExecOutput, ExitReport, PullProgress, RuntimeError};

/// The last lines of a command that are kept.
const LINES_MAX: usize = 20;
/// The most characters of the line that a message repeats.
const MESSAGE_CHARS_MAX: usize = 200;

/// What came of asking a program to take over its files.
enum Asked {
    Taken,
    NotTaken {
        why: NotTaken,
        /// What its command wrote.
        lines: Vec<String>,
    },
}

impl Host {
    /// Writes the files of the desired instance that its program takes over while it runs, after their
    /// checks, and lets it do so if it runs.
    pub(super) async fn reload(
        &self,
        work: &Work,
        runs: bool,
        was_healthy: bool,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), StepError> {
        let instance = work.instance()?;
        self.check_reload(work, progress).await?;
        reloaded_files::ensure(&self.paths, instance)?;
        failpoint::reach("L1");
        match &instance.reload {
            // What it has read does until its next start.
            Some(Reload { by: ReloadBy::NextStart, .. }) => {}
            Some(reload) if runs => self.take_over(work, instance, reload, was_healthy).await?,
            Some(_) | None => self.refuse_if_started(&work.component).await?,
        }
        failpoint::reach("L2");
        container_files::ensure(&self.paths, instance)?;
        documents::replace(&self.paths, instance)?;
        failpoint::reach("L3");
        Ok(self.systemd.write(instance).await?)
    }

    /// Lets the running program take over its files, which were written.
    async fn take_over(
        &self,
        work: &Work,
        instance: &InstanceDocument,
        reload: &Reload,
        was_healthy: bool,
    ) -> Result<(), StepError> {
        let component = &work.component;
        let container = self.running(component).await?;
        let asked = self.ask_to_reload(&container, reload).await?;
        let (why, lines) = match asked {
            Asked::NotTaken { why, lines } => (why, lines),
            Asked::Taken => {
                let at = self.clock.now();
                let moment = ReloadMoment { container: &container, at, was_healthy };
                match self.until_probed(instance, moment).await? {
                    None => {
                        info!(%component, "program has taken over its files");
                        return Ok(());
                    }
                    Some(detail) => (NotTaken::Unhealthy { detail }, Vec::new()),
                }
            }
        };
        let Some(put_back) = self.put_back(instance, &container).await? else {
            // Its document names no other content that it could have.
            let (verb, object) = ("reload", component.to_string());
            let detail = why.to_string();
            return Err(RuntimeError::Refused { verb, object, detail, transient: true }.into());
        };
        let exit_code = why.exit_code();
        let failed = ReloadFailed { why, put_back };
        warn!(%component, reason = %failed, "program has not taken over its files");
        let report = ExitReport { exit_code, log_tail: lines };
        Err(StepError::OperationFailed(Box::new(self.failure(work, failed.to_string(), report))))
    }

    /// Returns the id of the running container of a component.
    async fn running(&self, component: &ComponentName) -> Result<String, StepError> {
        let containers = self.docker.containers_of(component).await?;
        let running = containers.into_iter().find(|container| container.is_running);
        // It has ended since it was looked at, and its next start takes them over.
        let ended = || RuntimeError::Refused {
            verb: "reload",
            object: component.to_string(),
            detail: "it does not run any more".to_owned(),
            transient: true,
        };
        Ok(running.ok_or_else(ended)?.id)
    }

    /// Fails if a program runs that may have read its files before they were written.
    async fn refuse_if_started(&self, component: &ComponentName) -> Result<(), StepError> {
        let containers = self.docker.containers_of(component).await?;
        if !containers.iter().any(|container| container.is_running) {
            return Ok(());
        }
        let (verb, object) = ("write the files of", component.to_string());
        let detail = "it was started meanwhile".to_owned();
        Err(RuntimeError::Refused { verb, object, detail, transient: true }.into())
    }

    /// Asks a program to take over its files.
    async fn ask_to_reload(&self, container: &str, reload: &Reload) -> Result<Asked, RuntimeError> {
        let calls = self.docker.calls();
        let answered = match &reload.by {
            ReloadBy::Signal { signal } => self.send(container, signal).await,
            ReloadBy::NextStart => Ok(Asked::Taken),
            ReloadBy::Command { command } => {
                let limit = Duration::from_millis(reload.deadline_ms);
                let program = command.first().map_or("", String::as_str);
                calls.exec(container, command, limit).await.map(|output| answer(program, &output))
            }
        };
        match answered {
            // It was begun, or never will be; what else is refused may be done later.
            Err(error @ RuntimeError::Refused { transient: false, .. }) => {
                let why = NotTaken::NotRun { error: chain(&error) };
                Ok(Asked::NotTaken { why, lines: Vec::new() })
            }
            answered => answered,
        }
    }

    /// Sends a signal to a program, unless it is that by which the engine stops it.
    async fn send(&self, container: &str, signal: &str) -> Result<Asked, RuntimeError> {
        let calls = self.docker.calls();
        let found = calls.inspect(container).await?;
        let stop_signal = found.and_then(|found| found.settings.options.options.stop_signal);
        if asks_for_end(Some(signal), stop_signal.as_deref()) {
            let why = NotTaken::NotRun { error: would_end(signal) };
            return Ok(Asked::NotTaken { why, lines: Vec::new() });
        }
        calls.signal(container, signal).await.map(|()| Asked::Taken)
    }

    /// Waits for the probes after a reload, and returns what is wrong with the program if it stopped
    /// answering.
    async fn until_probed(
        &self,
        instance: &InstanceDocument,
        moment: ReloadMoment<'_>,
    ) -> Result<Option<String>, RuntimeError> {
        let component = &instance.component;
        let mut statuses = self.statuses.clone();
        let says_something =
            statuses.wait_for(|statuses| probed(statuses.get(component), moment) != Probed::NotYet);
        let limit = Duration::from_millis(probe_limit_ms(&instance.probe));
        let found = match timeout(limit, says_something).await {
            Ok(Ok(found)) => found.get(component).cloned(),
            Ok(Err(_)) | Err(_) => None,
        };
        match probed(found.as_ref(), moment) {
            Probed::Good => Ok(None),
            Probed::Bad => Ok(Some(found.map_or_else(String::new, |status| status.detail))),
            Probed::NotYet => {
                let (verb, object) = ("probe", component.to_string());
                let detail = not_probed(&instance.probe);
                Err(RuntimeError::Refused { verb, object, detail, transient: true })
            }
        }
    }

    /// Gives a program its former files again, as its document on this host says; none if they are
    /// the same.
    async fn put_back(
        &self,
        instance: &InstanceDocument,
        container: &str,
    ) -> Result<Option<PutBack>, StepError> {
        let component = &instance.component;
        let current = documents::read_usable(&self.paths, component, Slot::Current)?;
        let (document, reload) = match former_content(instance, current.as_ref()) {
            FormerContent::Same => return Ok(None),
            FormerContent::Unknown => return Ok(Some(PutBack::Unknown)),
            FormerContent::Other { document, reload } => (document, reload),
        };
        // One that was read from a label may name what the host has no longer.
        if !reloaded_files::has_secrets(&self.paths, document) {
            return Ok(Some(PutBack::Unknown));
        }
        reloaded_files::ensure(&self.paths, document)?;
        failpoint::reach("L4");
        Ok(Some(match self.ask_to_reload(container, reload).await? {
            Asked::Taken => PutBack::Done,
            Asked::NotTaken { why, .. } => PutBack::NotTaken(why),
        }))
    }

    /// Writes the files of an instance that its program takes over while it runs, as they are before
    /// a reload.
    pub(super) fn write_reloaded(&self, instance: &InstanceDocument) -> Result<(), StepError> {
        if instance.reload.is_none() {
            return Ok(());
        }
        let current = documents::read_usable(&self.paths, &instance.component, Slot::Current)?;
        let before = before_reload(instance, current.as_deref());
        Ok(reloaded_files::ensure_again(&self.paths, before)?)
    }
}

fn answer(program: &str, output: &ExecOutput) -> Asked {
    if output.exit_code == 0 {
        return Asked::Taken;
    }
    let written = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let lines = written.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(printable).collect();
    let line = lines.last().map(|line| shortened(line, MESSAGE_CHARS_MAX)).unwrap_or_default();
    let (program, exit_code) = (printable(program), output.exit_code);
    let lines = lines[lines.len().saturating_sub(LINES_MAX)..].to_vec();
    Asked::NotTaken { why: NotTaken::Exited { program, exit_code, line }, lines }
}
