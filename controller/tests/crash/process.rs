//! The controller as a separate process, with the calls that tests make to it.
#![expect(clippy::disallowed_methods, reason = "a real process, by real time")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oml_daemon::env::Clock;
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::{Credentials, JoinToken, client_config, connect, enrollment_config};
use oml_lab::own_address;
use oml_proto::v1;
use oml_proto::v1::enrollment_client::EnrollmentClient;
use oml_proto::v1::fleet_client::FleetClient;
use rcgen::{CertificateParams, KeyPair};
use tonic::Status;
use tonic::transport::Channel;

use crate::registry::Registry;

const PROGRAM: &str = env!("CARGO_BIN_EXE_omlcontroller");
/// The time limit for a start or a response.
const LIMIT: Duration = Duration::from_secs(30);

const CATALOG: &str = "\
catalog: test
registry: REGISTRY/test
components:
  voice:
    roles: [voice]
    unit: voice.service
    container: voice-server
    image: voice
    probe: {check: tcp, port: \"5060\"}
";
const SPEC: &str = "tenant: acme\ncatalog: test\ncomponents: {voice: v0}\n";

/// A controller's process, with its files and its registry.
pub(crate) struct Controller {
    dir: tempfile::TempDir,
    registry: Registry,
    /// Where operators reach it.
    pub(crate) address: SocketAddr,
    enrollment: SocketAddr,
    credentials: Option<Credentials>,
    child: Option<Child>,
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Controller {
    /// Makes and starts a controller with one node and revision 1.
    pub(crate) async fn installed(environment: &[(&str, &str)]) -> Self {
        Self::installed_in(tempfile::tempdir().unwrap(), environment).await
    }

    pub(crate) async fn installed_in(dir: tempfile::TempDir, environment: &[(&str, &str)]) -> Self {
        let registry = Registry::start().await;
        let (address, enrollment) = (own_address(), own_address());
        let mut controller =
            Self { dir, registry, address, enrollment, credentials: None, child: None };
        controller.write_settings();
        let bundle = controller.path("operator.toml");
        let made = controller.run_to_end(&[
            "init",
            "--name",
            "localhost",
            "--operator",
            "maria",
            "--out",
            bundle.to_str().unwrap(),
        ]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        controller.use_bundle(&bundle);
        controller.start(environment).await;
        let token = controller.token("voice1").await;
        controller.join(&token, "voice1").await.unwrap();
        let request = v1::ApplyRequest { spec_yaml: SPEC.to_owned(), options: None };
        controller.operator().await.apply(request).await.unwrap();
        controller.wait_for_target(1).await;
        controller
    }

    /// Uses the credentials of this bundle for all further calls.
    pub(crate) fn use_bundle(&mut self, bundle: &Path) {
        let bundle: toml::Table = fs::read_to_string(bundle).unwrap().parse().unwrap();
        let text = |key: &str| bundle[key].as_str().unwrap().to_owned();
        self.credentials = Some(Credentials {
            ca_pem: text("ca_pem"),
            certificate_pem: text("certificate_pem"),
            key_pem: text("key_pem"),
        });
    }

    /// Waits until the node's target is the revision.
    async fn wait_for_target(&self, revision: u64) {
        let request = v1::StatusRequest { tenant: "acme".into() };
        let mut replies = self.operator().await.watch_status(request).await.unwrap().into_inner();
        let named = async {
            while let Some(reply) = replies.message().await.unwrap() {
                if reply.tenants[0].nodes[0].assigned.is_some()
                    && reply.tenants[0].nodes[0].target == revision
                {
                    return;
                }
            }
        };
        tokio::time::timeout(LIMIT, named).await.unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write_settings(&self) {
        let catalog = self.path("catalog");
        fs::create_dir(&catalog).unwrap();
        let address = self.registry.address.to_string();
        fs::write(catalog.join("test.yaml"), CATALOG.replace("REGISTRY", &address)).unwrap();
        let text = format!(
            "listen = \"{}\"\nenrollment_listen = \"{}\"\nweb_listen = \"off\"\nlog = \"warn\"\n\
             data_dir = {:?}\ncatalog_dir = {catalog:?}\n[registries.{address:?}]\ninsecure = true\n",
            self.address,
            self.enrollment,
            self.path("data"),
        );
        fs::write(self.path("controller.toml"), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.completed(Command::new(PROGRAM), arguments)
    }

    fn completed(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.arg("--config").arg(self.dir.path()).args(arguments);
        command.env("OML_FAILPOINT_MARKERS", self.path("markers"));
        command
    }

    pub(crate) fn run_to_end(&self, arguments: &[&str]) -> Output {
        // A time limit ends a process that unexpectedly keeps running.
        let mut bounded = Command::new("timeout");
        bounded.arg(LIMIT.as_secs().to_string()).arg(PROGRAM);
        self.completed(bounded, arguments).output().unwrap()
    }

    /// Starts the process, and waits until it accepts connections.
    pub(crate) async fn start(&mut self, environment: &[(&str, &str)]) {
        let mut command = self.command(&["run"]);
        let stderr = self.path("stderr");
        command.stderr(File::create(&stderr).unwrap()).envs(environment.iter().copied());
        let child = self.child.insert(command.spawn().unwrap());
        until("it does not start", async || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("it ended with {status}: {}", fs::read_to_string(&stderr).unwrap());
            }
            tokio::net::TcpStream::connect(self.address).await.is_ok()
        })
        .await;
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Waits until the process has ended by itself.
    #[cfg(feature = "failpoints")]
    pub(crate) async fn wait_for_exit(&mut self) {
        let mut child = self.child.take().unwrap();
        until("it lives", async || child.try_wait().unwrap().is_some()).await;
    }

    pub(crate) async fn operator(&self) -> FleetClient<Channel> {
        self.try_operator().await.unwrap()
    }

    async fn try_operator(&self) -> Result<FleetClient<Channel>, Status> {
        let config = client_config(self.credentials.as_ref().unwrap(), &Clock::system()).unwrap();
        let channel =
            connect(&self.address.to_string(), Arc::new(config), &Proxies::default()).await;
        channel.map(FleetClient::new).map_err(|error| Status::unavailable(error.to_string()))
    }

    /// Requests change `number` once.
    pub(crate) async fn change(&self, number: u64) -> Result<v1::ChangeReply, Status> {
        let options = v1::ChangeOptions { op_id: format!("change-{number}"), ..Default::default() };
        let request = v1::SetVersionRequest {
            tenant: "acme".into(),
            versions: BTreeMap::from([("voice".to_owned(), format!("v{number}"))]),
            options: Some(options),
        };
        let reply = self.try_operator().await?.set_version(request).await?;
        Ok(reply.into_inner())
    }

    /// Requests a change until there is a reply, with an optional kill in between.
    /// Returns the revision, and whether the kill came before the first reply.
    pub(crate) async fn change_until_acknowledged(
        &mut self,
        number: u64,
        kill_after: Option<Duration>,
    ) -> (u64, bool) {
        let mut acknowledged = None;
        if let Some(moment) = kill_after {
            // Depending on the moment, the kill hits the change before it arrives,
            // while it is made, or after it was acknowledged.
            let asked = tokio::time::timeout(moment, self.change(number)).await;
            acknowledged = asked.ok().and_then(Result::ok).map(|reply| reply.revision);
            self.kill();
            self.start(&[]).await;
            // Checked before the change is requested again, which would make a lost
            // change a second time.
            let expected = number + u64::from(acknowledged.is_some());
            self.check_acknowledged(expected).await;
        }
        let revision = self.change(number).await.unwrap().revision;
        assert!(acknowledged.is_none_or(|before| before == revision));
        (revision, kill_after.is_some() && acknowledged.is_none())
    }

    /// Checks that every acknowledged revision exists with the requested change.
    async fn check_acknowledged(&self, acknowledged: u64) {
        let history = self.history().await;
        assert!(history.len() as u64 >= acknowledged, "lost: {} revisions", history.len());
        for (revision, number) in history.iter().skip(1).zip(1..acknowledged) {
            assert_eq!(revision.number, number + 1);
            assert_eq!(revision.changes[0].to, format!("v{number}"));
        }
    }

    pub(crate) async fn history(&self) -> Vec<v1::Revision> {
        let request = v1::ListRevisionsRequest { tenant: "acme".into() };
        self.operator().await.list_revisions(request).await.unwrap().into_inner().revisions
    }

    #[cfg(feature = "failpoints")]
    pub(crate) async fn status(&self) -> v1::TenantStatus {
        let request = v1::StatusRequest { tenant: "acme".into() };
        let reply = self.operator().await.get_status(request).await.unwrap();
        reply.into_inner().tenants.remove(0)
    }

    pub(crate) async fn token(&self, node: &str) -> String {
        let request = v1::CreateTokenRequest {
            tenant: "acme".into(),
            roles: vec!["voice".into()],
            node: node.into(),
            valid_ms: 0,
            dry_run: false,
        };
        self.operator().await.create_token(request).await.unwrap().into_inner().token
    }

    pub(crate) async fn join(&self, token: &str, node: &str) -> Result<v1::Certificate, Status> {
        let parsed: JoinToken = token.parse().unwrap();
        let config = Arc::new(enrollment_config(parsed.ca(), &Clock::system()));
        let channel =
            connect(&self.enrollment.to_string(), config, &Proxies::default()).await.unwrap();
        let key = KeyPair::generate().unwrap();
        let csr = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
        let (token, node, address) = (token.into(), node.into(), "10.0.0.9".into());
        let request = v1::EnrollRequest { token, node, csr, address };
        EnrollmentClient::new(channel).enroll(request).await.map(tonic::Response::into_inner)
    }
}

/// Waits until a condition holds, and panics with the message `otherwise` after
/// [`LIMIT`].
async fn until(otherwise: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < LIMIT, "{otherwise}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
