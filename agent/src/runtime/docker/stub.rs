//! An engine of a few lines for tests: every request gets the answer the
//! test gives.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::socket::Engine;

/// Gives the status and the text to a method and path; none: there is no answer.
type Answer = dyn Fn(&str) -> Option<(u16, String)> + Send + Sync;

/// Answers until it is dropped.
pub(super) struct Stub {
    pub(super) engine: Engine,
    asked: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Stub {
    pub(super) fn new(
        answer: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket: PathBuf = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (received, answer): (_, Arc<Answer>) = (Arc::clone(&asked), Arc::new(answer));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&received), Arc::clone(&answer)));
            }
        });
        Self { engine: Engine::at(&socket), asked, server, _folder: folder }
    }

    /// How often something that contains `words` was asked.
    pub(super) fn times(&self, words: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|line| line.contains(words)).count()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: UnixStream, received: Arc<Mutex<Vec<String>>>, answer: Arc<Answer>) {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(length) => head.extend_from_slice(&piece[..length]),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let line = head.split(" HTTP").next().unwrap_or_default().to_owned();
    received.lock().unwrap().push(line.clone());
    let Some((status, body)) = answer(&line) else { return std::future::pending().await };
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    // A client that has gone needs no answer.
    let _gone = stream.write_all(text.as_bytes()).await.is_err();
}
