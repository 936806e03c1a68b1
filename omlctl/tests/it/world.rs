//! The environment of a test: a scripted controller, the operator's context, and runs of omlctl.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use oml_daemon::tls::Credentials;
use oml_proto::v1::*;
use tokio::runtime::Runtime;

use crate::fake::{self, Answer, Script, Then};
use crate::pki::Authority;

pub(crate) struct World {
    /// Dropping the runtime stops the controller.
    _runtime: Runtime,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) authority: Authority,
    pub(crate) address: SocketAddr,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// Starts a controller with this script and imports the operator's context.
    pub(crate) fn new(script: Script) -> Self {
        let world = Self::without_context(script);
        let bundle = world.bundle("main", &world.authority.operator());
        let ran = world.run(&["context", "import", &bundle]);
        assert_eq!(ran.code, 0, "{ran:?}");
        world
    }

    pub(crate) fn without_context(script: Script) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let authority = Authority::new();
        let script = Arc::new(Mutex::new(script));
        let address = runtime.block_on(fake::serve(&authority, Arc::clone(&script)));
        Self { _runtime: runtime, folder: tempfile::tempdir().unwrap(), script, authority, address }
    }

    /// Writes a bundle as `omlcontroller init` does, and returns its path.
    pub(crate) fn bundle(&self, name: &str, credentials: &Credentials) -> String {
        let Credentials { ca_pem, certificate_pem, key_pem } = credentials;
        let text = format!(
            "name = \"{name}\"\nendpoint = \"{}\"\nca_pem = '''\n{ca_pem}'''\n\
             certificate_pem = '''\n{certificate_pem}'''\nkey_pem = '''\n{key_pem}'''\n",
            self.address
        );
        self.write(&format!("{name}.bundle"), &text)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let mut child = self.start(arguments);
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// Returns the path of the file that lists the contexts.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("ctl/config.toml")
    }

    /// Runs the program with a home directory and this `OMLCTL_CONFIG`.
    pub(crate) fn run_at_home(&self, config: &str, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command.env("HOME", self.folder.path()).env("OMLCTL_CONFIG", config);
        command.output().unwrap().into()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).env("OMLCTL_CONFIG", self.config()).spawn().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omlctl"));
        command
            .args(arguments)
            .env("TZ", "UTC")
            .env_remove("COLUMNS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Returns the options of every change that was requested.
    pub(crate) fn asked(&self) -> Vec<ChangeOptions> {
        self.script.lock().unwrap().asked.clone()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Formats the exit code and both streams for a snapshot.
    pub(crate) fn shown(&self) -> String {
        format!("{}\n--- stderr, exit code {}\n{}", self.stdout, self.code, self.stderr)
    }
}

/// 2024-05-01 14:00:00 UTC.
pub(crate) const T0_MS: u64 = 1_714_572_000_000;

/// The answer to a change of asterisk on voice-1, which makes revision 8.
pub(crate) fn upgrade() -> ChangeReply {
    ChangeReply {
        revision: 8,
        certificate: None,
        changed: true,
        text_changed: false,
        new_tenant: false,
        settings: Vec::new(),
        secret_version: 0,
        warnings: Vec::new(),
        release: String::new(),
        notes: Vec::new(),
        one_way: false,
        ordered_from: String::new(),
        tenant: "acme".into(),
        changes: vec![Change {
            kind: ChangeKind::Replace.into(),
            node: "voice-1".into(),
            component: "asterisk".into(),
            from: "230204.01".into(),
            to: "230215.01".into(),
            note: String::new(),
        }],
    }
}

/// An instance with this version and phase.
pub(crate) fn instance(version: &str, phase: PhaseName) -> InstanceReport {
    InstanceReport {
        phase: Some(Phase { name: phase.into(), ..Phase::default() }),
        version: version.into(),
        health: if phase == PhaseName::Ready { Health::Healthy } else { Health::Starting }.into(),
        calls_cut: Some(0),
        ..InstanceReport::default()
    }
}

/// The status of the tenant `seconds` after the start, with its rollout and asterisk on voice-1.
pub(crate) fn status(seconds: u64, rollout: Rollout, asterisk: InstanceReport) -> StatusReply {
    let now_ms = T0_MS + seconds * 1000;
    let node = |name: &str, role: &str, component: &str, instance| NodeStatus {
        node: name.into(),
        roles: vec![role.into()],
        address: "10.0.0.1".into(),
        state: NodeState::Connected.into(),
        last_seen_ms: now_ms,
        agent_version: "1.0.0".into(),
        target: rollout.to,
        report: Some(Report {
            revision: rollout.to,
            at_ms: now_ms,
            instances: [(component.to_owned(), instance)].into(),
            ..Report::default()
        }),
        ..NodeStatus::default()
    };
    let nodes = vec![
        node("app-1", "app", "nginx", instance("1.25", PhaseName::Ready)),
        node("voice-1", "voice", "asterisk", asterisk),
    ];
    let tenant = TenantStatus {
        tenant: "acme".into(),
        revision: rollout.to,
        rollout: Some(rollout),
        nodes,
        ..TenantStatus::default()
    };
    StatusReply { now_ms, tenants: vec![tenant], ..StatusReply::default() }
}

/// A rollout from revision 7 to 8 in this state.
pub(crate) fn rollout(state: RolloutState, reason: &str) -> Rollout {
    Rollout {
        from: 7,
        to: 8,
        state: state.into(),
        wave: 0,
        waves: 2,
        since_ms: T0_MS,
        reason: reason.into(),
        failures: Vec::new(),
    }
}

/// A script that accepts the change of asterisk and then sends these statuses.
pub(crate) fn upgrade_then(statuses: Vec<StatusReply>) -> Script {
    Script {
        changes: [Answer::Reply(upgrade())].into(),
        watches: [(statuses, Then::StaysOpen)].into(),
        ..Script::default()
    }
}

/// The same script with a verdict in the last status.
pub(crate) fn upgrade_until(
    statuses: Vec<StatusReply>,
    outcome: ChangeOutcome,
    sentence: &str,
) -> Script {
    Script { verdict: Some(verdict(outcome, sentence)), ..upgrade_then(statuses) }
}

pub(crate) fn verdict(outcome: ChangeOutcome, sentence: &str) -> Verdict {
    Verdict { outcome: outcome.into(), sentence: sentence.into(), ..Verdict::default() }
}

/// The command line of that change.
pub(crate) const UPGRADE: [&str; 3] = ["set-version", "tenant=acme", "asterisk=230215.01"];
