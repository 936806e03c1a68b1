//! Containers, through the Docker Engine's API.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bollard::models::{ContainerCreateBody, ContainerSummary};
use futures_util::{StreamExt as _, stream};
use oml_common::decide::difference::ForeignObject;
use oml_common::decide::observed::UnseenContainer;
use oml_common::document::container_labels::ContainerLabels;
use oml_common::document::instance::InstanceDocument;
use oml_common::document::operation::RunOrder;
use oml_common::id::{ComponentName, ContentHash, RunId, TenantId};
use oml_common::text::error::chain;
use oml_common::time::Timestamp;
use tokio::sync::{OnceCell, watch};

use super::{
    ContainerCalls, ContainerEngine, ContainerInstance, ContainerListing, ExecOutput, ExitReport,
    Marked, PullProgress, RuntimeError,
};
use crate::paths::Paths;

mod calls;
mod create;
mod engine;
mod events;
mod exec;
mod failure;
mod images;
mod label;
mod login;
mod looked;
mod messages;
#[cfg(any(test, feature = "sim"))]
mod model;
mod mounts;
mod names;
mod ownership;
mod refusal;
mod runs;
mod socket;
mod storage;
#[cfg(test)]
mod stub;
mod time;
mod unfinished;

pub use login::PullLogin;

use calls::{EngineCalls, EngineInfo};
use looked::Looked;
use ownership::Sorted;
use socket::Engine;

/// Containers are inspected this many at a time.
const INSPECTIONS: usize = 8;
/// The time limit for a look at one container when all are listed. An engine answers in
/// milliseconds, except about a container on which it hangs itself.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// The Docker Engine of a host.
#[derive(Debug)]
pub struct Docker {
    engine: Arc<dyn EngineCalls>,
    paths: Paths,
    logins: Vec<PullLogin>,
    /// The tenant of this host, if it is known: containers of others are not ours.
    tenant: Option<TenantId>,
    look_limit: Duration,
    watcher: OnceLock<Watcher>,
    /// Set when nothing is left of the checks of earlier agents.
    swept: OnceCell<()>,
}

/// Follows the engine's events for as long as it lives.
#[derive(Debug)]
struct Watcher {
    changes: watch::Receiver<u64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Docker {
    /// The engine behind the socket of `paths`, which may be away, on a host of that tenant.
    #[must_use]
    pub fn new(paths: Paths, logins: Vec<PullLogin>, tenant: Option<TenantId>) -> Self {
        let engine = Arc::new(Engine::at(&paths.docker_socket));
        Self::over(engine, paths, logins, tenant)
    }

    fn over(
        engine: Arc<dyn EngineCalls>,
        paths: Paths,
        logins: Vec<PullLogin>,
        tenant: Option<TenantId>,
    ) -> Self {
        let (look_limit, watcher, swept) = (LOOK_LIMIT, OnceLock::new(), OnceCell::new());
        Self { engine, paths, logins, tenant, look_limit, watcher, swept }
    }

    /// Builds the request for the container of an instance, whose files are those of a workload.
    async fn request(
        &self,
        instance: ContainerInstance<'_>,
        files_of: ContentHash,
    ) -> Result<ContainerCreateBody, RuntimeError> {
        let image = images::local_name(&*self.engine, instance.container()).await?;
        let image_id = self.engine.image_id(&image).await?;
        let EngineInfo { log_driver, root, .. } = self.engine.info().await?;
        let local = create::Local { files_of, image, image_id, log_driver, root };
        let mut body = create::body(instance, &self.paths, local)?;
        if create::sysctls::are_of_interface(&body) {
            let api = self.engine.api_version().await?;
            create::sysctls::place(&mut body, api);
        }
        Ok(body)
    }

    /// Creates a container that is not started, and gives its id.
    async fn create_named(
        &self,
        name: &str,
        instance: ContainerInstance<'_>,
    ) -> Result<String, RuntimeError> {
        let body = self.request(instance, instance.document().workload_hash()).await?;
        self.engine.create(name, body).await
    }

    /// Lists the containers of a component, newest first, in the states that the engine lists.
    async fn listed(&self, component: &ComponentName) -> Result<Vec<Marked>, RuntimeError> {
        let found = self.engine.labelled(ContainerLabels::COMPONENT, component.as_str()).await?;
        let mut marked = self.ours(&found);
        marked.sort_by_key(|container| std::cmp::Reverse(container.created));
        Ok(marked)
    }

    /// Returns these containers in their true states.
    async fn states_of(&self, listed: Vec<Marked>) -> Result<Vec<Marked>, RuntimeError> {
        let looked = self.look_at(listed).await?;
        Ok(looked.into_iter().map(|looked| looked.marked).collect())
    }

    /// Looks at every one of these containers, and returns the error of each at which it cannot
    /// look. Such a one stays in the state that the engine lists, and delays the others by
    /// [`LOOK_LIMIT`] at most, for every [`INSPECTIONS`] of its kind.
    async fn look_at_each(
        &self,
        marked: Vec<Marked>,
    ) -> (Vec<Looked>, Vec<(ComponentName, UnseenContainer)>) {
        let looks = stream::iter(marked).map(|marked| async {
            let look = self.engine.inspect(&marked.id);
            let found = tokio::time::timeout(self.look_limit, look).await;
            let why = match found {
                Ok(Ok(found)) => return (found.map(|found| Looked::new(marked, found)), None),
                Ok(Err(error)) => chain(&error).replace(&marked.id, &marked.name),
                Err(_) => format!("docker gives no answer about it within {:?}", self.look_limit),
            };
            let unseen = UnseenContainer { name: marked.name.clone(), why };
            let unseen = Some((marked.component.clone(), unseen));
            (Some(Looked::unseen(marked)), unseen)
        });
        let each: Vec<_> = looks.buffered(INSPECTIONS).collect().await;
        let (looked, unseen): (Vec<_>, Vec<_>) = each.into_iter().unzip();
        (looked.into_iter().flatten().collect(), unseen.into_iter().flatten().collect())
    }

    /// Looks at every one of these containers. The list of an engine may show a state that is
    /// long past, such as after its disk was full; only a look at the container is true. One
    /// that vanished since it was listed is left out.
    async fn look_at(&self, marked: Vec<Marked>) -> Result<Vec<Looked>, RuntimeError> {
        let looks = stream::iter(marked).map(|marked| async {
            let found = self.engine.inspect(&marked.id).await?;
            Ok(found.map(|found| Looked::new(marked, found)))
        });
        let looked: Vec<Result<Option<Looked>, RuntimeError>> =
            looks.buffered(INSPECTIONS).collect().await;
        looked.into_iter().filter_map(Result::transpose).collect()
    }
}

#[async_trait]
impl ContainerEngine for Docker {
    async fn list(&self, desired: &[InstanceDocument]) -> Result<ContainerListing, RuntimeError> {
        let all = self.engine.containers().await?;
        let Sorted { ours, foreign: mut differs } = self.sort(&all);
        let foreign = foreign(&all, &ours, desired);
        let (looked, unseen) = self.look_at_each(ours).await;
        let running = looked.iter().map(|looked| &looked.marked).filter(|c| c.is_running);
        let labels = running.map(|c| (c.component.clone(), c.held().ok())).collect();
        differs.extend(looked.iter().flat_map(Looked::altered));
        Ok(ContainerListing {
            containers: looked.into_iter().map(Looked::into_observed).collect(),
            labels,
            foreign,
            differs,
            unseen,
            images: images::present(&*self.engine).await?,
        })
    }

    async fn has_image(&self, instance: ContainerInstance<'_>) -> Result<bool, RuntimeError> {
        Ok(images::present(&*self.engine).await?.contains(&instance.container().digest))
    }

    async fn pull(
        &self,
        instance: ContainerInstance<'_>,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), RuntimeError> {
        let container = instance.as_pulled();
        let login = login::of(instance, &self.logins, &self.paths)?;
        images::pull(&*self.engine, &container, login, images::SILENCE_MAX, progress).await
    }

    async fn create(&self, instance: ContainerInstance<'_>) -> Result<(), RuntimeError> {
        let document = instance.document();
        let all = self.engine.containers().await?;
        let ours = self.ours(&all);
        if let Some((_, object)) = foreign(&all, &ours, std::slice::from_ref(document)).pop() {
            return Err(RuntimeError::Foreign(object));
        }
        let hash = document.workload_hash();
        if ours.iter().any(|c| c.component == document.component && c.hash == hash) {
            return Ok(());
        }
        let name = names::spare(&all, instance.container(), &hash);
        self.create_named(&name, instance).await.map(drop)
    }

    async fn stop(&self, component: &ComponentName) -> Result<(), RuntimeError> {
        for container in self.looked_at(component).await?.iter().filter(|c| c.is_running) {
            self.engine.stop(&container.id, container.stop_grace_ms()).await?;
        }
        Ok(())
    }

    async fn promote(&self, instance: ContainerInstance<'_>) -> Result<(), RuntimeError> {
        let all = self.engine.containers().await?;
        let ours = self.ours(&all);
        let listed = names::Listed { all: &all, ours: &ours };
        names::promote(&*self.engine, listed, instance).await
    }

    async fn remove(
        &self,
        component: &ComponentName,
        keep: &[ContentHash],
    ) -> Result<(), RuntimeError> {
        let containers = self.looked_at(component).await?;
        for container in containers.iter().filter(|c| !c.is_running && !keep.contains(&c.hash)) {
            self.engine.remove(&container.id).await?;
        }
        Ok(())
    }

    async fn exit_report(
        &self,
        component: &ComponentName,
        hash: &ContentHash,
        since: Timestamp,
    ) -> Result<ExitReport, RuntimeError> {
        let containers = self.listed(component).await?;
        match containers.iter().find(|container| &container.hash == hash) {
            Some(container) => messages::of(&*self.engine, &container.id, since).await,
            None => Ok(ExitReport::default()),
        }
    }

    async fn document(
        &self,
        component: &ComponentName,
        hash: &ContentHash,
    ) -> Result<Option<InstanceDocument>, RuntimeError> {
        let containers = self.listed(component).await?;
        let of_hash = containers.iter().find(|container| &container.hash == hash);
        Ok(of_hash.and_then(Marked::instance))
    }

    async fn storage(&self) -> Result<Vec<PathBuf>, RuntimeError> {
        // Not kept: an engine may be restarted with its data on another disk.
        let info = self.engine.info().await?;
        Ok(storage::folders(&info, &self.paths.containerd_config))
    }

    async fn exec(
        &self,
        component: &ComponentName,
        command: &[String],
        timeout_ms: u64,
    ) -> Result<ExecOutput, RuntimeError> {
        let containers = self.containers_of(component).await?;
        let Some(running) = containers.iter().find(|container| container.is_running) else {
            return Err(RuntimeError::Refused {
                verb: "run a command in",
                object: component.to_string(),
                detail: "it does not run".to_owned(),
                transient: true,
            });
        };
        self.engine.exec(&running.id, command, Duration::from_millis(timeout_ms)).await
    }

    async fn containers_of(&self, component: &ComponentName) -> Result<Vec<Marked>, RuntimeError> {
        let listed = self.listed(component).await?;
        // Between two versions nothing runs, and every look would be time without an answer.
        if !listed.iter().any(|container| container.is_running) {
            return Ok(listed);
        }
        self.states_of(listed).await
    }

    async fn looked_at(&self, component: &ComponentName) -> Result<Vec<Marked>, RuntimeError> {
        self.states_of(self.listed(component).await?).await
    }

    async fn may_create(&self, instance: ContainerInstance<'_>) -> Result<(), RuntimeError> {
        self.request(instance, instance.document().workload_hash()).await.map(drop)
    }

    async fn restore(&self, instance: ContainerInstance<'_>) -> Result<String, RuntimeError> {
        let container = instance.container();
        let all = self.engine.containers().await?;
        let is_free = all.iter().all(|c| label::name_of(c) != container.name.as_str());
        let name = match is_free {
            true => container.name.to_string(),
            false => names::spare(&all, container, &instance.document().workload_hash()),
        };
        self.create_named(&name, instance).await
    }

    async fn create_run(&self, order: &RunOrder) -> Result<(), RuntimeError> {
        self.create_container_of_run(order).await
    }

    async fn run_container(&self, id: RunId) -> Result<Option<String>, RuntimeError> {
        let found = runs::find(&*self.engine, id, self.tenant.as_ref()).await?;
        Ok(found.map(|container| container.id))
    }

    async fn remove_run(&self, id: RunId) -> Result<(), RuntimeError> {
        runs::remove(&*self.engine, id, self.tenant.as_ref()).await
    }

    async fn remove_left_checks(&self) -> Result<(), RuntimeError> {
        self.sweep_checks().await
    }

    fn calls(&self) -> &dyn ContainerCalls {
        &*self.engine
    }

    fn changes(&self) -> watch::Receiver<u64> {
        let watcher = self.watcher.get_or_init(|| {
            let (sender, changes) = watch::channel(0);
            let engine = Arc::clone(&self.engine);
            let task = tokio::spawn(async move { engine.watch(&sender).await });
            Watcher { changes, task }
        });
        watcher.changes.clone()
    }
}

/// Containers that bear a desired name and are not ours. One of another component of ours, whose
/// name was exchanged by hand, gives the name back when it is needed; so does one that the engine
/// could not remove.
fn foreign(
    all: &[ContainerSummary],
    ours: &[Marked],
    desired: &[InstanceDocument],
) -> Vec<(ComponentName, ForeignObject)> {
    let mut foreign = Vec::new();
    for instance in desired {
        let Some(container) = instance.container() else { continue };
        let is_ours = |found: &ContainerSummary| {
            ours.iter().any(|c| Some(&c.id) == found.id.as_ref() && c.tenant == instance.tenant)
        };
        let holds_name =
            |found: &&ContainerSummary| label::name_of(found) == container.name.as_str();
        let is_in_the_way = |found: &ContainerSummary| !is_ours(found) && !label::is_dying(found);
        if all.iter().find(holds_name).is_some_and(is_in_the_way) {
            let name = container.name.to_string();
            foreign.push((instance.component.clone(), ForeignObject::Container { name }));
        }
    }
    foreign
}

#[cfg(test)]
mod tests;
