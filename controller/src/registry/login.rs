//! Answers a registry's challenge (RFC 9110, and the token scheme of the
//! distribution specification).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_auth::{ChallengeRef, parse_challenges};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{Question, RegistryError};

/// The `Authorization` for one challenge.
pub(super) async fn answer(
    question: &Question<'_>,
    challenge: &str,
) -> Result<HeaderValue, RegistryError> {
    let challenges = parse_challenges(challenge).unwrap_or_default();
    let find = |scheme: &str| challenges.iter().find(|c| c.scheme.eq_ignore_ascii_case(scheme));
    if let Some(bearer) = find("bearer") {
        return token(question, bearer).await;
    }
    if find("basic").is_some() {
        return basic(question)?
            .ok_or_else(|| question.unauthorized("it asks for a login and none is configured"));
    }
    Err(question.unauthorized("it asks in a way this program does not know"))
}

/// The configured login, if any.
fn basic(question: &Question<'_>) -> Result<Option<HeaderValue>, RegistryError> {
    let Some(login) = &question.access.login else { return Ok(None) };
    let text = format!("Basic {}", STANDARD.encode(format!("{}:{}", login.user, login.password)));
    secret(question, &text).map(Some)
}

/// Servers send either name, or both.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

/// Asks the server that the challenge names for a token.
async fn token(
    question: &Question<'_>,
    challenge: &ChallengeRef<'_>,
) -> Result<HeaderValue, RegistryError> {
    let parameter = |name: &str| {
        let mut named = challenge.params.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.to_unescaped())
    };
    let realm = parameter("realm").unwrap_or_default();
    let scope = format!("repository:{}:pull", question.name);
    let joint = if realm.contains('?') { '&' } else { '?' };
    let mut url = format!("{realm}{joint}scope={}", encode(&scope));
    if let Some(service) = parameter("service") {
        url = format!("{url}&service={}", encode(&service));
    }
    let url: Uri = url.parse().map_err(|_invalid| question.unavailable("its realm is no URL"))?;
    let mut headers = HeaderMap::new();
    if let Some(login) = basic(question)? {
        // A registry asked over HTTPS must not move the password to plain HTTP.
        if url.scheme_str() != Some("https") && !question.access.plain_http {
            return Err(question.unauthorized("it asks for the login over plain HTTP"));
        }
        headers.insert(AUTHORIZATION, login);
    }
    let answer = question.send(Method::GET, &url, &headers).await?;
    match answer.status {
        StatusCode::OK => {
            let sent: Option<TokenAnswer> = serde_json::from_slice(&answer.body).ok();
            let token = sent.and_then(|sent| sent.token.or(sent.access_token));
            let token = token.ok_or_else(|| question.unavailable("it sends no token"))?;
            secret(question, &format!("Bearer {token}"))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
            Err(question.unauthorized(&format!("its token server answers {}", answer.status)))
        }
        other => Err(question.unavailable(&format!("its token server answers {other}"))),
    }
}

fn secret(question: &Question<'_>, text: &str) -> Result<HeaderValue, RegistryError> {
    let value = HeaderValue::from_str(text);
    let mut value = value.map_err(|_secret| question.unavailable("it sends no usable token"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
