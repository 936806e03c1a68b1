//! The fake engine.

use async_trait::async_trait;
use oml_common::decide::observed::ContainerState;
use oml_common::document::instance::InstanceDocument;
use oml_common::id::{ComponentName, ContentHash};
use std::path::PathBuf;
use tokio::sync::watch;

use super::{Daemon, FakeHost, Verb};
use crate::runtime::{
    ContainerEngine, ExecOutput, ExitReport, Listing, PullProgress, RuntimeError,
};

/// The engine of a [`FakeHost`].
#[derive(Clone)]
pub(crate) struct FakeDocker(pub(super) FakeHost);

const IMAGE_BYTES: u64 = 1_000_000;

impl FakeDocker {
    async fn enter(
        &self,
        verb: Verb,
        component: Option<&ComponentName>,
    ) -> Result<(), RuntimeError> {
        self.0.enter(Daemon::Docker, verb, component).await
    }

    fn foreign(&self, desired: &[InstanceDocument]) -> Vec<(ComponentName, String)> {
        let state = self.0.state();
        let stands_in_the_way = |instance: &&InstanceDocument| {
            let Some(container) = instance.container() else { return false };
            state.containers.iter().filter(|c| c.name == container.name.as_str()).any(|holder| {
                let ours = holder.ours.as_ref();
                ours.is_none_or(|ours| ours.instance.component != instance.component)
            })
        };
        let blocked = desired.iter().filter(stands_in_the_way);
        let named = blocked.filter_map(|instance| {
            Some((instance.component.clone(), format!("container {}", instance.container()?.name)))
        });
        named.collect()
    }
}

fn refused(verb: &'static str, object: String, detail: String, transient: bool) -> RuntimeError {
    RuntimeError::Refused { verb, object, detail, transient }
}

#[async_trait]
impl ContainerEngine for FakeDocker {
    async fn list(&self, desired: &[InstanceDocument]) -> Result<Listing, RuntimeError> {
        self.enter(Verb::List, None).await?;
        let foreign = self.foreign(desired);
        let state = self.0.state();
        let containers = state.containers.iter().filter_map(super::FakeContainer::observe);
        let running = state.containers.iter().filter(|container| container.is_running());
        let ours = running.filter_map(|container| container.ours.as_ref());
        let label =
            |ours: &super::Ours| (ours.instance.component.clone(), Some(ours.instance.clone()));
        Ok(Listing {
            containers: containers.collect(),
            labels: ours.map(label).collect(),
            units: Vec::new(),
            foreign,
            images: state.images.clone(),
        })
    }

    async fn pull(
        &self,
        instance: &InstanceDocument,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), RuntimeError> {
        let Some(container) = instance.container() else {
            return Err(refused(
                "run",
                instance.component.to_string(),
                "it is a packaged unit".to_owned(),
                false,
            ));
        };
        progress.send_replace(PullProgress { bytes_done: 0, bytes_total: IMAGE_BYTES });
        self.enter(Verb::Fetch, Some(&instance.component)).await?;
        let object = format!("{}@{}", container.repository, container.digest);
        let mut state = self.0.state();
        match state.registry.get(&container.digest).cloned() {
            None => Err(refused("pull", object, "manifest unknown".to_owned(), false)),
            Some(Err((detail, transient))) => Err(refused("pull", object, detail, transient)),
            Some(Ok(())) => {
                state.images.insert(container.digest.clone());
                drop(state);
                let bytes_done = IMAGE_BYTES;
                progress.send_replace(PullProgress { bytes_done, bytes_total: IMAGE_BYTES });
                Ok(())
            }
        }
    }

    async fn create(&self, instance: &InstanceDocument) -> Result<(), RuntimeError> {
        self.enter(Verb::Put, Some(&instance.component)).await?;
        if let Some((_, name)) = self.foreign(std::slice::from_ref(instance)).pop() {
            return Err(RuntimeError::Foreign(name));
        }
        let hash = instance.workload_hash();
        let now = self.0.now();
        let mut state = self.0.state();
        if !state.containers.iter().any(|c| c.is(&instance.component, &hash)) {
            state
                .create(instance, now)
                .map_err(|why| refused("create", instance.component.to_string(), why, false))?;
        }
        drop(state);
        self.0.nudge();
        Ok(())
    }

    async fn stop(&self, component: &ComponentName) -> Result<(), RuntimeError> {
        self.enter(Verb::Stop, Some(component)).await?;
        let now = self.0.now();
        self.0.state().stop_all(component, None, now);
        self.0.nudge();
        Ok(())
    }

    async fn promote(&self, instance: &InstanceDocument) -> Result<(), RuntimeError> {
        self.enter(Verb::Promote, Some(&instance.component)).await?;
        let Some(container) = instance.container() else {
            return Err(refused(
                "run",
                instance.component.to_string(),
                "it is a packaged unit".to_owned(),
                false,
            ));
        };
        if let Some((_, name)) = self.foreign(std::slice::from_ref(instance)).pop() {
            return Err(RuntimeError::Foreign(name));
        }
        let (own, previous) = (container.name.to_string(), format!("{}-prev", container.name));
        let hash = instance.workload_hash();
        let mut state = self.0.state();
        let running = state
            .containers
            .iter()
            .position(|c| c.is_running() && c.is(&instance.component, &hash))
            .ok_or_else(|| {
                refused("rename", own.clone(), "no container of that workload runs".into(), true)
            })?;
        if state.containers[running].name != own {
            state.containers[running].name.clone_from(&own);
            let id = state.containers[running].id.clone();
            let holder = state.containers.iter().position(|c| c.name == own && c.id != id);
            if let Some(holder) = holder {
                let holder = state.containers[holder].id.clone();
                for container in &mut state.containers {
                    let hash = container.ours.as_ref().map(|ours| ours.hash.clone());
                    if let Some(hash) = hash.filter(|_| container.name == previous) {
                        container.name = format!("{own}-next-{}", hash.short());
                    }
                }
                for container in &mut state.containers {
                    if container.id == holder {
                        container.name.clone_from(&previous);
                    }
                }
            }
        }
        drop(state);
        self.0.nudge();
        Ok(())
    }

    async fn remove(
        &self,
        component: &ComponentName,
        keep: &[ContentHash],
    ) -> Result<(), RuntimeError> {
        self.enter(Verb::Remove, Some(component)).await?;
        self.0.state().containers.retain(|container| {
            container.is_running()
                || container.ours.as_ref().is_none_or(|ours| {
                    &ours.instance.component != component || keep.contains(&ours.hash)
                })
        });
        self.0.nudge();
        Ok(())
    }

    async fn exit_report(
        &self,
        component: &ComponentName,
        hash: &ContentHash,
    ) -> Result<ExitReport, RuntimeError> {
        self.enter(Verb::ExitReport, Some(component)).await?;
        let state = self.0.state();
        let Some(container) = state.containers.iter().rev().find(|c| c.is(component, hash)) else {
            return Ok(ExitReport::default());
        };
        let exit_code = match container.state {
            ContainerState::Exited { code, .. } => Some(code),
            ContainerState::Created | ContainerState::Running { .. } => None,
        };
        Ok(ExitReport { exit_code, log_tail: container.log.clone() })
    }

    async fn document(
        &self,
        component: &ComponentName,
        hash: &ContentHash,
    ) -> Result<Option<InstanceDocument>, RuntimeError> {
        let state = self.0.state();
        let found = state.of(component).find(|(_, ours)| &ours.hash == hash);
        Ok(found.map(|(_, ours)| ours.instance.clone()))
    }

    async fn storage(&self) -> Result<Option<PathBuf>, RuntimeError> {
        Ok(Some(self.0.shared.paths.state.clone()))
    }

    async fn exec(
        &self,
        component: &ComponentName,
        command: &[String],
        _: u64,
    ) -> Result<ExecOutput, RuntimeError> {
        self.enter(Verb::Exec, Some(component)).await?;
        let mut state = self.0.state();
        if !state.of(component).any(|(container, _)| container.is_running()) {
            let (object, detail) = (component.to_string(), "it does not run".to_owned());
            return Err(refused("run a command in", object, detail, true));
        }
        let next = state.exec_next.take().or_else(|| state.exec.get(command).cloned());
        let (exit_code, stdout) = next.unwrap_or_default();
        Ok(ExecOutput { exit_code, stdout })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.shared.changes.subscribe()
    }
}
