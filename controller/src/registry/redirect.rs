//! Redirects (RFC 9110 §15.4): where a registry sends a request to.

use hyper::header::LOCATION;
use hyper::{StatusCode, Uri};

use super::http::Response;

/// The greatest number of redirects of one request.
pub(super) const REDIRECTS_MAX: usize = 10;

/// Returns true if the response names another address for the same request.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Returns the address that the response redirects to.
///
/// # Errors
/// Returns the reason why the address is not followed.
pub(super) fn target(response: &Response) -> Result<Uri, String> {
    let status = response.status;
    let location = response.headers.get(LOCATION).and_then(|text| text.to_str().ok());
    let target = location.and_then(|location| join(&response.url, location));
    let target = target.ok_or_else(|| format!("it responded with {status} without an address"))?;
    // What comes over HTTPS must not be replaced on its way.
    if response.url.scheme_str() == Some("https") && target.scheme_str() != Some("https") {
        let host = target.host().unwrap_or_default();
        return Err(format!("it redirects from HTTPS to plain HTTP at {host}"));
    }
    Ok(target)
}

/// Returns true if both addresses are of the same server, to which the same login may be sent.
pub(super) fn is_same_server(one: &Uri, other: &Uri) -> bool {
    let host = |url: &Uri| url.host().map(str::to_ascii_lowercase);
    let default_port = |url: &Uri| if url.scheme_str() == Some("https") { 443 } else { 80 };
    let port = |url: &Uri| url.port_u16().unwrap_or_else(|| default_port(url));
    one.scheme() == other.scheme() && host(one) == host(other) && port(one) == port(other)
}

/// Resolves a reference against the address that it came from (RFC 3986 §5.2). Segments such
/// as `..` are left as they are.
fn join(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next().unwrap_or_default();
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let scheme_end = reference.find("://").filter(|end| !reference[..*end].contains(['/', '?']));
    let absolute = match (scheme_end, reference) {
        (Some(_), _) => reference.to_owned(),
        (None, text) if text.starts_with("//") => format!("{scheme}:{text}"),
        (None, text) if text.starts_with('/') => format!("{scheme}://{authority}{text}"),
        (None, text) if text.starts_with('?') => {
            format!("{scheme}://{authority}{}{text}", base.path())
        }
        (None, "") => return None,
        (None, text) => {
            let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{text}")
        }
    };
    let target: Uri = absolute.parse().ok()?;
    // An address with a user name is refused: nobody gives such a login on purpose.
    (!target.authority()?.as_str().contains('@')).then_some(target)
}

#[cfg(test)]
mod tests {
    //! References as servers write them.

    use super::*;

    #[test]
    fn a_reference_is_resolved_against_the_address_that_it_came_from() {
        let base: Uri = "https://r.lab:5000/v2/a/manifests/1?x=1".parse().unwrap();
        for (reference, expected) in [
            ("https://cdn.lab/x?sig=a:b//c", "https://cdn.lab/x?sig=a:b//c"),
            ("//cdn.lab/x", "https://cdn.lab/x"),
            ("/v2/b?u=http://z", "https://r.lab:5000/v2/b?u=http://z"),
            ("sha256:1", "https://r.lab:5000/v2/a/manifests/sha256:1"),
            ("?ns=1#part", "https://r.lab:5000/v2/a/manifests/1?ns=1"),
        ] {
            assert_eq!(join(&base, reference).unwrap().to_string(), expected);
        }
        for refused in ["", "https://user@cdn.lab/x", "https://"] {
            assert_eq!(join(&base, refused), None, "{refused}");
        }
    }

    #[test]
    fn a_server_is_its_scheme_its_host_and_its_port() {
        let same =
            |one: &str, other: &str| is_same_server(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(same("https://r.lab/a", "https://R.lab:443/b"));
        assert!(!same("https://r.lab/", "http://r.lab/"));
        assert!(!same("https://r.lab/", "https://r.lab:5000/"));
        assert!(!same("https://r.lab/", "https://cdn.r.lab/"));
    }
}
