//! The contract of `ContainerEngine` about the options of containers: an engine does what a document says,
//! and shows it again.

use oml_common::document::Verbatim;
use oml_common::document::instance::{
    Container, ContainerOptions, Instance, InstanceDocument, LogLimits, Network, PortRange,
    Protocol, Published, Tmpfs, Ulimit, Workload,
};

use super::{ContractHost, in_container};
use crate::documents;
use crate::files;
use crate::paths::Slot;
use crate::runtime::RuntimeError;

pub(super) async fn all(host: &ContractHost) {
    in_order!(
        host,
        a_container_has_every_option_of_its_document_and_no_difference_is_reported,
        a_kernel_setting_of_one_interface_is_set_and_no_difference_is_reported,
        a_published_port_that_another_container_has_is_refused_and_may_come_free,
        a_right_that_the_host_does_not_allow_is_refused_before_anything_is_made,
        what_runs_is_not_stopped_for_a_container_that_the_host_does_not_allow,
    );
}

fn with_options(instance: &InstanceDocument, options: ContainerOptions) -> InstanceDocument {
    let options = Box::new(options);
    let container = Container { options, ..instance.container().unwrap().clone() };
    let workload = Verbatim::seal(Workload::Container(container));
    Verbatim::seal(Instance { workload, ..(**instance).clone() })
}

/// A network of its own, to whose port 8318 this port of the host leads, beside a range.
fn bridge(port: u16) -> Network {
    let range = |first, last| PortRange { first, last, protocol: Protocol::Tcp };
    let published = [(port, port, 8318), (8330, 8332, 9330)];
    let published = published.map(|(first, last, container)| Published {
        host: range(first, last),
        container,
        address: None,
    });
    Network::Bridge { published: published.into() }
}

async fn a_container_has_every_option_of_its_document_and_no_difference_is_reported(
    host: &ContractHost,
) {
    let plain = host.instance("contract-options", "v1", &host.images.first, 8318);
    let options = ContainerOptions {
        network: bridge(8318),
        user: Some("0:0".to_owned()),
        cap_add: ["NET_BIND_SERVICE".parse().unwrap()].into(),
        cap_drop: ["ALL".parse().unwrap()].into(),
        ulimits: [("nofile".to_owned(), Ulimit { soft: 512, hard: 1_024 })].into(),
        shm_bytes: Some(32 << 20),
        tmpfs: vec![Tmpfs { path: "/scratch".to_owned(), bytes_max: Some(16 << 20) }],
        sysctls: [("net.ipv4.tcp_syncookies".to_owned(), "0".to_owned())].into(),
        stop_signal: Some("SIGINT".to_owned()),
        extra_hosts: [("db.example".to_owned(), "10.1.2.3".to_owned())].into(),
        log: LogLimits { file_bytes_max: Some(20 << 20), files_max: Some(2) },
        ..ContainerOptions::default()
    };
    let instance = with_options(&plain, options);
    host.install(&instance).await;
    let (listing, _) = host.listing(&instance).await;
    assert_eq!(listing.differs, [], "what was asked for is shown");
    host.clear(&instance).await;
}

async fn a_kernel_setting_of_one_interface_is_set_and_no_difference_is_reported(
    host: &ContractHost,
) {
    let plain = host.instance("contract-interface", "v1", &host.images.first, 8318);
    let sysctls = [("net.ipv4.conf.eth0.log_martians".to_owned(), "1".to_owned())].into();
    let options =
        ContainerOptions { network: bridge(8318), sysctls, ..ContainerOptions::default() };
    let instance = with_options(&plain, options);
    let path = host.paths.policy();
    files::write_durably(&path, b"sysctls = [\"net.ipv4.conf.eth0.*\"]\n", 0o644).unwrap();
    host.install(&instance).await;
    files::remove_durably(&path).unwrap();
    let (listing, _) = host.listing(&instance).await;
    assert_eq!(listing.differs, [], "what was asked for is shown");
    host.clear(&instance).await;
}

async fn a_published_port_that_another_container_has_is_refused_and_may_come_free(
    host: &ContractHost,
) {
    let options = || ContainerOptions { network: bridge(8318), ..ContainerOptions::default() };
    let first = host.instance("contract-published", "v1", &host.images.first, 8318);
    let first = with_options(&first, options());
    let second = host.instance("contract-refused", "v1", &host.images.first, 8318);
    let second = with_options(&second, options());
    host.install(&first).await;
    host.pull(&second).await.unwrap();
    let id = host.docker.restore(in_container(&second)).await.unwrap();
    let error = host.docker.calls().start(&id).await.unwrap_err();
    let is_named = error.to_string().contains("port is already allocated");
    assert!(is_named && error.is_transient(), "{error}");
    assert!(matches!(error, RuntimeError::Refused { verb: "start", .. }), "{error}");
    host.clear(&first).await;
    host.clear(&second).await;
}

async fn a_right_that_the_host_does_not_allow_is_refused_before_anything_is_made(
    host: &ContractHost,
) {
    let plain = host.instance("contract-rights", "v1", &host.images.first, 8319);
    let options = ContainerOptions { privileged: true, ..ContainerOptions::default() };
    let instance = with_options(&plain, options);
    host.pull(&instance).await.unwrap();
    let error = host.docker.create(in_container(&instance)).await.unwrap_err();
    assert!(error.to_string().contains("does not allow it: privileged"), "{error}");
    assert!(error.is_transient() && host.container(&instance).await.is_none(), "{error}");
    let path = host.paths.policy();
    files::write_durably(&path, b"privileged = true\n", 0o644).unwrap();
    let created = host.docker.create(in_container(&instance)).await;
    files::remove_durably(&path).unwrap();
    created.unwrap();
    assert!(host.container(&instance).await.is_some());
    host.clear(&instance).await;
}

async fn what_runs_is_not_stopped_for_a_container_that_the_host_does_not_allow(
    host: &ContractHost,
) {
    let running = host.instance("contract-kept", "v1", &host.images.first, 8337);
    let next = host.instance("contract-kept", "v2", &host.images.second, 8337);
    let privileged = ContainerOptions { privileged: true, ..ContainerOptions::default() };
    let next = with_options(&next, privileged);
    host.install(&running).await;
    let since = host.started(&running).await;
    host.pull(&next).await.unwrap();
    documents::write(&host.paths, &next, Slot::Current).unwrap();
    host.manual.kill_supervisor(&running);
    host.until("its next supervisor says what it may not create", async || {
        let status = documents::read_status(&host.paths, &next.component).unwrap();
        let refused = status.filter(|status| status.hash == next.workload_hash());
        refused.and_then(|status| status.not_started).is_some()
    })
    .await;
    assert!(format!("{:?}", host.status(&next)).contains("does not allow it: privileged"));
    assert_eq!(host.started_if_running(&running).await, Some(since));
    assert!(host.container(&next).await.is_none());
    host.clear(&running).await;
}
