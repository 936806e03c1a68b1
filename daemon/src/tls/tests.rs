//! Join tokens, addresses, and credentials that do not fit.

use proptest::prelude::*;

use super::*;
use crate::proxy::Proxies;

proptest! {
    #[test]
    fn a_token_is_read_back_from_its_text(secret: [u8; 32], ca: [u8; 32]) {
        let token = JoinToken::new(secret, Fingerprint(ca));
        prop_assert_eq!(token.reveal().parse::<JoinToken>().unwrap(), token);
    }

    #[test]
    fn any_text_is_no_token_or_means_itself(text in ".*|oml1\\.[A-Za-z0-9_-]{43}\\.[A-Za-z0-9_-]{43}") {
        if let Ok(token) = text.parse::<JoinToken>() {
            prop_assert_eq!(token.reveal(), text.trim());
        }
    }
}

#[test]
fn a_token_shows_its_secret_only_when_asked_to() {
    let token = JoinToken::new([7; 32], Fingerprint([8; 32]));
    let secret = token.reveal().split('.').nth(1).unwrap().to_owned();
    assert!(!format!("{token:?}").contains(&secret));
}

#[test]
fn credentials_that_are_not_pem_are_named() {
    let credentials = |ca: &str| Credentials {
        ca_pem: ca.to_owned(),
        certificate_pem: String::new(),
        key_pem: String::new(),
    };
    let error = credentials("not pem").check().unwrap_err();
    assert_eq!(error.to_string(), "the authority's certificate is not valid PEM");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_before_anything_is_dialled() {
    let config = Arc::new(enrollment_config(Fingerprint([0; 32]), &Clock::system()));
    for address in ["", "host", "host:", "host:x", ":1", "host:1/path", "http://host:1", "a b:1"] {
        let error = connect(address, Arc::clone(&config), &Proxies::default()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Address { .. }), "{address}: {error}");
    }
}
