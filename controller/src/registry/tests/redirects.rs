//! Registries that send a request elsewhere.

use super::*;

const PATH: &str = "/v2/oml/asterisk/manifests/230204.01";

async fn server() -> Registry {
    Registry::start(|_| Behaviour { digest: Some(DIGEST), ..Behaviour::default() }).await
}

async fn redirecting(status: u16, target: &str) -> Registry {
    let redirects = Some((status, target.to_owned()));
    Registry::start(|address| Behaviour { redirects, ..basic(address) }).await
}

#[tokio::test]
async fn a_redirect_is_followed_without_the_login() {
    for status in [301, 302, 303, 307, 308] {
        let there = server().await;
        let registry = redirecting(status, &format!("http://{}{PATH}", there.address)).await;
        let digest = registry.resolve(true, "230204.01").await.unwrap();
        assert_eq!(digest.as_str(), DIGEST, "{status}");
        assert_eq!(*there.seen.lock().await, [format!("HEAD {PATH}")]);
        assert_eq!(*registry.logins.lock().await, ["", LOGIN]);
        assert_eq!(*there.logins.lock().await, [""], "{status}");
    }
}

#[tokio::test]
async fn a_redirect_within_the_registry_keeps_the_login() {
    let moved = "/v2/moved/manifests/1";
    let registry = redirecting(307, moved).await;
    let error = registry.resolve(true, "230204.01").await.unwrap_err();
    assert!(error.to_string().ends_with("it redirects more than 10 times"), "{error}");
    let logins = registry.logins.lock().await;
    assert_eq!(logins.len(), 2 + 10);
    assert!(logins[1..].iter().all(|shown| shown == LOGIN));
}

#[tokio::test]
async fn a_login_is_never_sent_to_a_server_that_a_registry_redirects_to() {
    let there = Registry::start(|address| bearer(address, r#"{"token":"abc"}"#)).await;
    let registry = redirecting(307, &format!("http://{}{PATH}", there.address)).await;
    let error = registry.resolve(true, "230204.01").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    // Its token server was asked as anybody may ask it.
    assert_eq!(*there.logins.lock().await, ["", ""]);
}

#[tokio::test]
async fn a_server_that_refuses_head_is_sent_get() {
    let signed = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let (there, _server) = by_method(signed).await;
    let registry = redirecting(307, &format!("http://{there}/signed?for=GET")).await;
    let digest = registry.resolve(true, "230204.01").await.unwrap();
    assert_eq!(digest.as_str(), format!("sha256:{}", ContentHash::of(MANIFEST.as_bytes())));
    let (registry, _server) = by_method("HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n").await;
    let digest = resolve(registry, false, "230204.01").await.unwrap();
    assert_eq!(digest.as_str(), format!("sha256:{}", ContentHash::of(MANIFEST.as_bytes())));
}

/// Starts a server that sends the manifest for GET and `other` for anything else.
async fn by_method(other: &'static str) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _read = stream.read(&mut request).await;
            let length = MANIFEST.len();
            let ok = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{MANIFEST}");
            let answer = if request.starts_with(b"GET") { ok.as_str() } else { other };
            let _client_gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, tasks)
}

#[tokio::test]
async fn a_redirect_without_a_usable_address_makes_the_registry_unavailable() {
    for (target, reason) in [
        ("", "it responded with 307 Temporary Redirect without an address"),
        ("http://user@other.lab/", "it responded with 307 Temporary Redirect without an address"),
        ("ftp://other.lab/x", "ftp://other.lab/x is not a valid HTTP or HTTPS address"),
    ] {
        let registry = redirecting(307, target).await;
        let error = registry.resolve(true, "230204.01").await.unwrap_err();
        assert!(error.is_transient() && error.to_string().ends_with(reason), "{error}");
    }
}
