//! The contract of `UnitManager` about what the model has not: a bus that is restarted, and a systemd that
//! executes itself again.

use std::time::Duration;

use oml_common::document::instance::InstanceDocument;

use super::ContractHost;
use super::manual_actions::run;

pub(super) async fn of_real_daemons(host: &ContractHost) {
    in_order!(
        host,
        a_restarted_bus_is_found_again,
        a_systemd_that_executes_itself_again_is_followed,
    );
}

async fn a_restarted_bus_is_found_again(host: &ContractHost) {
    let instance = host.instance("contract-bus", "v1", &host.images.first, 8326);
    is_followed_over(host, &instance, &["restart", "dbus.service"]).await;
}

async fn a_systemd_that_executes_itself_again_is_followed(host: &ContractHost) {
    let instance = host.instance("contract-again", "v1", &host.images.first, 8345);
    is_followed_over(host, &instance, &["daemon-reexec"]).await;
}

/// Checks that `systemctl` with these words stops nothing, and that systemd is used and heard again.
async fn is_followed_over(host: &ContractHost, instance: &InstanceDocument, words: &[&str]) {
    host.install(instance).await;
    let since = host.started(instance).await;
    run("systemctl", words);
    let desired = std::slice::from_ref(instance);
    host.until("systemd answers", async || {
        let listing = host.systemd.list(desired).await;
        listing.is_ok_and(|listing| listing.foreign.is_empty())
    })
    .await;
    assert_eq!(host.started(instance).await, since);
    // Signals too.
    let mut changes = host.systemd.changes();
    host.until("signals flow", async || {
        changes.mark_unchanged();
        run("systemctl", &["reload", instance.unit.as_str()]);
        let waiting = tokio::time::timeout(Duration::from_secs(1), changes.changed()).await;
        waiting.is_ok()
    })
    .await;
    host.systemd.start(instance).await.unwrap();
    host.clear(instance).await;
}
