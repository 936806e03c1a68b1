use super::*;
use crate::http::{Request, Response, send};

const BLOB: &str = "/v2/omnileads/small/blobs/sha256:00";

/// Starts a server that answers every request with a body of 1000 bytes.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            read_head(&mut stream).unwrap();
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&[b'x'; 1000]).unwrap();
        }
    });
    address
}

fn proxy(fault: Fault) -> FaultyRegistry {
    let mut proxy = FaultyRegistry::start("127.0.0.1:0".parse().unwrap(), upstream()).unwrap();
    proxy.set(fault).unwrap();
    proxy
}

fn get(proxy: &FaultyRegistry, path: &str) -> io::Result<Response> {
    let request =
        Request { method: "GET", path, headers: vec![], body: &mut io::empty(), body_bytes: 0 };
    send(proxy.address(), request)
}

#[test]
fn requests_are_forwarded_and_recorded() {
    let proxy = proxy(Fault::Pass);
    let answer = get(&proxy, BLOB).unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 1000));
    assert_eq!(proxy.requests(), [format!("GET {BLOB}")]);
}

#[test]
fn a_refused_connection_works_again_after_the_fault_is_over() {
    let mut proxy = proxy(Fault::Refuse);
    let error = get(&proxy, BLOB).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    proxy.set(Fault::Pass).unwrap();
    assert_eq!(get(&proxy, BLOB).unwrap().status, 200);
}

#[test]
fn the_status_faults_answer_with_their_status() {
    let mut proxy = proxy(Fault::Unauthorized);
    let refused = get(&proxy, BLOB).unwrap();
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").is_some());
    proxy.set(Fault::TooManyRequests).unwrap();
    assert_eq!(get(&proxy, BLOB).unwrap().status, 429);
    proxy.set(Fault::ServerError).unwrap();
    assert_eq!(get(&proxy, BLOB).unwrap().status, 500);
}

#[test]
fn a_manifest_is_redirected_once_and_a_layer_is_not() {
    let proxy = proxy(Fault::Redirect);
    assert_eq!(get(&proxy, BLOB).unwrap().status, 200);
    let moved = get(&proxy, "/v2/omnileads/small/manifests/v1").unwrap();
    let target = moved.header("location").unwrap();
    assert_eq!((moved.status, target), (307, "/v2/omnileads/small/manifests/v1?redirected"));
    assert_eq!(get(&proxy, target).unwrap().status, 200);
}

#[test]
fn a_layer_is_cut_in_the_middle_and_a_manifest_is_not() {
    let proxy = proxy(Fault::CutAfter(300));
    assert_eq!(get(&proxy, BLOB).unwrap().body.len(), 300);
    let manifest = get(&proxy, "/v2/omnileads/small/manifests/v1").unwrap();
    assert_eq!(manifest.body.len(), 1000);
}

#[test]
fn a_hanging_connection_ends_without_an_answer_when_the_fault_changes() {
    let mut proxy = proxy(Fault::Hang);
    let address = proxy.address();
    let (sender, ended) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /v2/ HTTP/1.1\r\n\r\n").unwrap();
        let mut bytes = Vec::new();
        // The connection is closed or reset, and no byte arrives.
        stream.read_to_end(&mut bytes).ok();
        sender.send(bytes).unwrap();
    });
    crate::wait::until("the request", Duration::from_secs(10), || {
        (proxy.requests().len() == 1).then_some(()).ok_or_else(String::new)
    })
    .unwrap();
    assert!(ended.try_recv().is_err(), "it must hang");
    proxy.set(Fault::Pass).unwrap();
    let bytes = ended.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(bytes, b"");
}
