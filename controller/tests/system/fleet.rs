//! A tenant of three hosts with stub agents.

use std::sync::{Arc, Mutex};

use oml_proto::v1::RolloutState;
use oml_proto::v1::fleet_client::FleetClient;
use omlcontroller::store::Store;
use tonic::transport::Channel;

use crate::agent::{Agent, Log, enroll};
use crate::world::{SPEC, StoreKind, World, apply, until_rollout};

/// The names and roles of three hosts, one of each role.
pub(crate) const NODES: [(&str, &str); 3] =
    [("acme-data", "data"), ("acme-voice", "voice"), ("acme-app", "app")];

/// A controller with a tenant of three hosts, and an operator's connection.
pub(crate) struct Fleet {
    pub(crate) world: World,
    pub(crate) operator: FleetClient<Channel>,
    pub(crate) log: Log,
    pub(crate) agents: Vec<Agent>,
}

impl Fleet {
    /// Starts a controller whose hosts are connected, without a specification.
    pub(crate) async fn start(kept: StoreKind) -> Self {
        Self::of(World::start(kept).await).await
    }

    async fn of(world: World) -> Self {
        let log: Log = Arc::new(Mutex::new(Vec::new()));
        let mut agents = Vec::new();
        for (node, role) in NODES {
            let host = enroll(&world, "acme", role, node).await;
            agents.push(Agent::start(&world, host, Arc::clone(&log)).await);
        }
        let operator = world.operator().await;
        Self { world, operator, log, agents }
    }

    /// Starts a controller whose tenant has completed revision 1.
    pub(crate) async fn installed(kept: StoreKind) -> Self {
        Self::start(kept).await.install().await
    }

    /// Starts a controller over a store that the test provides, whose tenant has completed
    /// revision 1.
    pub(crate) async fn installed_over(store: Arc<dyn Store>) -> Self {
        Self::of(World::over(store).await).await.install().await
    }

    async fn install(mut self) -> Self {
        let fleet = &mut self;
        assert_eq!(apply(&mut fleet.operator, SPEC).await.unwrap().revision, 1);
        until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
        fleet.log.lock().unwrap().clear();
        self
    }

    /// Restarts the controller and connects the operator again.
    pub(crate) async fn restart(&mut self) {
        self.world.restart().await;
        self.operator = self.world.operator().await;
    }

    /// Returns and clears the log of what the agents did.
    pub(crate) fn done(&self) -> Vec<(String, String, String)> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}
