//! Tests of how a turn ends that the directory does not let end by itself.

use std::future::pending;

use oml_common::text::problem::Problem;
use oml_daemon::proxy::Proxies;

use super::*;
use crate::acme::AccountPlace;
use crate::pki;

fn reason(ended: Result<Ended, Stopped>) -> (String, bool) {
    match ended {
        Err(Stopped::Refused(refusal)) => (refusal.reason, refusal.keeps_order),
        Err(Stopped::Ops(error)) => panic!("{error}"),
        Ok(_) => panic!("it was not refused"),
    }
}

#[tokio::test]
async fn a_panic_of_the_library_at_an_address_refuses_the_order() {
    let env = Env::system();
    let directories = Directories::new(env.clock().clone(), Proxies::default(), Vec::new());
    let key_pem = pki::new_key().unwrap();
    for directory in ["https://ca.lab:14000:1/dir", "https://ca|lab/dir", "https://ca.lab/`"] {
        let place = AccountPlace { directory, key_pem: &key_pem };
        let (reason, keeps_order) = reason(
            bounded(async {
                directories.open(place, "https://ca.lab/account/1").await?;
                Ok(Ended::Waits { order: String::new(), wait_ms: 0 })
            })
            .await,
        );
        assert!(reason.contains("the directory cannot be used"), "{directory}: {reason}");
        assert!(!keeps_order, "{directory}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_does_not_answer_keeps_the_order() {
    let (reason, keeps_order) = reason(bounded(pending()).await);
    assert_eq!((reason.as_str(), keeps_order), ("the directory answers too slowly", true));
}

#[test]
fn a_certificate_that_came_and_cannot_be_given_keeps_its_order() {
    let problem = Problem::new("certificate", "is not valid yet".to_owned());
    let refusal = not_given(&Problems(vec![problem]));
    assert!(refusal.keeps_order && !refusal.is_limit && !refusal.is_unknown, "{refusal:?}");
    assert!(refusal.reason.contains("is not valid yet"), "{refusal:?}");
}
