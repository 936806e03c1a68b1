//! Answers as engines and registries write them.

use super::*;

const ANSWERS: &[(&str, Refusal)] = &[
    ("unauthorized: authentication required", Refusal::LoginRefused),
    (
        r#"Head "http://r/v2/i/manifests/sha256:1": no basic auth credentials"#,
        Refusal::LoginRefused,
    ),
    ("denied: requested access to the resource is denied", Refusal::LoginRefused),
    (
        "failed to resolve reference \"r/i\": unexpected status from HEAD request to https://r/v2/i: 401 Unauthorized",
        Refusal::LoginRefused,
    ),
    (
        "pull access denied for i, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
        Refusal::NotThereOrLoginRefused,
    ),
    (
        "error pulling image configuration: download failed after attempts=1: unknown blob",
        Refusal::NotThere,
    ),
    (
        "Get \"https://r/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
        Refusal::Away,
    ),
    (
        "Get https://r/v2/: net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        Refusal::Away,
    ),
    (
        "Get \"https://r/v2/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        Refusal::Away,
    ),
    (
        "failed to prepare extraction snapshot \"extract-549308819-2Mnm sha256:1\": parent snapshot sha256:2 does not exist: not found",
        Refusal::Unpacking,
    ),
    (
        "failed to copy: httpReadSeeker: failed open: content at https://r/v2/i/manifests/sha256:1 not found: not found",
        Refusal::NotThere,
    ),
    ("manifest for r/i@sha256:1 not found: manifest unknown: gone", Refusal::NotThere),
    ("failed to resolve reference \"r/i:1\": r/i:1: not found", Refusal::NotThere),
    ("name unknown: repository name not known to registry", Refusal::NotThere),
    ("toomanyrequests: You have reached your pull rate limit", Refusal::TooMany),
    ("received unexpected HTTP status: 500 Internal Server Error", Refusal::Other),
    ("dial tcp 10.0.0.1:5000: connect: connection refused", Refusal::Away),
    ("Get \"https://r/v2/\": net/http: TLS handshake timeout", Refusal::Away),
    (
        "Get \"https://r/v2/\": tls: failed to verify certificate: x509: unknown authority",
        Refusal::Untrusted,
    ),
    (
        "Get \"https://r/v2/\": tls: failed to verify certificate: x509: certificate is valid for a, not r",
        Refusal::Untrusted,
    ),
    (
        "Get \"https://r/v2/\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
        Refusal::Untrusted,
    ),
    (
        "Get \"https://r/v2/\": x509: certificate has expired or is not yet valid: current time 2026-01-01T00:00:00Z is before 2026-06-01T00:00:00Z",
        Refusal::OutOfDate,
    ),
    (
        "failed to resolve reference \"r/i\": failed to do request: Head \"https://r/v2/i\": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-01-01T00:00:00Z is after 2025-06-01T00:00:00Z",
        Refusal::OutOfDate,
    ),
    ("failed to register layer: write /a: no space left on device", Refusal::DiskFull),
    ("no matching manifest for linux/amd64 in the manifest list entries", Refusal::Unusable),
    ("no match for platform in manifest sha256:1: not found", Refusal::Unusable),
    (
        "failed to register layer: Error processing tar file(exit status 1): archive/tar: invalid tar header",
        Refusal::Unusable,
    ),
    ("unexpected EOF", Refusal::Other),
    ("received unexpected HTTP status: 400 Bad Request", Refusal::Refused),
    (
        "unexpected status from GET request to https://r/v2/i: 405 Method Not Allowed",
        Refusal::Refused,
    ),
    (
        "error parsing HTTP 403 response body: invalid character '<': \"<html>\"",
        Refusal::LoginRefused,
    ),
    ("error parsing HTTP 429 response body: unexpected end of JSON input: \"\"", Refusal::TooMany),
    ("received unexpected HTTP status: 410 Gone", Refusal::NotThere),
    ("unsupported: The operation is unsupported.", Refusal::Refused),
    (
        "errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required\n",
        Refusal::LoginRefused,
    ),
];

#[test]
fn an_answer_is_sorted_by_its_codes() {
    for (text, kind) in ANSWERS {
        assert_eq!(Refusal::of(None, text), *kind, "{text}");
    }
}

#[test]
fn words_inside_a_name_a_path_or_another_error_mean_nothing() {
    for text in [
        "lease sha256:1: not found",
        "exec: \"unpigz\": executable file not found in $PATH",
        "error for r/denied/manifest-unknown@sha256:1: received unexpected HTTP status: 502 Bad Gateway",
        "Get \"https://not-found.lab/unauthorized\": unexpected EOF",
        "docker-credential-x not found",
    ] {
        assert_eq!(Refusal::of(None, text), Refusal::Other, "{text}");
        assert_eq!(Refusal::of(Some(500), text), Refusal::Other, "{text}");
    }
}

#[test]
fn a_failure_on_this_host_is_not_the_registrys_for_any_answer_of_the_engine() {
    for text in [
        "failed to register layer: open /var/lib/docker/x: permission denied",
        "failed to prepare extraction snapshot \"x\": parent snapshot s does not exist: not found",
    ] {
        for status in [None, Some(404), Some(500)] {
            let kind = Refusal::of(status, text);
            assert_eq!(kind, Refusal::Unpacking, "{text}");
            assert!(kind.is_transient());
        }
    }
}

#[test]
fn a_certificate_that_is_out_of_date_is_tried_again_and_an_untrusted_one_is_not() {
    for (words, transient) in [
        ("certificate has expired or is not yet valid: current time a is before b", true),
        ("certificate has expired or is not yet valid: current time a is after b", true),
        ("certificate has expired or is not yet valid", true),
        ("certificate signed by unknown authority", false),
        ("certificate is valid for a, not r", false),
        ("cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs", false),
    ] {
        for before in ["", "tls: failed to verify certificate: "] {
            let text = format!("Get \"https://r/v2/\": {before}x509: {words}");
            assert_eq!(Refusal::of(Some(500), &text).is_transient(), transient, "{text}");
        }
    }
}

#[test]
fn without_a_code_the_status_of_the_engine_counts() {
    for (status, kind) in [
        (400, Refusal::BadRequest),
        (401, Refusal::LoginRefused),
        (404, Refusal::NotThere),
        (409, Refusal::Other),
        (429, Refusal::TooMany),
        (500, Refusal::Other),
    ] {
        assert_eq!(Refusal::of(Some(status), "something"), kind);
    }
    assert_eq!(Refusal::of(Some(404), "no matching manifest for linux/amd64"), Refusal::Unusable);
    assert_eq!(Refusal::of(Some(500), "unauthorized: bad login"), Refusal::LoginRefused);
}
