//! Ports that are given, and ports of the host.
#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use super::*;

#[tokio::test]
async fn a_given_port_is_had_under_its_address_and_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let real = listener.local_addr().unwrap();
    let asked: SocketAddr = "0.0.0.0:7443".parse().unwrap();
    let listen = Listen::given([(asked, listener)]);
    assert_eq!(listen.tcp(asked).await.unwrap().local_addr().unwrap(), real);
    let again = listen.clone().tcp(asked).await.unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AddrNotAvailable);
}

#[tokio::test]
async fn a_port_of_the_host_that_is_taken_is_refused() {
    let listen = Listen::system();
    let first = listen.tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let second = listen.tcp(first.local_addr().unwrap()).await.unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
}
