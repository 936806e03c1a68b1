//! What is found to be wrong with a draft before any registry is asked, all at once.

use std::collections::BTreeMap;

use oml_common::decide::head::next_revision;
use oml_common::decide::plan::{self, NodeFacts, Prepared, Unprepared, check_without_catalog};
use oml_common::decide::release::VersionDecision;
use oml_common::document::Verbatim;
use oml_common::document::catalog::Catalog;
use oml_common::document::plan::Plan;
use oml_common::document::spec::TenantSpec;
use oml_common::id::NodeName;
use oml_common::text::problem::{Problem, Problems};

use super::Changes;
use super::draft::Draft;
use super::releases::without_rollback;
use crate::ops::{OpsError, Result};
use crate::store::VALUE_SIZE_BYTES_MAX;

impl Changes {
    /// Prepares the plan of a draft as far as it can be made, and returns everything that is found to
    /// be wrong without a registry.
    pub(super) fn prepare(
        &self,
        draft: &Draft,
        catalog: &Catalog,
        nodes: &BTreeMap<NodeName, NodeFacts>,
        decision: &VersionDecision,
    ) -> (Prepared, Problems) {
        let revision = next_revision(draft.head.as_ref().map(|head| head.value));
        let prepared = plan::prepare(plan::Input {
            revision,
            spec: &draft.spec,
            catalog,
            nodes,
            mirrors: self.registries.mirrors(),
            secrets: &draft.secrets,
            thumbprint: draft.thumbprint.as_ref(),
            before: draft.before.as_ref().map(|(_, plan)| &**plan),
        });
        let (prepared, mut problems) = match prepared {
            Ok(prepared) => {
                let prepared = prepared.edited(|plan| without_rollback(plan, decision));
                let unsupported = prepared.unsupported(&draft.spec, nodes);
                (prepared, unsupported)
            }
            Err(Unprepared { prepared, problems }) => (*prepared, problems),
        };
        problems.0.extend(draft.conflicts(prepared.layout()));
        problems.0.extend(draft.problems.iter().cloned());
        (prepared, problems)
    }

    /// Returns everything that is wrong with a draft whose catalog cannot be used, as far as it is
    /// known without one.
    pub(super) async fn without_catalog(
        &self,
        draft: &Draft,
        nodes: &BTreeMap<NodeName, NodeFacts>,
        unusable: Problem,
    ) -> OpsError {
        let mut problems = check_without_catalog(&draft.spec, nodes, &draft.secrets);
        problems.push(unusable);
        problems.0.extend(draft.problems.iter().cloned());
        if nodes.is_empty() {
            match self.suggest_tenant(&draft.spec).await {
                Ok(suggested) => problems.0.extend(suggested),
                Err(error) => return error,
            }
        }
        OpsError::Problems(problems.sorted())
    }
}

/// Refuses a plan that is too large to be kept. Only files can make it so large.
pub(super) fn check_size(spec: &TenantSpec, plan: &Verbatim<Plan>) -> Result<()> {
    let size_bytes = plan.text().len();
    if size_bytes <= VALUE_SIZE_BYTES_MAX {
        return Ok(());
    }
    let message = format!("its plan has {size_bytes} bytes, and may have {VALUE_SIZE_BYTES_MAX}");
    let problem = spec.problem("components", message);
    Err(problem.hint("make the files of its catalog shorter, or use fewer nodes").into())
}
