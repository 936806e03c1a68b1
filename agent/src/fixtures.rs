//! The component that the unit tests share, so that each says only what matters to it. The core's tests
//! have their own: sharing one across crates would make test code public.

use oml_common::document::Verbatim;
use oml_common::document::instance::{
    Check, Container, Instance, InstanceDocument, PidsLimit, Probe, Timing, Workload,
};
use oml_common::id::{ContentHash, Digest};

mod model;

pub(crate) use model::ModelHost;

/// Returns the digest of the image of a version; each version has another.
pub(crate) fn digest(version: &str) -> Digest {
    format!("sha256:{}", ContentHash::of(version.as_bytes())).parse().unwrap()
}

/// Returns an instance of the tenant `acme` that runs in a container.
pub(crate) fn instance(component: &str, version: &str) -> Instance {
    Instance {
        tenant: "acme".parse().unwrap(),
        component: component.parse().unwrap(),
        unit: format!("{component}.service").parse().unwrap(),
        workload: Verbatim::seal(Workload::Container(container(component, version))),
        after: Vec::new(),
        ports: Vec::new(),
        ranges: Vec::new(),
        probe: Probe {
            check: Check::Tcp { port: 5060 },
            address: None,
            interval_ms: 10_000,
            timeout_ms: 2_000,
            failures_max: 3,
        },
        active: None,
        timing: Timing { start_timeout_ms: 30_000, stop_grace_ms: 10_000 },
        pull_from: None,
        pull_login: None,
        restart_unhealthy: Default::default(),
        checks: Vec::new(),
        preparations: Vec::new(),
        migrations: Vec::new(),
        reload: None,
        metrics: None,
    }
}

/// Returns the document of [`instance`].
pub(crate) fn document(component: &str, version: &str) -> InstanceDocument {
    Verbatim::seal(instance(component, version))
}

/// Returns the container of [`instance`].
pub(crate) fn container(component: &str, version: &str) -> Container {
    Container {
        name: format!("oml-{component}").parse().unwrap(),
        version: version.parse().unwrap(),
        repository: format!("registry:5000/stack/{component}").parse().unwrap(),
        digest: digest(version),
        env: [].into(),
        secrets: [].into(),
        kept_secrets: [].into(),
        volumes: Vec::new(),
        command: Vec::new(),
        memory_bytes_max: None,
        pids_limit: PidsLimit::default(),
        may_gain_privileges: false,
        options: Default::default(),
    }
}
