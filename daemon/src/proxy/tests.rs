//! Proxies as environments name them, and one on loopback.
#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

use super::*;

fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, String> {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let ReadProxies { proxies, wrong } = Proxies::read(Use::TlsAndHttp, variable);
    wrong.into_result(proxies).map_err(|problems| problems.to_string())
}

fn proxy_of(proxies: &Proxies, url: &str) -> String {
    proxies.of(&url.parse().unwrap()).map_or_else(String::new, |proxy| proxy.to_string())
}

#[test]
fn a_proxy_is_for_its_scheme_and_not_for_the_hosts_that_are_excepted() {
    let proxies = proxies(&[
        ("HTTPS_PROXY", "http://user:word@secure.corp:3128/"),
        ("http_proxy", "plain.corp"),
        ("NO_PROXY", "registry.corp, 10.0.0.0/8,.lab"),
    ])
    .unwrap();
    for (url, expected) in [
        ("https://registry-1.docker.io/v2/", "the proxy secure.corp:3128"),
        ("http://registry.example:5000/v2/", "the proxy plain.corp:80"),
        ("https://registry.corp:5000/v2/", ""),
        ("https://a.registry.corp/", ""),
        ("https://10.1.2.3/", ""),
        ("https://a.lab/", ""),
        ("https://localhost:5000/", ""),
        ("http://127.0.0.1:5000/", ""),
        ("https://[::1]/", ""),
        ("https://192.0.2.1/", "the proxy secure.corp:3128"),
    ] {
        assert_eq!(proxy_of(&proxies, url), expected, "{url}");
    }
    let found = proxies.of(&"https://quay.io/".parse().unwrap()).unwrap();
    assert_eq!(found.authorization.unwrap(), "Basic dXNlcjp3b3Jk");
    assert!(!format!("{proxies:?}").contains("word"), "{proxies:?}");
}

#[test]
fn no_variable_is_no_proxy_and_all_is_for_both_schemes() {
    assert_eq!(proxy_of(&Proxies::default(), "https://quay.io/"), "");
    assert_eq!(proxies(&[("HTTPS_PROXY", " ")]).unwrap(), Proxies::default());
    let all = proxies(&[("ALL_PROXY", "http://p.corp:1"), ("NO_PROXY", "*.x")]).unwrap();
    assert_eq!(proxy_of(&all, "https://quay.io/"), "the proxy p.corp:1");
    assert_eq!(proxy_of(&all, "http://quay.io/"), "the proxy p.corp:1");
}

#[test]
fn what_is_no_http_proxy_is_refused_by_its_variable_and_without_its_password() {
    for wrong in ["https://p.corp:1", "socks5://p.corp", "http://", "http://p/x", "a b"] {
        let refused = proxies(&[("https_proxy", wrong), ("HTTP_PROXY", "ftp://u:word@p")]);
        let refused = refused.unwrap_err();
        let expected =
            "is not the address of an HTTP proxy (write it as http://proxy.example.com:3128)";
        assert_eq!(refused, format!("HTTP_PROXY: {expected}\nhttps_proxy: {expected}"), "{wrong}");
    }
}

#[test]
fn a_proxy_without_a_scheme_is_used_with_its_port_and_login() {
    for (named, expected) in [
        ("proxy.corp:3128/", "the proxy proxy.corp:3128"),
        ("proxy.corp:3128", "the proxy proxy.corp:3128"),
        ("user:word@proxy.corp:3128/", "the proxy proxy.corp:3128"),
        ("proxy.corp/", "the proxy proxy.corp:80"),
        ("10.0.0.1:3128", "the proxy 10.0.0.1:3128"),
    ] {
        let proxies = proxies(&[("HTTPS_PROXY", named)]).unwrap();
        assert_eq!(proxy_of(&proxies, "https://quay.io/"), expected, "{named}");
    }
}

#[test]
fn hosts_are_excepted_in_every_spelling_that_other_programs_take() {
    for (except, url, is_excepted) in [
        ("*.corp.lan", "https://a.corp.lan/", true),
        ("*.corp.lan", "https://corp.lan.example/", false),
        ("*", "https://quay.io/", true),
        ("registry.corp:5000", "https://registry.corp:5000/", true),
        ("x, *.lab:5000 ,y", "https://a.lab:5000/", true),
        ("10.1.2.3:5000", "https://10.1.2.3:5000/", true),
        ("[2001:db8::1]:5000", "https://[2001:db8::1]:5000/", true),
        ("[2001:db8::1]", "https://[2001:db8::1]/", true),
        ("2001:db8::1", "https://[2001:db8::1]/", true),
        ("2001:db8::/32", "https://[2001:db8::1]/", true),
        ("10.0.0.0/8", "https://10.1.2.3/", true),
        ("registry.corp:5000", "https://quay.io/", false),
    ] {
        let named = [("HTTPS_PROXY", "p.corp"), ("NO_PROXY", except)];
        let found = proxy_of(&proxies(&named).unwrap(), url);
        assert_eq!(found.is_empty(), is_excepted, "{except}: {url}");
    }
}

#[test]
fn only_a_variable_that_would_be_used_is_checked_and_a_wrong_one_is_left_out() {
    let socks = "socks5://p.corp";
    let good = "http://p.corp:1";
    let used = "the proxy p.corp:1";
    for (of, variables, wrong, proxy) in [
        (
            Use::Tls,
            &[("HTTPS_PROXY", good), ("ALL_PROXY", socks), ("HTTP_PROXY", socks)][..],
            "",
            used,
        ),
        (
            Use::TlsAndHttp,
            &[("HTTPS_PROXY", good), ("http_proxy", good), ("ALL_PROXY", socks)],
            "",
            used,
        ),
        (Use::TlsAndHttp, &[("HTTPS_PROXY", good), ("ALL_PROXY", socks)], "ALL_PROXY", used),
        (Use::Tls, &[("HTTPS_PROXY", socks), ("all_proxy", good)], "HTTPS_PROXY", used),
        (Use::Tls, &[("ALL_PROXY", socks)], "ALL_PROXY", ""),
    ] {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        let read = Proxies::read(of, variable);
        let found: Vec<&str> = read.wrong.0.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(found.join(" "), wrong, "{variables:?}");
        assert_eq!(proxy_of(&read.proxies, "https://quay.io/"), proxy, "{variables:?}");
    }
}

/// Starts a proxy that gives `answer` to one request and then echoes. Returns its address, and
/// the request when it has been read.
async fn proxy(answer: &'static str) -> (String, JoinSet<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        let (mut read, mut write) = stream.split();
        let _client_gone = tokio::io::copy(&mut read, &mut write).await;
        String::from_utf8(request).unwrap()
    });
    (address, tasks)
}

#[tokio::test]
async fn a_tunnel_leads_through_the_proxy_with_its_login() {
    let (address, mut tasks) = proxy("HTTP/1.1 200 Established\r\n\r\n").await;
    let named = format!("http://user:word@{address}");
    let proxies = proxies(&[("HTTPS_PROXY", &named)]).unwrap();
    let mut stream = proxies.tunnel("controller.example", 7443).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");
    drop(stream);
    let request = tasks.join_next().await.unwrap().unwrap();
    assert!(request.starts_with("CONNECT controller.example:7443 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("proxy-authorization: Basic dXNlcjp3b3Jk"), "{request}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_its_answer() {
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno\n";
    let (address, _tasks) = proxy(refusal).await;
    let proxies = proxies(&[("HTTPS_PROXY", &address)]).unwrap();
    let error = proxies.tunnel("controller.example", 7443).await.unwrap_err();
    let expected = format!(
        "the proxy {address} responded with 407 Proxy Authentication Required for \
         controller.example:7443"
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_proxy_that_is_away_is_named() {
    // It is bound and does not listen, so that nobody else does.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = closed.local_addr().unwrap().to_string();
    let proxies = proxies(&[("HTTPS_PROXY", &address)]).unwrap();
    let error = proxies.tunnel("controller.example", 7443).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot connect to the proxy {address}: ")));
}
