//! Joining, and every way it is refused.

use oml_common::id::RunId;
use oml_common::text::error::chain;
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::Fingerprint;
use tonic::Status;

use super::*;
use crate::config;
use crate::session::stub::{Authority, Port, Stub};

struct Bench {
    paths: Paths,
    controller: Stub,
    port: Port,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> (Self, Fingerprint) {
        let authority = Authority::new();
        let controller = Stub::new(&authority);
        let port = controller.serve_enrollment().await;
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        (Self { paths, controller, port, folder }, authority.fingerprint())
    }

    /// What an operator types with a token for that authority.
    fn wish(&self, ca: Fingerprint) -> Enrollment {
        let token_file = self.folder.path().join("token");
        std::fs::write(&token_file, JoinToken::new([7; 32], ca).reveal() + "\n").unwrap();
        Enrollment {
            controller: self.port.address.to_string(),
            sessions: Vec::new(),
            token_file,
            name: Some("voice-1".parse().unwrap()),
            address: Some("192.0.2.7".parse().unwrap()),
            replace: false,
            proxies: Proxies::default(),
        }
    }

    async fn refusal(&self, wish: &Enrollment) -> String {
        let error = enroll(&self.paths, &Clock::system(), wish).await.unwrap_err();
        assert!(IdentityFiles::new(&self.paths).load().unwrap().is_none(), "something was kept");
        chain(&error)
    }
}

#[tokio::test]
async fn a_host_joins_once_and_knows_its_controllers() {
    let (bench, ca) = Bench::new().await;
    let identity = enroll(&bench.paths, &Clock::system(), &bench.wish(ca)).await.unwrap();
    assert_eq!((identity.tenant.as_str(), identity.node.as_str()), ("acme", "voice-1"));
    let settings = config::load(&bench.paths.config).unwrap();
    assert_eq!(settings.controllers, ["127.0.0.1:7443"]);
    assert_eq!(settings.enrollment, [bench.port.address.to_string()]);
    assert_eq!(settings.address, Some("192.0.2.7".parse().unwrap()));
    let again = enroll(&bench.paths, &Clock::system(), &bench.wish(ca)).await.unwrap_err();
    assert!(matches!(again, EnrollError::AlreadyEnrolled { .. }));
    let wish = Enrollment { replace: true, ..bench.wish(ca) };
    enroll(&bench.paths, &Clock::system(), &wish).await.unwrap();
}

#[tokio::test]
async fn the_runs_that_a_host_had_for_another_owner_are_moved_aside() {
    let (bench, ca) = Bench::new().await;
    enroll(&bench.paths, &Clock::system(), &bench.wish(ca)).await.unwrap();
    let id = RunId { epoch: 1, number: 1 };
    files::write_durably(&bench.paths.run_result(id), b"{}", 0o600).unwrap();
    let again = Enrollment { replace: true, ..bench.wish(ca) };
    enroll(&bench.paths, &Clock::system(), &again).await.unwrap();
    assert!(bench.paths.run_result(id).is_file(), "they are those of the same owner");
    let (other, ca) = Bench::new().await;
    let wish = Enrollment { replace: true, ..other.wish(ca) };
    enroll(&bench.paths, &Clock::system(), &wish).await.unwrap();
    assert!(!bench.paths.runs().exists());
    assert!(bench.paths.former_runs().join("1-1").join("result.json").is_file());
}

#[tokio::test]
async fn a_used_token_is_refused_in_the_controllers_words() {
    let (bench, ca) = Bench::new().await;
    let used = Status::permission_denied("this token was already used");
    *bench.controller.refusal.lock().unwrap() = Some(used);
    let error = enroll(&bench.paths, &Clock::system(), &bench.wish(ca)).await.unwrap_err();
    assert!(error.is_mistake() && chain(&error).contains("already used"), "{}", chain(&error));
    *bench.controller.refusal.lock().unwrap() = Some(Status::internal("the store is away"));
    assert!(
        !enroll(&bench.paths, &Clock::system(), &bench.wish(ca)).await.unwrap_err().is_mistake()
    );
}

#[tokio::test]
async fn a_token_of_another_cluster_meets_no_trust() {
    let (bench, _) = Bench::new().await;
    let words = bench.refusal(&bench.wish(Fingerprint([9; 32]))).await;
    assert!(words.starts_with("cannot reach the controller that the token names"), "{words}");
}

#[tokio::test]
async fn what_is_no_token_is_not_repeated() {
    let (bench, ca) = Bench::new().await;
    let wish = bench.wish(ca);
    std::fs::write(&wish.token_file, "hunter2").unwrap();
    let words = bench.refusal(&wish).await;
    assert!(words.contains("holds no join token") && !words.contains("hunter2"), "{words}");
    let wish = Enrollment { token_file: "/nonexistent".into(), ..wish };
    assert!(bench.refusal(&wish).await.contains("/nonexistent"));
}

#[tokio::test]
async fn an_impossible_address_is_refused_before_anything_is_asked() {
    let (bench, ca) = Bench::new().await;
    let wish = Enrollment { controller: "a b".to_owned(), ..bench.wish(ca) };
    assert!(bench.refusal(&wish).await.contains("\"a b\" is not an address"));
    let wish = Enrollment { sessions: vec!["x:y".to_owned()], ..bench.wish(ca) };
    assert!(bench.refusal(&wish).await.contains("\"x:y\" is not an address"));
}
