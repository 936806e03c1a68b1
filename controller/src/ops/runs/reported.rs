//! The runs that belong to updates. Their hosts report them, and no record of them is kept beside the
//! reports.

use std::collections::BTreeMap;

use oml_common::document::report::UpdateRun;
use oml_common::id::{ComponentName, NodeName};

use crate::ops::presence::NodePresence;

/// A run of an update, as its node reported it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedRun {
    pub node: NodeName,
    pub component: ComponentName,
    pub run: UpdateRun,
}

/// Returns the runs of updates that the nodes have reported last.
pub(super) fn reported(presence: &BTreeMap<NodeName, NodePresence>) -> Vec<ReportedRun> {
    let mut runs = Vec::new();
    for (node, known) in presence {
        let instances = known.report.iter().flat_map(|report| &report.instances);
        for (component, instance) in instances {
            let of_instance = |run: &UpdateRun| {
                let (node, component, run) = (node.clone(), component.clone(), run.clone());
                ReportedRun { node, component, run }
            };
            runs.extend(instance.update_runs.iter().map(of_instance));
        }
    }
    runs
}
