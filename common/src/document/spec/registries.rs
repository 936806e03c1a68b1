//! Reads the logins of a tenant to the registries of its images.

use std::collections::BTreeMap;

use crate::document::tls_secret::TlsSecret;
use crate::id::{REGISTRY_RULE, SecretName, can_be_named, registry_of_address};
use crate::text::printable::{is_hidden, printable};
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields};

/// The largest number of registries to which a tenant has a login.
pub const REGISTRIES_MAX: usize = 16;
/// The length of the longest user name, in bytes.
const USER_BYTES_MAX: usize = 255;

/// The login of a tenant to one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryUse {
    /// The address as the tenant wrote it.
    pub address: String,
    pub user: String,
    /// The secret of the controller that is the password.
    pub password: SecretName,
}

/// Reads `ADDRESS: {username: …, password: SECRET}`, by the key of each registry
/// ([`crate::id::registry_key`]).
pub(super) fn read(
    field: &FieldNode<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, RegistryUse> {
    let entries = field.entries::<String>(problems);
    if entries.len() > REGISTRIES_MAX {
        let message = format!("a tenant has logins to {REGISTRIES_MAX} registries at most");
        problems.push(field.problem(message));
        return BTreeMap::new();
    }
    let mut registries: BTreeMap<String, RegistryUse> = BTreeMap::new();
    for (address, field) in entries {
        let used = read_one(&address, &field, problems);
        let Some(key) = registry_of_address(&address).filter(|key| can_be_named(key)) else {
            let message = format!("{:?} is not {REGISTRY_RULE}", printable(&address));
            problems.push(field.problem(message).hint("write it as in the names of images"));
            continue;
        };
        if let Some(other) = registries.get(&key) {
            let message = format!("it is the same registry as {}", other.address);
            problems.push(field.problem(message).hint("remove one of them"));
        } else if let Some(used) = used {
            registries.insert(key, used);
        }
    }
    registries
}

fn read_one(address: &str, field: &FieldNode<'_>, problems: &mut Problems) -> Option<RegistryUse> {
    let mut fields = Fields::open(field, problems)?;
    let user = fields.need("username", problems).and_then(|p| read_user(&p, problems));
    let password_field = fields.need("password", problems);
    let password: Option<SecretName> = password_field.as_ref().and_then(|p| p.parse(problems));
    fields.finish(problems);
    if let Some(field) = password_field.filter(|_| password.as_ref().is_some_and(is_reserved)) {
        let message = "is a part of the tenant's certificate, and no password";
        problems.push(field.problem(message).hint("name another secret"));
    }
    Some(RegistryUse { address: address.to_owned(), user: user?, password: password? })
}

fn is_reserved(name: &SecretName) -> bool {
    TlsSecret::of(name).is_some()
}

/// Reads a user name. A colon would end it on its way to the registry (RFC 7617 §2).
fn read_user(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let user = field.text(problems)?;
    let is_refused = |c: char| is_hidden(c) || c == ':';
    if user.is_empty() || user.len() > USER_BYTES_MAX || user.chars().any(is_refused) {
        let message = format!("must be a user name of at most {USER_BYTES_MAX} bytes, without :");
        problems.push(field.problem(message));
        return None;
    }
    Some(user.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::document::spec::TenantSpec;

    fn read(registries: &str) -> Result<TenantSpec, String> {
        let text = format!(
            "tenant: acme\ncatalog: test\nregistries: {registries}\ncomponents: {{web: \"1\"}}\n"
        );
        TenantSpec::parse(&text).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_registry_is_known_by_every_way_to_write_its_address() {
        for address in ["docker.io", "index.docker.io", "https://index.docker.io/v1/"] {
            let spec = read(&format!("{{\"{address}\": {{username: puller, password: hub}}}}"));
            let spec = spec.unwrap();
            let login = &spec.registries["docker.io"];
            assert_eq!((login.user.as_str(), login.password.as_str()), ("puller", "hub"));
            assert_eq!(login.address, address);
            assert!(spec.says_the_same_as(&spec.clone()));
            assert!(!spec.says_the_same_as(&read("{}").unwrap()));
        }
    }

    #[test]
    fn a_login_that_cannot_be_meant_is_refused_with_its_place() {
        let login = "{username: puller, password: hub}";
        for (registries, expected) in [
            (format!("{{registry: {login}}}"), "is not the address of a registry"),
            (
                format!("{{docker.io: {login}, index.docker.io: {login}}}"),
                "it is the same registry as docker.io (remove one of them)",
            ),
            ("{docker.io: {username: x}}".to_owned(), "registries.docker.io.password: is missing"),
            ("{docker.io: {password: x}}".to_owned(), "registries.docker.io.username: is missing"),
            (
                "{docker.io: {username: \"a:b\", password: x}}".to_owned(),
                "username: must be a user name of at most 255 bytes, without :",
            ),
            ("{docker.io: {username: x, password: Not-One}}".to_owned(), ".password: "),
            (
                "{docker.io: {username: x, password: tls_key}}".to_owned(),
                "password: is a part of the tenant's certificate, and no password",
            ),
            (
                "{docker.io: {username: x, password: y, password_file: z}}".to_owned(),
                "password_file: unknown key",
            ),
        ] {
            let refused = read(&registries).unwrap_err();
            assert!(refused.contains(expected), "{registries}: {refused}");
            assert!(refused.starts_with("line 3: registries."), "{registries}: {refused}");
        }
        let many: Vec<String> = (0..17).map(|it| format!("r{it}.example: {login}")).collect();
        let refused = read(&format!("{{{}}}", many.join(", "))).unwrap_err();
        assert!(refused.contains("a tenant has logins to 16 registries at most"), "{refused}");
    }
}
