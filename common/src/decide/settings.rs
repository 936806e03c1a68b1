//! What a tenant may choose, what it chose, and what each choice touches, for people.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::plan::names::settings_of;
use crate::decide::plan::template::engine;
use crate::document::catalog::{Catalog, Component, Condition, Setting};
use crate::document::spec::TenantSpec;
use crate::id::ComponentName;

/// A setting with its value for a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingView {
    pub name: String,
    /// `None` if the specification gives a value and the catalog has no such setting.
    pub setting: Option<Setting>,
    pub value: Option<String>,
    pub origin: ValueOrigin,
    /// Why the value is not valid; empty if it is.
    pub problem: String,
    /// The components that the setting touches.
    pub uses: BTreeMap<ComponentName, ComponentUse>,
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueOrigin {
    /// Nowhere: there is neither a value of the tenant nor a default.
    Missing,
    Default,
    /// The specification of the tenant, at this line if it is known.
    Tenant {
        line: Option<u32>,
    },
}

/// How a setting touches a component.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ComponentUse {
    /// Whether the specification names the component.
    pub in_tenant: bool,
    /// Whether the value is written into what the component runs.
    pub in_workload: bool,
    /// Whether the value decides if the component, or one of its variables, exists.
    pub in_condition: bool,
}

/// Returns every setting of a catalog, and every other that the specification names, in the
/// order of their names. Without a specification, the values are the defaults.
#[must_use]
pub fn views(catalog: &Catalog, spec: Option<&TenantSpec>) -> Vec<SettingView> {
    let uses = Uses::of(catalog, spec);
    let given = spec.iter().flat_map(|spec| spec.settings.keys());
    let names: BTreeSet<&String> = catalog.settings.keys().chain(given).collect();
    names.into_iter().map(|name| view(catalog, spec, &uses, name)).collect()
}

fn view(catalog: &Catalog, spec: Option<&TenantSpec>, uses: &Uses<'_>, name: &str) -> SettingView {
    let setting = catalog.settings.get(name);
    let given = spec.and_then(|spec| spec.settings.get(name));
    let default = setting.and_then(|setting| setting.default.as_ref());
    let line = || spec.and_then(|spec| spec.problem(&format!("settings.{name}"), "").line);
    let origin = match (given, default) {
        (Some(_), _) => ValueOrigin::Tenant { line: line() },
        (None, Some(_)) => ValueOrigin::Default,
        (None, None) => ValueOrigin::Missing,
    };
    let value = given.or(default).cloned();
    let problem = match (setting, &value) {
        (Some(setting), Some(value)) => setting.check(value).err().map(|it| it.message),
        (Some(_), None) => None,
        (None, _) => Some(format!("catalog {} has no such setting", catalog.name)),
    };
    SettingView {
        name: name.to_owned(),
        setting: setting.cloned(),
        value,
        origin,
        problem: problem.unwrap_or_default(),
        uses: uses.of_setting(name),
    }
}

/// The settings that every component uses.
struct Uses<'c>(BTreeMap<&'c ComponentName, OfComponent>);

/// The settings that one component uses.
struct OfComponent {
    in_tenant: bool,
    /// `None` stands for all of them.
    in_workload: Option<BTreeSet<String>>,
    in_condition: BTreeSet<String>,
}

impl<'c> Uses<'c> {
    fn of(catalog: &'c Catalog, spec: Option<&TenantSpec>) -> Self {
        let engine = engine();
        let of_component = |(name, component): (&'c ComponentName, &'c Component)| {
            let wanted = spec.and_then(|spec| spec.components.get(name));
            let env = wanted.iter().flat_map(|wanted| wanted.env.values());
            let conditions = component.conditions().flat_map(Condition::settings);
            let uses = OfComponent {
                in_tenant: wanted.is_some(),
                in_workload: settings_of(&engine, component, env),
                in_condition: conditions.map(str::to_owned).collect(),
            };
            (name, uses)
        };
        Self(catalog.components.iter().map(of_component).collect())
    }

    fn of_setting(&self, setting: &str) -> BTreeMap<ComponentName, ComponentUse> {
        let use_of = |(name, uses): (&&ComponentName, &OfComponent)| {
            let in_workload = uses.in_workload.as_ref().is_none_or(|it| it.contains(setting));
            let in_condition = uses.in_condition.contains(setting);
            let found = ComponentUse { in_tenant: uses.in_tenant, in_workload, in_condition };
            (in_workload || in_condition).then(|| ((*name).clone(), found))
        };
        self.0.iter().filter_map(use_of).collect()
    }
}

#[cfg(test)]
mod tests;
