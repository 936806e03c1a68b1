//! A controller that answers from a script, over real mutual TLS.
#![expect(clippy::disallowed_methods, reason = "the test opens real sockets")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use oml_daemon::tls::{ALPN, certificate, private_key, provider};
use oml_lab::own_address;
use oml_proto::v1::fleet_server::{Fleet, FleetServer};
use oml_proto::v1::*;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use crate::pki::Authority;

/// The answer to a change.
#[expect(clippy::large_enum_variant, reason = "a script has a few answers")]
pub(crate) enum Answer {
    Reply(ChangeReply),
    Refusal(Status),
    /// The connection breaks without an answer.
    Cut,
}

/// The event after the last status of a stream.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    StaysOpen,
    /// The connection breaks, possibly before the last status has arrived.
    Breaks,
    /// The controller closes the stream.
    Ends,
}

/// The answers, in their order, and the requests that were received.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) changes: VecDeque<Answer>,
    pub(crate) watches: VecDeque<(Vec<StatusReply>, Then)>,
    /// The verdict with the last status of the last watch. Without a verdict, the change
    /// stays in progress.
    pub(crate) verdict: Option<Verdict>,
    /// The answer to a watch of a change after the last one; the controller is unavailable
    /// if there is none.
    pub(crate) over: Option<Status>,
    /// The revisions whose changes were watched.
    pub(crate) watched: Vec<u64>,
    pub(crate) status: StatusReply,
    pub(crate) revisions: Vec<Revision>,
    pub(crate) releases: ListReleasesReply,
    pub(crate) asked: Vec<ChangeOptions>,
    pub(crate) tokens: Vec<CreateTokenRequest>,
    /// The secrets that were given.
    pub(crate) secrets: Vec<SetSecretRequest>,
    /// The certificates that were given, and what is said of one.
    pub(crate) certificates: Vec<SetCertificateRequest>,
    pub(crate) tls: GetTlsReply,
    /// The secrets that the tenant has.
    pub(crate) known_secrets: Vec<Secret>,
    /// The name of the secret after which the connection breaks without an answer.
    pub(crate) lost_secret: String,
    /// What becomes of a run, and what comes then; none if it is refused.
    pub(crate) run: Option<(Vec<RunEvent>, Then)>,
    /// The runs that were asked for.
    pub(crate) runs: Vec<RunOperationRequest>,
    /// What is said of the tenant of a token.
    pub(crate) new_tenant: Option<NewTenant>,
}

#[derive(Clone)]
struct Scripted {
    script: Arc<Mutex<Script>>,
    cut: watch::Sender<()>,
}

type Messages<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;
type Outcome<T> = Result<Response<T>, Status>;

impl Scripted {
    async fn change(&self, options: Option<ChangeOptions>) -> Outcome<ChangeReply> {
        let answer = {
            let mut script = self.script.lock().unwrap();
            script.asked.push(options.unwrap());
            script.changes.pop_front()
        };
        match answer {
            Some(Answer::Reply(reply)) => Ok(Response::new(reply)),
            Some(Answer::Refusal(status)) => Err(status),
            Some(Answer::Cut) | None => {
                self.cut.send_replace(());
                std::future::pending().await
            }
        }
    }
}

impl Scripted {
    /// Streams the messages and then does what `then` says.
    fn stream<M: Send + 'static>(&self, messages: Vec<M>, then: Then) -> Messages<M> {
        let messages = tokio_stream::iter(messages.into_iter().map(Ok));
        let cut = self.cut.clone();
        let open = tokio_stream::once(()).then(move |()| {
            if matches!(then, Then::Breaks) {
                cut.send_replace(());
            }
            std::future::pending()
        });
        if matches!(then, Then::Ends) {
            return Box::pin(messages);
        }
        Box::pin(messages.chain(open))
    }
}

/// The settings of a small catalog, with the values of a tenant unless its name is empty.
fn settings(tenant: &str, catalog: &str) -> ListSettingsReply {
    let touched = |component: &str, in_workload, in_condition| SettingUse {
        component: component.to_owned(),
        in_tenant: !tenant.is_empty() && component != "dialer",
        in_workload,
        in_condition,
    };
    let choice = |value: &str, means: &str| SettingChoice {
        value: value.to_owned(),
        means: means.to_owned(),
    };
    let (origin, line) = match tenant {
        "" => (SettingOrigin::Default, 0),
        _ => (SettingOrigin::Tenant, 4),
    };
    let media = Setting {
        name: "infra_env".to_owned(),
        r#type: "choice".to_owned(),
        value: Some("cloud".to_owned()),
        origin: origin.into(),
        line,
        means: "Which addresses the media servers bind and announce.".to_owned(),
        default: Some("lan".to_owned()),
        choices: vec![
            choice("lan", "Everybody is in one network."),
            choice("cloud", "The public address is one of the host."),
        ],
        components: vec![touched("asterisk", true, false), touched("dialer", true, true)],
        ..Default::default()
    };
    let port = Setting {
        name: "sip_port".to_owned(),
        r#type: "port".to_owned(),
        origin: SettingOrigin::Missing.into(),
        min: Some(1024),
        ..Default::default()
    };
    let catalog = if tenant.is_empty() { catalog } else { "omnileads" };
    let revision = u64::from(!tenant.is_empty()) * 8;
    ListSettingsReply { catalog: catalog.to_owned(), revision, settings: vec![media, port] }
}

#[tonic::async_trait]
impl Fleet for Scripted {
    type WatchStatusStream = Messages<StatusReply>;

    async fn who_am_i(&self, _: Request<WhoAmIRequest>) -> Outcome<WhoAmIReply> {
        let operator = "admin".to_owned();
        let controller_version = "9.9.9".to_owned();
        Ok(Response::new(WhoAmIReply { operator, controller_version, now_ms: 0 }))
    }

    async fn apply(&self, request: Request<ApplyRequest>) -> Outcome<ChangeReply> {
        self.change(request.into_inner().options).await
    }

    async fn set_version(&self, request: Request<SetVersionRequest>) -> Outcome<ChangeReply> {
        self.change(request.into_inner().options).await
    }

    async fn set_release(&self, request: Request<SetReleaseRequest>) -> Outcome<ChangeReply> {
        self.change(request.into_inner().options).await
    }

    async fn list_releases(&self, _: Request<ListReleasesRequest>) -> Outcome<ListReleasesReply> {
        Ok(Response::new(self.script.lock().unwrap().releases.clone()))
    }

    async fn rollback(&self, request: Request<RollbackRequest>) -> Outcome<ChangeReply> {
        self.change(request.into_inner().options).await
    }

    async fn get_status(&self, request: Request<StatusRequest>) -> Outcome<StatusReply> {
        let mut status = self.script.lock().unwrap().status.clone();
        let tenant = request.into_inner().tenant;
        status.tenants.retain(|known| tenant.is_empty() || known.tenant == tenant);
        if !tenant.is_empty() && status.tenants.is_empty() {
            return Err(Status::not_found(format!("there is no tenant {tenant}")));
        }
        Ok(Response::new(status))
    }

    async fn watch_status(&self, _: Request<StatusRequest>) -> Outcome<Self::WatchStatusStream> {
        let next = self.script.lock().unwrap().watches.pop_front();
        let (statuses, then) =
            next.ok_or_else(|| Status::failed_precondition("the script is over"))?;
        Ok(Response::new(self.stream(statuses, then)))
    }

    type WatchChangeStream = Messages<ChangeProgress>;

    async fn watch_change(
        &self,
        request: Request<WatchChangeRequest>,
    ) -> Outcome<Self::WatchChangeStream> {
        let (next, verdict, over) = {
            let mut script = self.script.lock().unwrap();
            script.watched.push(request.into_inner().revision);
            let next = script.watches.pop_front();
            let verdict = script.verdict.clone().filter(|_| script.watches.is_empty());
            (next, verdict, script.over.clone())
        };
        let (statuses, then) =
            next.ok_or_else(|| over.unwrap_or_else(|| Status::unavailable("the script is over")))?;
        let waiting = Verdict { outcome: ChangeOutcome::Waiting.into(), ..Verdict::default() };
        let mut progress: Vec<ChangeProgress> = statuses
            .into_iter()
            .map(|StatusReply { now_ms, tenants, .. }| ChangeProgress {
                now_ms,
                status: tenants.into_iter().next(),
                verdict: Some(waiting.clone()),
            })
            .collect();
        if let (Some(last), Some(verdict)) = (progress.last_mut(), verdict) {
            last.verdict = Some(verdict);
        }
        Ok(Response::new(self.stream(progress, then)))
    }

    async fn list_revisions(
        &self,
        _: Request<ListRevisionsRequest>,
    ) -> Outcome<ListRevisionsReply> {
        let revisions = self.script.lock().unwrap().revisions.clone();
        Ok(Response::new(ListRevisionsReply { revisions }))
    }

    async fn get_spec(&self, request: Request<GetSpecRequest>) -> Outcome<GetSpecReply> {
        let revision = request.into_inner().revision;
        let spec_yaml = "# as written\ntenant: acme\n".to_owned();
        Ok(Response::new(GetSpecReply { revision, spec_yaml }))
    }

    async fn list_settings(
        &self,
        request: Request<ListSettingsRequest>,
    ) -> Outcome<ListSettingsReply> {
        let ListSettingsRequest { tenant, catalog } = request.into_inner();
        Ok(Response::new(settings(&tenant, &catalog)))
    }

    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Outcome<CreateTokenReply> {
        let request = request.into_inner();
        let mut script = self.script.lock().unwrap();
        let new_tenant = script.new_tenant.clone();
        if request.dry_run {
            return Ok(Response::new(CreateTokenReply { new_tenant, ..Default::default() }));
        }
        script.tokens.push(request);
        let token = "oml1.secret.fingerprint".to_owned();
        let enrollment_endpoint = "controller:7444".to_owned();
        Ok(Response::new(CreateTokenReply {
            token,
            expires_ms: 1,
            enrollment_endpoint,
            new_tenant,
        }))
    }

    async fn remove_node(&self, _: Request<RemoveNodeRequest>) -> Outcome<RemoveNodeReply> {
        Ok(Response::new(RemoveNodeReply {}))
    }

    async fn set_secret(&self, request: Request<SetSecretRequest>) -> Outcome<SetSecretReply> {
        let request = request.into_inner();
        let is_lost = {
            let mut script = self.script.lock().unwrap();
            script.secrets.push(request.clone());
            script.lost_secret == request.name
        };
        if is_lost {
            self.cut.send_replace(());
            return std::future::pending().await;
        }
        Ok(Response::new(SetSecretReply { version: 1 }))
    }

    async fn rotate_secret(&self, request: Request<RotateSecretRequest>) -> Outcome<ChangeReply> {
        self.change(request.into_inner().options).await
    }

    async fn list_secrets(&self, _: Request<ListSecretsRequest>) -> Outcome<ListSecretsReply> {
        let secrets = self.script.lock().unwrap().known_secrets.clone();
        Ok(Response::new(ListSecretsReply { secrets, ..Default::default() }))
    }

    async fn remove_secret(&self, _: Request<RemoveSecretRequest>) -> Outcome<RemoveSecretReply> {
        Ok(Response::new(RemoveSecretReply {}))
    }

    type RunOperationStream = Messages<RunEvent>;

    async fn run_operation(
        &self,
        request: Request<RunOperationRequest>,
    ) -> Outcome<Self::RunOperationStream> {
        let run = {
            let mut script = self.script.lock().unwrap();
            script.runs.push(request.into_inner());
            script.run.take()
        };
        let (events, then) = run.ok_or_else(|| Status::failed_precondition("refused"))?;
        Ok(Response::new(self.stream(events, then)))
    }

    async fn get_tls(&self, _: Request<GetTlsRequest>) -> Outcome<GetTlsReply> {
        Ok(Response::new(self.script.lock().unwrap().tls.clone()))
    }

    async fn set_certificate(
        &self,
        request: Request<SetCertificateRequest>,
    ) -> Outcome<ChangeReply> {
        let request = request.into_inner();
        self.script.lock().unwrap().certificates.push(request.clone());
        self.change(request.options).await
    }

    async fn renew_certificate(
        &self,
        request: Request<RenewCertificateRequest>,
    ) -> Outcome<ChangeReply> {
        self.change(request.into_inner().options).await
    }

    async fn list_runs(&self, _: Request<ListRunsRequest>) -> Outcome<ListRunsReply> {
        let script = self.script.lock().unwrap();
        let events = script.run.iter().flat_map(|(events, _)| events);
        let runs = events.filter_map(|event| event.run.clone()).collect();
        Ok(Response::new(ListRunsReply { runs, unreadable: 1 }))
    }
}

/// Serves a script to clients that `authority` certified, and returns the address.
pub(crate) async fn serve(authority: &Authority, script: Arc<Mutex<Script>>) -> SocketAddr {
    let tls = TlsAcceptor::from(Arc::new(server_config(authority)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connections, accepted) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, connections) = (tls.clone(), connections.clone());
            tokio::spawn(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    connections.send(Ok::<_, std::io::Error>(stream)).await.unwrap();
                }
            });
        }
    });
    let (cut, cuts) = watch::channel(());
    let fleet = FleetServer::new(Scripted { script, cut });
    let server = tonic::transport::Server::builder().add_service(fleet);
    tokio::spawn(server.serve_with_incoming(ReceiverStream::new(accepted)));
    relay(address, cuts).await
}

/// Forwards connections, and breaks all of them on a signal.
async fn relay(to: SocketAddr, cuts: watch::Receiver<()>) -> SocketAddr {
    // A test listens here itself when this controller has stopped.
    let address = own_address();
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut cuts = cuts.clone();
            cuts.mark_unchanged();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await.unwrap();
                tokio::select! {
                    _ended = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    _cut = cuts.changed() => {}
                }
            });
        }
    });
    address
}

fn server_config(authority: &Authority) -> ServerConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&authority.pem, "authority").unwrap()).unwrap();
    let roots = Arc::new(roots);
    let clients = WebPkiClientVerifier::builder_with_provider(roots, provider()).build().unwrap();
    let own = authority.certify("oml://controller");
    let chain = vec![certificate(&own.certificate_pem, "certificate").unwrap()];
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, private_key(&own.key_pem).unwrap())
        .unwrap();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}
