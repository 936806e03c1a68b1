//! Which of the logins that a registry offers is used.

use super::*;

#[tokio::test]
async fn unknown_challenges_are_errors() {
    for challenge in ["", "Digest realm=x", "\"", "Bearer", "Bearer realm=\"not a url\""] {
        let registry = Registry::start(|address| Behaviour {
            challenge: Some(challenge.to_owned()),
            ..basic(address)
        })
        .await;
        assert!(registry.resolve(true, "230204.01").await.is_err(), "{challenge}");
    }
}

/// Resolves at a registry with this challenge, in which `BEARER` stands for one with its token server, and
/// returns the last login that it was shown.
async fn login_after(challenge: &str, accepts: &'static str) -> Result<String, RegistryError> {
    let registry = Registry::start(|address| {
        let plain = bearer(address, r#"{"token":"abc"}"#);
        let own = plain.challenge.unwrap_or_default();
        Behaviour { challenge: Some(challenge.replace("BEARER", &own)), accepts, ..plain }
    })
    .await;
    registry.resolve(true, "230204.01").await?;
    let logins = registry.logins.lock().await;
    Ok(logins.last().cloned().unwrap_or_default())
}

#[tokio::test]
async fn of_several_challenges_a_token_goes_before_a_login_wherever_they_are() {
    for challenge in [
        "BEARER",
        "Basic realm=\"lab\"\nBEARER",
        "BEARER\nBasic realm=\"lab\"",
        "Basic realm=\"lab\", BEARER",
        "BEARER, Basic realm=\"lab\"",
        "Negotiate\nBasic realm=\"lab\"\nBEARER",
        "Negotiate, BEARER",
        "\"\nBEARER",
        "Basic realm=\"Z\u{fc}rich\", BEARER",
    ] {
        let login = login_after(challenge, "Bearer abc").await;
        assert_eq!(login.unwrap_or_else(|error| error.to_string()), "Bearer abc", "{challenge}");
    }
    for challenge in [
        "Negotiate\nBasic realm=\"lab\"",
        "Digest realm=\"a, Bearer\", nonce=\"b\"\nBasic realm=\"lab\"",
        "Digest realm=\"a\", nonce=\"b\", basic realm=\"lab\"",
    ] {
        let login = login_after(challenge, LOGIN).await;
        assert_eq!(login.unwrap_or_else(|error| error.to_string()), LOGIN, "{challenge}");
    }
}
