//! The components of every host on which people act.

/// A component of the tenant, by its index in [`COMPONENTS`].
pub(crate) type ComponentIndex = usize;

/// A component on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) name: &'static str,
    /// The name of its container; none if it is the unit of a package.
    pub(crate) container: Option<&'static str>,
    pub(crate) unit: &'static str,
    pub(crate) port: u16,
    /// What curl shows of its answer, and the answer if all is well.
    pub(crate) shown: &'static str,
    pub(crate) answer: &'static str,
}

/// The components of every host, those in containers first.
pub(crate) const COMPONENTS: [Component; 3] = [
    in_container("first", "oml-first", "oml-first.service", 8081),
    in_container("second", "oml-second", "oml-second.service", 8082),
    Component {
        name: "exporter",
        container: None,
        unit: "prometheus-node-exporter.service",
        port: 9100,
        shown: "-o /dev/null -w %{http_code}",
        answer: "200",
    },
];
/// The number of components in containers.
pub(crate) const CONTAINERS_COUNT: usize = 2;

const fn in_container(
    name: &'static str,
    container: &'static str,
    unit: &'static str,
    port: u16,
) -> Component {
    Component { name, container: Some(container), unit, port, shown: "", answer: "v1" }
}
