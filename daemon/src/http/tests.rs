//! Over real sockets.
#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::*;

async fn ask(address: std::net::SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn what_is_more_than_the_bound_waits_and_is_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let go_on = Arc::new(Semaphore::new(0));
    let service = {
        let (inside, most, go_on) = (Arc::clone(&inside), Arc::clone(&most), Arc::clone(&go_on));
        service_fn(move |_request| {
            let (inside, most, go_on) =
                (Arc::clone(&inside), Arc::clone(&most), Arc::clone(&go_on));
            async move {
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                go_on.acquire().await.unwrap().forget();
                inside.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Infallible>(Response::new("page".to_owned()))
            }
        })
    };
    let server = tokio::spawn(serve(listener, service));
    let asked: Vec<_> =
        (0..2 * CONNECTIONS_MAX).map(|_| tokio::spawn(async move { ask(address).await })).collect();
    while inside.load(Ordering::SeqCst) < CONNECTIONS_MAX {
        tokio::task::yield_now().await;
    }
    go_on.add_permits(2 * CONNECTIONS_MAX);
    for asked in asked {
        assert!(asked.await.unwrap().ends_with("page"));
    }
    assert_eq!(most.load(Ordering::SeqCst), CONNECTIONS_MAX);
    server.abort();
}
