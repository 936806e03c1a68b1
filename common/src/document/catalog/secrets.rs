//! Checks the secrets of a component against its environment, and against what else is mounted into
//! its container.

use std::collections::BTreeMap;

use crate::document::secret_use::{SecretUse, read_uses_with};
use crate::id::EnvName;
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields};

use super::condition::{self, Condition};
use super::place::Places;
use super::{ContainerTemplate, EnvTemplate, SettingValues};

/// When those secrets of a component are used that not every tenant needs, by their variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretConditions(pub(super) BTreeMap<EnvName, Condition>);

/// The secrets of a component, and the conditions of some.
pub(super) type ReadSecrets = (BTreeMap<EnvName, SecretUse>, Box<SecretConditions>);

/// Reads `ENV: NAME` and `ENV: {name: NAME, from: controller, when: CONDITION}`.
pub(super) fn read(field: &FieldNode<'_>, problems: &mut Problems) -> ReadSecrets {
    let mut conditions = BTreeMap::new();
    let mut more = |variable: &EnvName, fields: &mut Fields<'_>, problems: &mut Problems| {
        let when = fields.get("when").and_then(|field| condition::read(&field, problems));
        conditions.extend(when.map(|when| (variable.clone(), when)));
    };
    let secrets = read_uses_with(field, &mut more, problems);
    (secrets, Box::new(SecretConditions(conditions)))
}

impl ContainerTemplate {
    /// Returns the secrets that a tenant with these settings uses.
    pub fn secrets_with<'c>(
        &'c self,
        values: &'c SettingValues<'_>,
    ) -> impl Iterator<Item = (&'c EnvName, &'c SecretUse)> {
        let holds = |when: &Condition| when.holds(values);
        self.secrets
            .iter()
            .filter(move |(variable, _)| self.secret_conditions.0.get(*variable).is_none_or(holds))
    }
}

/// Checks secrets that were read from this field.
pub(super) fn check(
    field: &FieldNode<'_>,
    secrets: &BTreeMap<EnvName, SecretUse>,
    env: &BTreeMap<EnvName, EnvTemplate>,
    places: &mut Places<'_>,
    problems: &mut Problems,
) {
    // What cannot be read has its problem already.
    for (variable, field) in field.entries::<EnvName>(&mut Problems::default()) {
        let Some(wanted) = secrets.get(&variable) else { continue };
        if env.contains_key(&variable) {
            let problem = field.problem("the same variable is in env");
            problems.push(problem.hint("remove it from env or from secrets"));
        }
        let Some(path) = &wanted.file else { continue };
        // For a tenant with a certificate, it is there in the place of the volume.
        if wanted.replaces_volumes() && !places.is_taken(path) {
            continue;
        }
        if let Some(why) = places.take_secret(path, &wanted.name) {
            let problem = field.problem(format!("{path} {why}"));
            problems.push(problem.hint("choose a path of its own in the container"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::document::catalog::{Catalog, CatalogSources};
    use crate::text::problem::Problems;

    /// Reads a catalog whose component has a file, a volume, a folder in memory, a variable and
    /// these secrets.
    fn read(secrets: &str) -> Result<Catalog, Problems> {
        let text = format!(
            "catalog: stack\ncomponents:\n  web:\n    roles: [app]\n    unit: web.service\n    \
             container: web\n    image: docker.io/test/web\n    volumes: [data:/var/lib/web]\n    \
             tmpfs: [/scratch]\n    env: {{COLOUR: blue}}\n    \
             files: [{{template: web.conf, path: /etc/web.conf}}]\n    \
             probe: {{check: tcp, port: \"80\"}}\n    secrets: {{{secrets}}}\n"
        );
        let mut sources = CatalogSources::new("stack");
        sources.put("stack/catalog.yaml", Ok(text));
        for path in sources.missing() {
            sources.put(&path, Ok("listen\n".to_owned()));
        }
        sources.catalog()
    }

    fn refused(secrets: &str) -> String {
        read(secrets).map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
    }

    fn mounted(variable: &str, name: &str, path: &str) -> String {
        format!("{variable}: {{name: {name}, from: controller, file: {path}}}")
    }

    #[test]
    fn a_file_in_the_way_of_a_secret_is_refused() {
        for (path, expected) in [
            ("/etc/web.conf", "is in the way of /etc/web.conf, which is made of web.conf"),
            ("/etc/web.conf/key", "is in the way of /etc/web.conf, which is made of web.conf"),
            ("/etc", "cannot be mounted: /etc/hosts is the engine's own"),
            ("/var/lib/web/key", "is in the way of /var/lib/web, where data is"),
            ("/var/lib", "is in the way of /var/lib/web, where data is"),
            ("/scratch/key", "is in the way of the folder in memory /scratch"),
            ("/proc/key", "cannot be mounted: /proc is the engine's own"),
        ] {
            let refused = refused(&mounted("KEY", "key", path));
            let line = format!("components.web.secrets.KEY: {path} {expected}");
            assert!(refused.contains(&line), "{path}: {refused}");
            assert!(refused.contains("choose a path of its own"), "{path}: {refused}");
        }
        let two = |second: &str, path: &str| {
            let first = mounted("A", "key", "/run/secrets/key");
            refused(&format!("{first}, {}", mounted("B", second, path)))
        };
        for (name, path) in [("other", "/run/secrets/key"), ("key", "/run/secrets/key/more")] {
            let expected = "is in the way of /run/secrets/key, where secret key is";
            assert!(two(name, path).contains(expected), "{path}: {}", two(name, path));
        }
        assert_eq!(two("key", "/run/secrets/key"), "");
        assert_eq!(two("other", "/run/secrets/other"), "");
    }

    #[test]
    fn a_variable_of_a_catalog_is_a_secret_or_has_a_value() {
        let refused = refused("COLOUR: colour");
        assert_eq!(
            refused,
            "line 13: components.web.secrets.COLOUR: the same variable is in env (remove it from env \
             or from secrets)"
        );
    }
}
