//! What holds for the catalog of every line of OMniLeads.

use std::collections::BTreeSet;

use super::omnileads_2_6::containers;
use super::*;

/// A container of a catalog.
pub(super) fn container<'c>(catalog: &'c Catalog, name: &str) -> &'c ContainerTemplate {
    let found = &catalog.components[&name.parse().unwrap()].workload;
    let WorkloadTemplate::Container(container) = found else { panic!("{name} has no container") };
    container
}

/// Asserts the unit, the container and the volumes of a component.
pub(super) fn assert_names(
    catalog: &Catalog,
    name: &str,
    unit: &str,
    in_engine: &str,
    volumes: &str,
) {
    assert_eq!(catalog.components[&name.parse().unwrap()].unit.as_str(), unit, "{name}");
    let container = container(catalog, name);
    assert_eq!(container.name.as_str(), in_engine, "{name}");
    let sources: Vec<&str> = container.volumes.iter().map(|it| it.source.as_str()).collect();
    assert_eq!(sources.join(" "), volumes, "{name}");
}

/// Asserts that no container of a catalog sets one of these variables.
pub(super) fn assert_unset(catalog: &Catalog, unread: &[&str]) {
    for (name, container) in containers(catalog) {
        let set = container.env.keys().chain(container.secrets.keys());
        let wrong: Vec<&str> = set.map(AsRef::as_ref).filter(|it| unread.contains(it)).collect();
        assert!(wrong.is_empty(), "{name} sets {wrong:?}");
    }
}

/// Asserts that the containers of an image have the same environment, except for these variables.
pub(super) fn assert_one_environment(
    catalog: &Catalog,
    image: &str,
    count: usize,
    except: &[&str],
) {
    let mut all = containers(catalog);
    all.retain(|(_, container)| container.image.as_str() == image);
    assert_eq!(all.len(), count);
    let common = |container: &ContainerTemplate| {
        let mut env = container.env.clone();
        env.retain(|name, _| !except.contains(&name.as_str()));
        (env, container.secrets.clone())
    };
    let expected = common(all[0].1);
    for (name, container) in all {
        assert_eq!(common(container), expected, "{name}");
    }
}

/// The components whose calls are counted, with the text before which the count stands.
pub(super) fn counted(catalog: &Catalog) -> Vec<(&str, &str)> {
    let counted = catalog.components.iter().filter_map(|(name, component)| {
        let active = component.active.as_ref()?;
        Some((name.as_str(), active.before.as_str()))
    });
    counted.collect()
}

#[test]
fn the_passwords_and_keys_of_every_line_are_secrets_that_its_head_names() {
    let is_secret = |name: &str| {
        let parts =
            ["PASS", "SECRET", "ACCESS_KEY", "API_KEY", "AUTHEPH_SK", "DATA_SOURCE", "_PWD"];
        parts.iter().any(|part| name.contains(part))
    };
    for text in LINES {
        let catalog = Catalog::parse(text).unwrap();
        let mut used = BTreeSet::new();
        for (component, container) in containers(&catalog) {
            let open = container.env.keys().find(|name| is_secret(name.as_str()));
            assert_eq!(open, None, "{component} of {}", catalog.name);
            used.extend(container.secrets.values().map(|secret| secret.name.to_string()));
        }
        let head = text.split("\ncatalog:").next().unwrap().replace("\n#", "");
        for secret in used {
            assert!(head.contains(&secret), "the head of {} does not name {secret}", catalog.name);
        }
    }
}

#[test]
fn no_component_of_a_line_has_rights_beyond_the_usual_ones() {
    for text in LINES {
        let catalog = Catalog::parse(text).unwrap();
        for (name, container) in containers(&catalog) {
            let options = &container.options;
            assert!(!options.privileged && options.cap_add.is_empty(), "{name}");
            assert!(options.devices.is_empty() && options.ulimits.is_empty(), "{name}");
            assert!(!container.may_gain_privileges, "{name}");
        }
    }
}

#[test]
fn no_line_keeps_the_folder_in_which_an_image_of_asterisk_has_its_own_files() {
    for text in LINES {
        let catalog = Catalog::parse(text).unwrap();
        for (name, container) in containers(&catalog) {
            let hides = container.volumes.iter().find(|it| it.target == "/var/lib/asterisk");
            assert_eq!(hides, None, "{name} of {}", catalog.name);
        }
    }
}

#[test]
fn every_nginx_knows_where_it_passes_requests_to() {
    for text in LINES {
        let catalog = Catalog::parse(text).unwrap();
        let nginx = container(&catalog, "nginx");
        for needed in ["ENV", "S3_ENDPOINT", "DJANGO_HOSTNAME", "DAPHNE_HOSTNAME"] {
            let name: EnvName = needed.parse().unwrap();
            let is_set = nginx.env.get(&name).is_some_and(|it| !it.value.is_empty());
            assert!(is_set, "nginx of {} ends without {needed}", catalog.name);
        }
        assert_eq!(nginx.env[&"ENV".parse().unwrap()].value, "prodenv");
    }
}
