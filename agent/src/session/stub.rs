//! A controller of a few lines for tests: an authority, TLS as the real one
//! does it, and the answers that the test sets.
#![expect(
    clippy::disallowed_methods,
    reason = "a controller of a test, with real ports and certificates"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use oml_daemon::tls::{Fingerprint, certificate, private_key, provider};
use oml_proto::v1::agent_server::{Agent, AgentServer};
use oml_proto::v1::enrollment_server::{Enrollment, EnrollmentServer};
use oml_proto::v1::{
    AgentMessage, AssignmentDocument, Certificate, ControllerMessage, EnrollRequest,
    RecoverRequest, RenewRequest, SecretValues, agent_message, controller_message,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa,
    KeyPair, SanType,
};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

const LIFE: Duration = Duration::from_secs(3600);
/// Certificates begin this long before they are made.
const BACKDATED: Duration = Duration::from_millis(oml_daemon::tls::BACKDATED_MS);

/// The authority that signs the certificates of a stub.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Arc<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Arc::new(Self(CertifiedIssuer::self_signed(params, key).unwrap()))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.der())
    }

    /// A certificate by its request, made `age` ago, that ends in `life`.
    pub(crate) fn sign(&self, csr: &[u8], age: Duration, life: Duration) -> Certificate {
        let request = CertificateSigningRequestParams::from_der(&csr.to_vec().into()).unwrap();
        let mut params = named("oml://node/acme/voice-1");
        params.not_before = (SystemTime::now() - age - BACKDATED).into();
        // The second it names still counts: a life of nothing is to be over.
        params.not_after = (SystemTime::now() + life - Duration::from_secs(1)).into();
        self.give(&request, params)
    }

    /// One that is valid only from `ahead` on, as a clock that is wrong makes it.
    pub(crate) fn sign_ahead(&self, csr: &[u8], ahead: Duration) -> Certificate {
        let request = CertificateSigningRequestParams::from_der(&csr.to_vec().into()).unwrap();
        let mut params = named("oml://node/acme/voice-1");
        params.not_before = (SystemTime::now() + ahead).into();
        params.not_after = (SystemTime::now() + ahead + BACKDATED + LIFE).into();
        self.give(&request, params)
    }

    fn give(
        &self,
        request: &CertificateSigningRequestParams,
        params: CertificateParams,
    ) -> Certificate {
        let signed = params.signed_by(&request.public_key, &self.0).unwrap();
        Certificate {
            certificate_pem: signed.pem(),
            ca_pem: self.pem(),
            tenant: "acme".to_owned(),
            node: "voice-1".to_owned(),
        }
    }

    fn server_config(&self, asks_for_certificates: bool) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let own = named("oml://controller").signed_by(&key, &self.0).unwrap();
        let ca = certificate(&self.pem(), "authority").unwrap();
        let chain = vec![own.der().clone(), ca.clone()];
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap();
        let builder = if asks_for_certificates {
            let mut roots = RootCertStore::empty();
            roots.add(ca).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = private_key(&key.serialize_pem()).unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![oml_daemon::tls::ALPN.to_vec()];
        config
    }
}

fn named(uri: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    params.serial_number = Some(7.into());
    params
}

/// What it says, and what it heard.
#[derive(Clone)]
pub(crate) struct Stub {
    authority: Arc<Authority>,
    /// Documents to send, the newest last; each session is sent the last one and all that follow.
    pub(crate) document: watch::Sender<Vec<u8>>,
    /// Secrets to send; each session is sent those that follow.
    pub(crate) secrets: watch::Sender<SecretValues>,
    /// Everything that agents said.
    pub(crate) received: watch::Sender<Vec<agent_message::Kind>>,
    /// Certificates given for renewals.
    pub(crate) renewals: watch::Sender<usize>,
    /// Certificates given for ended or refused ones.
    pub(crate) recoveries: watch::Sender<usize>,
    /// Every change of it ends all sessions.
    pub(crate) ends: watch::Sender<usize>,
    /// What enrolment and recovery answer instead of a certificate.
    pub(crate) refusal: Arc<Mutex<Option<Status>>>,
    /// How far its clock is behind the host's.
    pub(crate) behind: Arc<Mutex<Duration>>,
}

/// A port that is served until this is dropped.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    server: JoinHandle<()>,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stub {
    pub(crate) fn new(authority: &Arc<Authority>) -> Self {
        Self {
            authority: Arc::clone(authority),
            document: watch::channel(Vec::new()).0,
            secrets: watch::channel(SecretValues::default()).0,
            received: watch::channel(Vec::new()).0,
            renewals: watch::channel(0).0,
            recoveries: watch::channel(0).0,
            ends: watch::channel(0).0,
            refusal: Arc::default(),
            behind: Arc::default(),
        }
    }

    pub(crate) async fn serve_agents(&self) -> Port {
        let config = self.authority.server_config(true);
        self.serve(config, Server::builder().add_service(AgentServer::new(self.clone()))).await
    }

    pub(crate) async fn serve_enrollment(&self) -> Port {
        let config = self.authority.server_config(false);
        self.serve(config, Server::builder().add_service(EnrollmentServer::new(self.clone()))).await
    }

    async fn serve(&self, config: ServerConfig, router: tonic::transport::server::Router) -> Port {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        let (accepted, streams) = mpsc::channel(8);
        let accepting = async move {
            while let Ok((tcp, _peer)) = listener.accept().await {
                // One that fails its handshake is none of the service's business.
                if let Ok(stream) = tls.accept(tcp).await
                    && accepted.send(Ok::<_, std::io::Error>(stream)).await.is_err()
                {
                    return;
                }
            }
        };
        let serving = router.serve_with_incoming(ReceiverStream::new(streams));
        let server = tokio::spawn(async move {
            tokio::select! { () = accepting => {}, _ended = serving => {} }
        });
        Port { address, server }
    }

    fn give(&self, csr: &[u8]) -> Result<Response<Certificate>, Status> {
        let behind = *self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match refusal {
            Some(status) => Err(status),
            None => Ok(Response::new(self.authority.sign(csr, behind, LIFE))),
        }
    }
}

#[tonic::async_trait]
impl Agent for Stub {
    type SessionStream = ReceiverStream<Result<ControllerMessage, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (outgoing, messages) = mpsc::channel(1);
        let (received, mut documents) = (self.received.clone(), self.document.subscribe());
        let mut secrets = self.secrets.subscribe();
        documents.mark_changed();
        let mut incoming = request.into_inner();
        let mut ends = self.ends.subscribe();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ended = ends.changed() => return,
                    message = incoming.message() => match message {
                        Ok(Some(AgentMessage { kind: Some(kind) })) => {
                            received.send_modify(|received| received.push(kind));
                        }
                        Ok(_) | Err(_) => return,
                    },
                    changed = secrets.changed() => {
                        let kind = controller_message::Kind::Secrets(secrets.borrow_and_update().clone());
                        let message = ControllerMessage { kind: Some(kind) };
                        if changed.is_err() || outgoing.send(Ok(message)).await.is_err() {
                            return;
                        }
                    }
                    changed = documents.changed() => {
                        let document = documents.borrow_and_update().clone();
                        let kind = controller_message::Kind::Assignment(AssignmentDocument { document });
                        let message = ControllerMessage { kind: Some(kind) };
                        if changed.is_err() || outgoing.send(Ok(message)).await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<Certificate>, Status> {
        self.renewals.send_modify(|count| *count += 1);
        self.give(&request.get_ref().csr)
    }
}

#[tonic::async_trait]
impl Enrollment for Stub {
    async fn enroll(
        &self,
        request: Request<EnrollRequest>,
    ) -> Result<Response<Certificate>, Status> {
        self.give(&request.get_ref().csr)
    }

    async fn recover(
        &self,
        request: Request<RecoverRequest>,
    ) -> Result<Response<Certificate>, Status> {
        self.recoveries.send_modify(|count| *count += 1);
        self.give(&request.get_ref().csr)
    }
}
