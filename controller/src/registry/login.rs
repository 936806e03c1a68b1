//! Authorization for a registry's login challenge (RFC 9110, and the token scheme
//! of the OCI distribution specification).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_auth::{ChallengeRef, parse_challenges};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{RegistryError, TagLookup};

/// Returns a header whose letters beyond ASCII are replaced. A realm for people may have them, and one
/// that is an address has none.
pub(super) fn readable(header: &HeaderValue) -> String {
    let letter = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { '?' };
    header.as_bytes().iter().map(letter).collect()
}

/// Returns the `Authorization` header for the challenges that a registry sent. Each header may have
/// several, of which one is enough; a token is preferred, because it is for this image alone.
pub(super) async fn authorize(
    lookup: &TagLookup<'_>,
    headers: impl Iterator<Item = &str>,
) -> Result<HeaderValue, RegistryError> {
    // A header that cannot be read says nothing about the others.
    let challenges = headers.flat_map(|header| parse_challenges(header).unwrap_or_default());
    let challenges: Vec<ChallengeRef<'_>> = challenges.collect();
    let find = |scheme: &str| challenges.iter().find(|c| c.scheme.eq_ignore_ascii_case(scheme));
    if let Some(bearer) = find("bearer") {
        return token(lookup, bearer).await;
    }
    if find("basic").is_some() {
        return basic(lookup)?.ok_or_else(|| {
            lookup.unauthorized(
                "it requires a login and none is configured in controller.toml or by the tenant",
            )
        });
    }
    Err(lookup.unauthorized("it requires an unknown kind of login"))
}

/// Returns the configured login as basic authentication, if there is one.
fn basic(lookup: &TagLookup<'_>) -> Result<Option<HeaderValue>, RegistryError> {
    let Some(login) = &lookup.access.login else { return Ok(None) };
    let text = format!("Basic {}", STANDARD.encode(format!("{}:{}", login.user, *login.password)));
    secret(lookup, &text).map(Some)
}

/// The response of a token server, which has one of these fields or both.
#[derive(Deserialize)]
struct TokenResponse {
    token: Option<String>,
    access_token: Option<String>,
}

/// Gets a token from the token server that the challenge names.
async fn token(
    lookup: &TagLookup<'_>,
    challenge: &ChallengeRef<'_>,
) -> Result<HeaderValue, RegistryError> {
    let parameter = |name: &str| {
        let mut named = challenge.params.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.to_unescaped())
    };
    let realm = parameter("realm").unwrap_or_default();
    let scope = format!("repository:{}:pull", lookup.name);
    let joint = if realm.contains('?') { '&' } else { '?' };
    let mut url = format!("{realm}{joint}scope={}", encode(&scope));
    if let Some(service) = parameter("service") {
        url = format!("{url}&service={}", encode(&service));
    }
    let url: Uri = url
        .parse()
        .map_err(|_invalid| lookup.unavailable("the realm in its login challenge is not a URL"))?;
    let mut headers = HeaderMap::new();
    if let Some(login) = basic(lookup)? {
        // A registry that is reached over HTTPS must not make us send the password over
        // HTTP.
        if url.scheme_str() != Some("https") && !lookup.access.plain_http {
            return Err(
                lookup.unauthorized("its token server requires the password over plain HTTP")
            );
        }
        headers.insert(AUTHORIZATION, login);
    }
    let response = lookup.send(Method::GET, &url, &headers).await?;
    match response.status {
        StatusCode::OK => {
            let sent: Option<TokenResponse> = serde_json::from_slice(&response.body).ok();
            let token = sent.and_then(|sent| sent.token.or(sent.access_token));
            let token =
                token.ok_or_else(|| lookup.unavailable("its token server sent no token"))?;
            secret(lookup, &format!("Bearer {token}"))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
            Err(lookup
                .unauthorized(&format!("its token server responded with {}", response.status)))
        }
        other => Err(lookup.unavailable(&format!("its token server responded with {other}"))),
    }
}

fn secret(lookup: &TagLookup<'_>, text: &str) -> Result<HeaderValue, RegistryError> {
    let value = HeaderValue::from_str(text);
    let mut value =
        value.map_err(|_secret| lookup.unavailable("its login or token has invalid characters"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
