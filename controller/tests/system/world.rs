//! One controller with its registry, and the calls that tests make to it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oml_common::time::Timestamp;
use oml_daemon::env::{Clock, Env, Random};
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::{Credentials, Identity, client_config, connect};
use oml_proto::v1;
use oml_proto::v1::RolloutState;
use oml_proto::v1::fleet_client::FleetClient;
use omlcontroller::backup::{read_backup, restore};
use omlcontroller::config::Settings;
use omlcontroller::pki::{Authority, Terms};
use omlcontroller::records::values::{Epoch, PublicEndpoint};
use omlcontroller::records::{Batch, Records, keys};
use omlcontroller::registry::{Reach, RegistryAccess};
use omlcontroller::run::{Running, start};
use omlcontroller::seal::{KEY_FILE, new_key};
use omlcontroller::store::embedded::{self, Options};
use omlcontroller::store::{Embedded, Expect, Memory, Store};
use tonic::transport::Channel;

use crate::registry::Registry;

/// The time limit of every wait.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

const CATALOG: &str = "\
catalog: test
registry: REGISTRY/test
settings: {sip_port: \"5060\"}
components:
  db:
    roles: [data]
    unit: db.service
    container: db-server
    image: db
    ports: [5432/tcp]
    probe: {check: tcp, port: \"5432\"}
    operations:
      reset: {run: on-demand, means: Resets, command: [reset, \"{{ args.user }}\"], args: [user]}
  voice:
    roles: [voice]
    unit: voice.service
    container: voice-server
    image: voice
    after: [db]
    ports: [\"{{ settings.sip_port }}/udp\"]
    probe: {check: sip-options, port: \"{{ settings.sip_port }}\"}
  pbx:
    roles: [voice]
    unit: pbx.service
    container: pbx-server
    image: voice
    ports: [\"{{ settings.sip_port }}/udp\"]
    probe: {check: sip-options, port: \"{{ settings.sip_port }}\"}
  web:
    roles: [app]
    unit: web.service
    container: web-server
    image: web
    after: [voice]
    ports: [8080/tcp]
    probe: {check: http, port: \"8080\"}
    metrics: \"9000\"
    files:
      - {path: /etc/web/acme.conf, challenge: true, text: \"answer {{ acme.thumbprint }}\"}
  exporter:
    kind: unit
    roles: [data, voice, app]
    unit: exporter.service
    ports: [9100/tcp]
    probe: {check: unit-active}
    metrics: \"9100\"
";

/// The specification of the tenant that most tests use.
pub(crate) const SPEC: &str = "\
# The tenant, as its operator wrote it.
tenant: acme
catalog: test
components:
  db: \"1\"
  voice: \"1\"   # the one that changes
  web: \"1\"
  exporter: {}
rollout: {min_healthy_for: 1s}
";

/// A running controller, with its registry.
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) authority: Authority,
    pub(crate) store: Arc<dyn Store>,
    running: Option<Running>,
    _dir: tempfile::TempDir,
}

/// The kind of store that the controller uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    InMemory,
    OnDisk,
}

/// Everything that a controller needs except its store.
struct Prepared {
    settings: Settings,
    registry: Registry,
    authority: Authority,
    dir: tempfile::TempDir,
}

impl Prepared {
    async fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::start().await;
        let settings = settings(dir.path(), &registry);
        std::fs::create_dir(settings.pki_dir()).unwrap();
        let key = new_key(&Random::system()).unwrap();
        std::fs::write(settings.data_dir.join(KEY_FILE), &*key).unwrap();
        let authority =
            Authority::create(&settings.pki_dir(), "test", now(), &Random::system()).unwrap();
        Self { settings, registry, authority, dir }
    }

    async fn begin(self, store: Arc<dyn Store>) -> World {
        let Self { settings, registry, authority, dir } = self;
        let addresses = vec!["oml.example.org".into()];
        let endpoint =
            PublicEndpoint { name: "controller".into(), host: "127.0.0.1".into(), addresses };
        let batch = Batch::default().put(&keys::epoch(), Expect::Absent, &Epoch { epoch: 1 }).put(
            &keys::public_endpoint(),
            Expect::Absent,
            &endpoint,
        );
        Records::new(Arc::clone(&store)).commit(batch).await.unwrap();
        let running = Some(start(&settings, Env::system(), Arc::clone(&store)).await.unwrap());
        World { settings, registry, authority, store, running, _dir: dir }
    }
}

impl World {
    pub(crate) async fn start(kept: StoreKind) -> Self {
        let prepared = Prepared::make().await;
        let store: Arc<dyn Store> = match kept {
            StoreKind::InMemory => Arc::new(Memory::new()),
            StoreKind::OnDisk => {
                let cluster = prepared.authority.fingerprint().to_string();
                embedded::create(&prepared.settings.store_dir(), &cluster).unwrap();
                let opened =
                    Embedded::open(&prepared.settings.store_dir(), Options::default()).await;
                Arc::new(opened.unwrap())
            }
        };
        prepared.begin(store).await
    }

    /// Starts a controller over a store that the test provides.
    pub(crate) async fn over(store: Arc<dyn Store>) -> Self {
        Prepared::make().await.begin(store).await
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Stops the controller and starts it again over the same store and ports.
    pub(crate) async fn restart(&mut self) {
        let running = self.running.take().unwrap();
        self.settings.listen = running.listen;
        self.settings.enrollment_listen = running.enrollment_listen;
        running.stop().await;
        self.running =
            Some(start(&self.settings, Env::system(), Arc::clone(&self.store)).await.unwrap());
    }

    /// Returns a backup of the controller in the format of the backup file.
    pub(crate) async fn backup(&self) -> String {
        let read =
            |file: &str| std::fs::read_to_string(self.settings.pki_dir().join(file)).unwrap();
        let (ca_pem, ca_key) = (read("ca.pem"), read("ca.key"));
        let begin = serde_json::json!({
            "begin": {"format": 1, "at": 0, "ca_pem": ca_pem, "ca_key": ca_key},
        });
        let all = self.store.list("").await.unwrap();
        let end = serde_json::json!({"end": {"records": all.len()}});
        let records = all.iter().map(|(key, found)| {
            let value: serde_json::Value = serde_json::from_slice(&found.value).unwrap();
            serde_json::json!({"record": {"key": key.as_str(), "value": value}})
        });
        let lines = std::iter::once(begin).chain(records).chain([end]);
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Replaces this controller with one that is restored from a backup.
    pub(crate) async fn restore(&mut self, backup: &str) {
        let running = self.running.take().unwrap();
        self.settings.listen = running.listen;
        self.settings.enrollment_listen = running.enrollment_listen;
        running.stop().await;
        let path = self.settings.data_dir.join("backup");
        std::fs::write(&path, backup).unwrap();
        self.settings.data_dir = self.settings.data_dir.join("restored");
        restore(&self.settings, &Env::system(), read_backup(&path).unwrap()).await.unwrap();
        let opened = Embedded::open(&self.settings.store_dir(), Options::default()).await;
        self.store = Arc::new(opened.unwrap());
        self.running =
            Some(start(&self.settings, Env::system(), Arc::clone(&self.store)).await.unwrap());
    }

    pub(crate) fn credentials(&self, identity: &Identity) -> Credentials {
        self.credentials_for(identity, 3_600_000)
    }

    pub(crate) fn credentials_for(&self, identity: &Identity, lifetime_ms: u64) -> Credentials {
        let terms = Terms { now: now(), lifetime_ms, epoch: 1, after: None };
        let own = self.authority.issue_with_key(identity, terms).unwrap();
        Credentials {
            ca_pem: self.authority.pem().to_owned(),
            certificate_pem: own.issued.certificate_pem,
            key_pem: own.key_pem,
        }
    }

    pub(crate) async fn channel(&self, credentials: &Credentials) -> Channel {
        let config = client_config(credentials, &Clock::system()).unwrap();
        connect(&self.running().listen.to_string(), Arc::new(config), &Proxies::default())
            .await
            .unwrap()
    }

    /// Connects as an operator.
    pub(crate) async fn operator(&self) -> FleetClient<Channel> {
        let identity = Identity::Operator("maria".parse().unwrap());
        FleetClient::new(self.channel(&self.credentials(&identity)).await)
    }
}

pub(crate) fn settings(dir: &Path, registry: &Registry) -> Settings {
    let catalog_dir = dir.join("catalog");
    std::fs::create_dir(&catalog_dir).unwrap();
    let address = registry.address.to_string();
    let catalog = CATALOG.replace("REGISTRY", &address);
    std::fs::write(catalog_dir.join("test.yaml"), catalog).unwrap();
    let access = RegistryAccess { plain_http: true, ..RegistryAccess::default() };
    let loopback = "127.0.0.1:0".parse().unwrap();
    Settings {
        listen: loopback,
        enrollment_listen: loopback,
        web_listen: Some(loopback),
        data_dir: dir.to_owned(),
        catalog_dir,
        node_lifetime_ms: 3_600_000,
        log: "info".into(),
        reach: Reach { access: HashMap::from([(address, access)]), ..Reach::default() },
        acme_authorities: Vec::new(),
        credentials_dir: None,
    }
}

pub(crate) fn now() -> Timestamp {
    Env::system().now()
}

/// Watches a tenant's status until `holds`, and returns that status.
pub(crate) async fn until(
    fleet: &mut FleetClient<Channel>,
    tenant: &str,
    holds: impl Fn(&v1::TenantStatus) -> bool,
) -> v1::TenantStatus {
    until_with_time(fleet, tenant, holds).await.1
}

/// Watches a tenant's status until `holds`, and returns that status with its time by the
/// controller's clock.
pub(crate) async fn until_with_time(
    fleet: &mut FleetClient<Channel>,
    tenant: &str,
    holds: impl Fn(&v1::TenantStatus) -> bool,
) -> (Timestamp, v1::TenantStatus) {
    let mut last = None;
    let found = tokio::time::timeout(LIMIT, async {
        let request = v1::StatusRequest { tenant: tenant.to_owned() };
        let mut replies = fleet.watch_status(request).await.unwrap().into_inner();
        while let Some(reply) = replies.message().await.unwrap() {
            let status = reply.tenants.into_iter().next().unwrap();
            last = Some(status.clone());
            if holds(&status) {
                return (Timestamp(reply.now_ms), status);
            }
        }
        panic!("the stream ended");
    })
    .await;
    found.unwrap_or_else(|_elapsed| panic!("the expected status did not occur: {last:#?}"))
}

/// Waits until the rollout of a revision is in this state.
pub(crate) async fn until_rollout(
    fleet: &mut FleetClient<Channel>,
    to: u64,
    state: RolloutState,
) -> v1::TenantStatus {
    until(fleet, "acme", |status| {
        status.rollout.as_ref().is_some_and(|rollout| rollout.to == to && rollout.state() == state)
    })
    .await
}

pub(crate) async fn apply(
    fleet: &mut FleetClient<Channel>,
    spec: &str,
) -> Result<v1::ChangeReply, tonic::Status> {
    let request = v1::ApplyRequest { spec_yaml: spec.to_owned(), options: None };
    fleet.apply(request).await.map(tonic::Response::into_inner)
}

pub(crate) async fn set_version(
    fleet: &mut FleetClient<Channel>,
    component: &str,
    version: &str,
    op_id: &str,
) -> Result<v1::ChangeReply, tonic::Status> {
    let options = v1::ChangeOptions { op_id: op_id.to_owned(), ..Default::default() };
    let versions = BTreeMap::from([(component.to_owned(), version.to_owned())]);
    let request = v1::SetVersionRequest { tenant: "acme".into(), versions, options: Some(options) };
    fleet.set_version(request).await.map(tonic::Response::into_inner)
}
