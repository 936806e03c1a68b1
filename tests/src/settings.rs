//! The specifications and settings that an operator of the lab's fleet would write.

use oml_lab::Registry;

/// Returns the first specification of tenant acme, which the demonstration and the tests use.
#[must_use]
pub fn acme(registry: &str) -> String {
    format!(
        "\
# A contact centre on three hosts.
tenant: acme
catalog: omnileads
registry: {registry}/omnileads
settings:
  TZ: Europe/Berlin
components:
  postgres: \"230204.01\"
  redis: \"230204.01\"
  rtpengine: \"230328.01\"
  asterisk: \"230204.01\"
  kamailio: \"230204.01\"
  websockets: \"230204.01\"
  omnileads: \"1.26.0\"
  daphne: \"1.26.0\"
  nginx: \"230215.01\"
  node-exporter: {{}}
rollout:
  min_healthy_for: 5s
  drain_deadline: 20s
"
    )
}

/// Returns the first specification of tenant tiny, which has two small components.
#[must_use]
pub fn tiny(registry: &str) -> String {
    format!(
        "\
tenant: tiny
catalog: small
registry: {registry}/omnileads
components:
  first: v1
  second: v1
rollout:
  min_healthy_for: 2s
"
    )
}

/// Returns the same with the unit of a package as a third component.
#[must_use]
pub fn tiny_with_packaged(registry: &str) -> String {
    tiny(registry).replace("rollout:", "  exporter: {}\nrollout:")
}

/// Returns the agent's settings: metrics are served on every address, and the registry needs a login.
#[must_use]
pub fn agent(registry: &Registry, password_file: &str) -> String {
    let logins = agent_registries(registry, password_file);
    format!("metrics_listen = \"0.0.0.0:9270\"\n{logins}")
}

/// Returns the part of the agent's settings with the registry's login.
#[must_use]
fn agent_registries(registry: &Registry, password_file: &str) -> String {
    let entry = |name: &str| {
        format!(
            "[registries.\"{name}\"]\nusername = \"{}\"\npassword_file = \"{password_file}\"\n",
            registry.user()
        )
    };
    format!("{}\n{}", entry(&registry.name()), entry(&registry.faulty_name()))
}

/// Returns the part of the controller's settings with the registry's login. The controller connects to the registry
/// itself and not through Docker, so its settings must also say that the registry has no TLS.
#[must_use]
pub fn controller_registries(registry: &Registry, password_file: &str) -> String {
    let plain = |line: &str| {
        let is_entry = line.starts_with("password_file");
        if is_entry { format!("{line}\ninsecure = true\n") } else { format!("{line}\n") }
    };
    agent_registries(registry, password_file).lines().map(plain).collect()
}
