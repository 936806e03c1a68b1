//! How registries are reached: mirrors, private authorities, proxies, and digests in place of tags.

use oml_daemon::proxy::{ReadProxies, Use};
use rcgen::{BasicConstraints, CertifiedIssuer, IsCa};
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::*;

const PATH: &str = "/v2/oml/asterisk/manifests/230204.01";

fn version(text: &str) -> ImageVersion {
    text.parse().unwrap()
}

async fn server(digest: &'static str) -> Registry {
    Registry::start(|_| Behaviour { digest: Some(digest), ..Behaviour::default() }).await
}

fn plain(address: &SocketAddr) -> HashMap<String, RegistryAccess> {
    let access = RegistryAccess { plain_http: true, ..RegistryAccess::default() };
    HashMap::from([(address.to_string(), access)])
}

#[tokio::test]
async fn a_mirror_is_asked_in_place_of_the_registry_and_named_when_it_lacks_an_image() {
    let mirror = server(DIGEST).await;
    let target = format!("{}/oml/", mirror.address);
    let mirrors = Mirrors::parse([("docker.io/omnileads/", target.as_str())]).unwrap();
    let reach = Reach { access: plain(&mirror.address), mirrors, ..Reach::default() };
    let registries = Registries::new(reach, Clock::system());
    let repository: Repository = "omnileads/asterisk".parse().unwrap();
    let found = registries.resolve(&repository, &version("230204.01")).await.unwrap();
    assert_eq!(found.digest.as_str(), DIGEST);
    assert_eq!(*mirror.seen.lock().await, [format!("HEAD {PATH}")]);
    assert_eq!(registries.asked_for(&repository), mirror.address.to_string());
    let error = registries.resolve(&repository, &version("2")).await.unwrap_err();
    let expected = format!(
        "the registry {} has no image oml/asterisk:2, which is where docker.io/omnileads/asterisk \
         comes from by a rule of [mirrors]",
        mirror.address
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_digest_is_asked_for_itself_and_an_answer_with_another_one_is_refused() {
    let registry = Registry::start(|_| Behaviour::default()).await;
    let real = format!("sha256:{}", ContentHash::of(MANIFEST.as_bytes()));
    // Under a digest this registry has nothing, so the request is seen and refused.
    let error = registry.resolve(false, &format!("7@{real}")).await.unwrap_err();
    assert!(error.to_string().ends_with(&format!("has no image oml/asterisk:7@{real}")), "{error}");
    let asked = format!("/v2/oml/asterisk/manifests/{real}");
    assert_eq!(*registry.seen.lock().await, [format!("HEAD {asked}")]);

    let answers = Registry::start(|_| Behaviour {
        digest: Some(DIGEST),
        has: Some(asked.clone()),
        ..Behaviour::default()
    });
    let error = answers.await.resolve(false, &real).await.unwrap_err();
    let words = format!("asked for {real}, it sent {DIGEST}");
    assert!(error.is_transient() && error.to_string().ends_with(&words), "{error}");

    let honest = Registry::start(|_| Behaviour { has: Some(asked), ..Behaviour::default() }).await;
    assert_eq!(honest.resolve(false, &real).await.unwrap().as_str(), real);
}

/// Starts a registry over TLS whose certificate is of an authority of its own, and returns its
/// port, the authority, and what keeps it running.
async fn secure() -> (u16, CertificateDer<'static>, JoinSet<()>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let (port, tasks) = server_with(certificate.der().clone(), &key).await;
    (port, authority.der().clone(), tasks)
}

/// Starts a registry over TLS with this certificate, and returns its port and what keeps it
/// running.
async fn server_with(certificate: CertificateDer<'static>, key: &KeyPair) -> (u16, JoinSet<()>) {
    let own_key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let own_key = provider().key_provider.load_private_key(own_key).unwrap();
    // Whether the key is that of the certificate is for the client to find out.
    let shown = CertifiedKey::new(vec![certificate], own_key);
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust us ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _read = stream.read(&mut [0; 4096]).await;
            let head = format!("HTTP/1.1 200 OK\r\nDocker-Content-Digest: {DIGEST}\r\n\r\n");
            let _sent = stream.write_all(head.as_bytes()).await;
            let _closed = stream.shutdown().await;
        }
    });
    (port, tasks)
}

async fn resolve_secure(port: u16, reach: Reach) -> std::result::Result<Digest, String> {
    let registries = Registries::new(reach, Clock::system());
    let repository = format!("localhost:{port}/oml/asterisk").parse().unwrap();
    let found = registries.resolve(&repository, &version("1")).await;
    found.map(|found| found.digest).map_err(|error| error.to_string())
}

fn trusting(port: u16, authority: &CertificateDer<'static>) -> Reach {
    let authorities = vec![authority.clone()];
    let access = RegistryAccess { authorities, ..RegistryAccess::default() };
    Reach { access: HashMap::from([(format!("localhost:{port}"), access)]), ..Reach::default() }
}

#[tokio::test]
async fn a_private_authority_is_trusted_for_its_registry_and_for_no_other() {
    let (port, authority, _server) = secure().await;
    let found = resolve_secure(port, trusting(port, &authority)).await.unwrap();
    assert_eq!(found.as_str(), DIGEST);
    let untrusted = resolve_secure(port, trusting(1, &authority)).await.unwrap_err();
    let said = format!("the registry localhost:{port} is not trusted: invalid peer certificate");
    assert!(untrusted.starts_with(&said), "{untrusted}");
    assert!(untrusted.contains("ca_file"), "{untrusted}");
}

/// Returns a certificate as `openssl req -x509` makes it: of an authority, and for one server.
fn of_server_and_authority(name: &str, year: i32) -> (CertificateDer<'static>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(1990, 1, 1);
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    (params.self_signed(&key).unwrap().der().clone(), key)
}

#[tokio::test]
async fn a_server_whose_own_certificate_is_named_is_trusted_for_its_name_while_it_is_valid() {
    let (own, key) = of_server_and_authority("localhost", 4000);
    let (port, _server) = server_with(own.clone(), &key).await;
    let found = resolve_secure(port, trusting(port, &own)).await.unwrap();
    assert_eq!(found.as_str(), DIGEST);
    let (another, _) = of_server_and_authority("localhost", 4000);
    let refused = resolve_secure(port, trusting(port, &another)).await.unwrap_err();
    let words = "UnknownIssuer; if its certificate is of a private authority, name that by ca_file";
    assert!(refused.contains(words), "{refused}");
    for (name, year, words) in
        [("registry.lab", 4000, "not valid for name"), ("localhost", 2001, "certificate expired")]
    {
        let (own, key) = of_server_and_authority(name, year);
        let (port, _server) = server_with(own.clone(), &key).await;
        let refused = resolve_secure(port, trusting(port, &own)).await.unwrap_err();
        assert!(refused.contains(words) && refused.contains("is not trusted"), "{refused}");
    }
    // Whoever shows the certificate has to have its key.
    let key = KeyPair::generate().unwrap();
    let (port, _server) = server_with(own.clone(), &key).await;
    let refused = resolve_secure(port, trusting(port, &own)).await.unwrap_err();
    assert!(refused.contains("BadSignature"), "{refused}");
}

/// Starts a proxy that forwards every request to `target`. Returns its address, and
/// the first line of every request that it got.
async fn proxy(target: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (seen, mut tasks) = (Arc::clone(&lines), JoinSet::new());
    tasks.spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            let text = String::from_utf8(head).unwrap();
            seen.lock().await.push(text.clone());
            let mut server = tokio::net::TcpStream::connect(target).await.unwrap();
            if text.starts_with("CONNECT ") {
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            } else {
                server.write_all(text.as_bytes()).await.unwrap();
            }
            let _client_gone = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
    });
    (address, lines, tasks)
}

fn through(proxy: SocketAddr, except: &str) -> Proxies {
    let ReadProxies { proxies, wrong } = Proxies::read(Use::TlsAndHttp, |name| match name {
        "HTTPS_PROXY" | "HTTP_PROXY" => Some(format!("http://user:word@{proxy}")),
        "NO_PROXY" => Some(except.to_owned()),
        _ => None,
    });
    wrong.into_result(proxies).unwrap()
}

#[tokio::test]
async fn a_registry_over_plain_http_is_asked_through_the_proxy_with_the_whole_address() {
    let registry = server(DIGEST).await;
    let (proxy, heads, _tasks) = proxy(registry.address).await;
    let resolve = async |proxies: Proxies| {
        let access = RegistryAccess { plain_http: true, ..RegistryAccess::default() };
        let access = HashMap::from([("registry.invalid:5000".to_owned(), access)]);
        let registries =
            Registries::new(Reach { access, proxies, ..Reach::default() }, Clock::system());
        let repository = "registry.invalid:5000/oml/asterisk".parse().unwrap();
        registries.resolve(&repository, &version("230204.01")).await
    };
    assert_eq!(resolve(through(proxy, "")).await.unwrap().digest.as_str(), DIGEST);
    let head = heads.lock().await[0].clone();
    assert!(head.starts_with(&format!("HEAD http://registry.invalid:5000{PATH} ")), "{head}");
    assert!(head.contains("proxy-authorization: Basic dXNlcjp3b3Jk"), "{head}");
    // Without the proxy, nobody knows the name.
    assert!(resolve(through(proxy, "registry.invalid")).await.is_err());
    assert_eq!(heads.lock().await.len(), 1);
}

#[tokio::test]
async fn a_registry_over_tls_is_reached_through_a_tunnel_without_showing_it_the_login() {
    let (port, authority, _server) = secure().await;
    let (proxy, heads, _tasks) = proxy(SocketAddr::from(([127, 0, 0, 1], port))).await;
    let mut reach = trusting(port, &authority);
    reach.proxies = through(proxy, "");
    // This host itself is reached without a proxy.
    assert!(resolve_secure(port, reach.clone()).await.is_ok());
    assert!(heads.lock().await.is_empty());

    let access = reach.access.remove(&format!("localhost:{port}")).unwrap();
    reach.access.insert("registry.invalid".to_owned(), access);
    let registries = Registries::new(reach, Clock::system());
    let repository = "registry.invalid/oml/asterisk".parse().unwrap();
    let error = registries.resolve(&repository, &version("1")).await.unwrap_err();
    // The tunnel led to the server, whose certificate is for another name.
    assert!(error.to_string().contains("not valid for name"), "{error}");
    assert!(heads.lock().await[0].starts_with("CONNECT registry.invalid:443 HTTP/1.1\r\n"));
}
