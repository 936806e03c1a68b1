//! What a change has to know of the nodes of its tenant.

use std::collections::BTreeMap;

use oml_common::decide::plan::NodeFacts;
use oml_common::document::spec::TenantSpec;
use oml_common::id::{NodeName, TenantId};
use oml_common::text::problem::{Problem, nearest};

use super::Changes;
use crate::ops::Result;
use crate::records::values::AgentRecord;
use crate::records::{Records, keys};

impl Changes {
    /// Returns a suggestion if the name of a tenant without nodes is close to that of a
    /// known one.
    pub(super) async fn suggest_tenant(&self, spec: &TenantSpec) -> Result<Option<Problem>> {
        let known = self.tenants.all().await?;
        let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
        let near =
            nearest(spec.tenant.as_str(), &known).filter(|near| *near != spec.tenant.as_str());
        Ok(near.map(|near| {
            let message = format!("no host of {} has joined", spec.tenant);
            spec.problem("tenant", message).hint(format!("did you mean {near}?"))
        }))
    }
}

/// Returns the facts about the nodes of a tenant that planning needs.
pub(in crate::ops) async fn node_facts(
    records: &Records,
    tenant: &TenantId,
) -> Result<BTreeMap<NodeName, NodeFacts>> {
    let all = keys::nodes(tenant);
    let nodes = records.list(&all).await?;
    let present = nodes.into_iter().filter(|(_, node)| node.value.is_enrolled());
    let facts = present.filter_map(|(rest, node)| {
        let facts = NodeFacts {
            roles: node.value.roles,
            address: node.value.address,
            agent: node.value.agent.map(AgentRecord::facts),
        };
        Some((all.name(&rest)?, facts))
    });
    Ok(facts.collect())
}
