//! Converts the settings of a tenant or a catalog.

use oml_common::decide::settings::{ComponentUse, SettingView, ValueOrigin};
use oml_common::document::catalog::{NumberRange, SettingChoice, SettingKind};
use oml_common::id::ComponentName;
use oml_proto::v1;

use crate::ops::settings::CatalogSettings;

/// Converts the settings of a catalog.
pub(crate) fn settings(found: CatalogSettings) -> v1::ListSettingsReply {
    v1::ListSettingsReply {
        catalog: found.catalog.to_string(),
        revision: found.revision.0,
        settings: found.settings.into_iter().map(setting).collect(),
    }
}

fn setting(view: SettingView) -> v1::Setting {
    let (origin, line) = match view.origin {
        ValueOrigin::Missing => (v1::SettingOrigin::Missing, None),
        ValueOrigin::Default => (v1::SettingOrigin::Default, None),
        ValueOrigin::Tenant { line } => (v1::SettingOrigin::Tenant, line),
    };
    let kind = view.setting.as_ref().map(|setting| &setting.kind);
    let NumberRange { min, max } = kind.map_or(NumberRange::ALL, range);
    v1::Setting {
        name: view.name,
        r#type: kind.map_or("unknown", SettingKind::as_str).to_owned(),
        value: view.value,
        origin: origin.into(),
        line: line.unwrap_or_default(),
        choices: kind.map(choices).unwrap_or_default(),
        min,
        max,
        pattern: kind.map(pattern).unwrap_or_default(),
        problem: view.problem,
        components: view.uses.into_iter().map(setting_use).collect(),
        means: view.setting.as_ref().map(|setting| setting.means.clone()).unwrap_or_default(),
        default: view.setting.and_then(|setting| setting.default),
    }
}

fn setting_use(found: (ComponentName, ComponentUse)) -> v1::SettingUse {
    let (component, ComponentUse { in_tenant, in_workload, in_condition }) = found;
    v1::SettingUse { component: component.to_string(), in_tenant, in_workload, in_condition }
}

fn range(kind: &SettingKind) -> NumberRange {
    if let SettingKind::Number(range) | SettingKind::Port(range) = kind {
        return *range;
    }
    NumberRange::ALL
}

fn choices(kind: &SettingKind) -> Vec<v1::SettingChoice> {
    let SettingKind::Choice(choices) = kind else { return Vec::new() };
    let choice = |SettingChoice { value, means }: &SettingChoice| v1::SettingChoice {
        value: value.clone(),
        means: means.clone(),
    };
    choices.iter().map(choice).collect()
}

fn pattern(kind: &SettingKind) -> String {
    let SettingKind::Text(Some(pattern)) = kind else { return String::new() };
    pattern.as_str().to_owned()
}
