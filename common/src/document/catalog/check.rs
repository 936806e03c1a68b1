//! Checks the components of a catalog by its settings and by each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::order;
use crate::id::ComponentName;
use crate::text::problem::{Problem, Problems};

use super::{Catalog, Component, EnvTemplate, Mistakes, WorkloadTemplate, file, image};

impl Catalog {
    /// Finds the components whose mistakes are seen only beside the settings and the other components.
    /// Components that exclude each other are all broken, because it is not
    /// known which of them is right.
    pub(super) fn check(&mut self, has_registry: bool) {
        let mut found = Mistakes::new();
        for (name, component) in &self.components {
            let own = found.entry(name.clone()).or_default();
            self.check_dependencies(name, component, own);
            self.check_conditions(name, component, own);
            file::check_settings(self, name, component, own);
            self.check_unique(name, component, &mut found);
        }
        self.check_order(&mut found);
        if !has_registry {
            image::need_registry(&self.components, &mut found);
        }
        for (name, own) in found.into_iter().filter(|(_, own)| !own.0.is_empty()) {
            self.broken.entry(name).or_default().0.extend(own.0);
        }
    }

    fn check_dependencies(
        &self,
        name: &ComponentName,
        component: &Component,
        problems: &mut Problems,
    ) {
        // A broken one is a component too.
        let known: BTreeSet<&ComponentName> =
            self.components.keys().chain(self.broken.keys()).collect();
        for dependency in component.after.iter().filter(|it| !known.contains(it)) {
            let message = format!("{dependency} is not a component");
            let problem = Problem::new(format!("components.{name}.after"), message);
            let known = known.iter().map(|it| it.as_str());
            problems.push(problem.suggest(dependency.as_str(), known));
        }
    }

    fn check_conditions(
        &self,
        name: &ComponentName,
        component: &Component,
        problems: &mut Problems,
    ) {
        let path = format!("components.{name}");
        if let Some(when) = &component.when {
            when.check(&format!("{path}.when"), &self.settings, problems);
        }
        let WorkloadTemplate::Container(container) = &component.workload else { return };
        for (name, EnvTemplate { when, .. }) in &container.env {
            if let Some(when) = when {
                when.check(&format!("{path}.env.{name}.when"), &self.settings, problems);
            }
        }
        for (name, when) in &container.secret_conditions.0 {
            when.check(&format!("{path}.secrets.{name}.when"), &self.settings, problems);
        }
    }

    fn check_unique(&self, name: &ComponentName, component: &Component, found: &mut Mistakes) {
        let others = self.components.iter().filter(|(other, _)| *other < name);
        for (other, definition) in others {
            let mut both = |field: &str, message: String| {
                let problem = Problem::new(format!("components.{name}.{field}"), message);
                for one in [name, other] {
                    found.entry(one.clone()).or_default().push(problem.clone());
                }
            };
            if definition.unit == component.unit {
                both("unit", format!("the unit {} already belongs to {other}", component.unit));
            }
            if let (WorkloadTemplate::Container(a), WorkloadTemplate::Container(b)) =
                (&definition.workload, &component.workload)
                && a.name == b.name
            {
                both("container", format!("the container {} already belongs to {other}", b.name));
            }
        }
    }

    /// Finds every cycle: those on one are left out when the next is looked for.
    fn check_order(&self, found: &mut Mistakes) {
        let edges = self.components.iter().map(|(name, it)| (name.clone(), it.after.clone()));
        let mut edges: BTreeMap<_, _> = edges.collect();
        while let Err(cycle) = order::topological(&edges) {
            let problem = Problem::new("components", order::describe_cycle(&cycle));
            edges.retain(|name, _| !cycle.contains(name));
            for name in cycle {
                found.entry(name).or_default().push(problem.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
