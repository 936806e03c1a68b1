//! A tenant of three hosts that talk.

use std::sync::{Arc, Mutex};

use oml_proto::v1::RolloutState;
use oml_proto::v1::fleet_client::FleetClient;
use tonic::transport::Channel;

use crate::agent::{Agent, Log, enroll};
use crate::world::{SPEC, StoreKind, World, apply, until_rollout};

/// Three hosts, one of each role.
pub(crate) const NODES: [(&str, &str); 3] =
    [("acme-data", "data"), ("acme-voice", "voice"), ("acme-app", "app")];

/// A controller with a tenant of three hosts.
pub(crate) struct Fleet {
    pub(crate) world: World,
    pub(crate) operator: FleetClient<Channel>,
    pub(crate) log: Log,
    pub(crate) agents: Vec<Agent>,
}

impl Fleet {
    /// Hosts enrolled and connected, nothing applied.
    pub(crate) async fn start(kept: StoreKind) -> Self {
        let world = World::start(kept).await;
        let log: Log = Arc::new(Mutex::new(Vec::new()));
        let mut agents = Vec::new();
        for (node, role) in NODES {
            let host = enroll(&world, "acme", role, node).await;
            agents.push(Agent::start(&world, host, Arc::clone(&log)).await);
        }
        let operator = world.operator().await;
        Self { world, operator, log, agents }
    }

    /// The tenant installed, revision 1 completed.
    pub(crate) async fn installed(kept: StoreKind) -> Self {
        let mut fleet = Self::start(kept).await;
        assert_eq!(apply(&mut fleet.operator, SPEC).await.unwrap().revision, 1);
        until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
        fleet.log.lock().unwrap().clear();
        fleet
    }

    /// The controller anew, and the operator connected to it.
    pub(crate) async fn restart(&mut self) {
        self.world.restart().await;
        self.operator = self.world.operator().await;
    }

    /// What agents did since the last question.
    pub(crate) fn done(&self) -> Vec<(String, String, String)> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}
