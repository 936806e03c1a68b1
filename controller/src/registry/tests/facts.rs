//! What a registry reports about an image beside its digest.

use std::collections::BTreeMap;

use super::*;

const CONFIG: &str = r#"{"os":"linux","architecture":"arm64","config":{"Cmd":["redis"]}}"#;
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const SINGLE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The answers by path: a body with its content type, or the address of a redirect.
type Answers = Arc<BTreeMap<String, std::result::Result<(String, String), String>>>;

async fn answer(State(answers): State<Answers>, request: Request) -> Response {
    match answers.get(request.uri().path()) {
        Some(Ok((kind, body))) => {
            let digest = format!("sha256:{}", ContentHash::of(body.as_bytes()));
            let is_head = request.method() == Method::HEAD;
            let ok = Response::builder().header("Content-Type", kind);
            let ok = ok.header("Docker-Content-Digest", digest);
            ok.body(if is_head { Body::empty() } else { Body::from(body.clone()) }).unwrap()
        }
        Some(Err(target)) => {
            let moved = Response::builder().status(307).header("Location", target);
            moved.body(Body::empty()).unwrap()
        }
        None => Response::builder().status(429).body(Body::empty()).unwrap(),
    }
}

/// Resolves the tag `1` of an image with that manifest, whose configuration is elsewhere.
async fn resolved(kind: &str, manifest: &str, is_readable: bool) -> ResolvedImage {
    let digest = format!("sha256:{}", ContentHash::of(manifest.as_bytes()));
    let config = format!("sha256:{}", ContentHash::of(CONFIG.as_bytes()));
    let manifest = (kind.to_owned(), manifest.to_owned());
    let mut answers = BTreeMap::from([
        ("/v2/redis/manifests/1".to_owned(), Ok(manifest.clone())),
        (format!("/v2/redis/blobs/{config}"), Err("/elsewhere?signed=1".to_owned())),
        ("/elsewhere".to_owned(), Ok(("application/octet-stream".to_owned(), CONFIG.to_owned()))),
    ]);
    if is_readable {
        answers.insert(format!("/v2/redis/manifests/{digest}"), Ok(manifest));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(answer).with_state(Arc::new(answers));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    let access = RegistryAccess { plain_http: true, ..RegistryAccess::default() };
    let access = HashMap::from([(address.to_string(), access)]);
    let repository = format!("{address}/redis").parse().unwrap();
    let registries = Registries::new(Reach { access, ..Reach::default() }, Clock::system());
    let resolved = registries.resolve(&repository, &"1".parse().unwrap()).await.unwrap();
    assert_eq!(resolved.digest.as_str(), digest);
    resolved
}

fn platforms(resolved: &ResolvedImage) -> Vec<&str> {
    resolved.facts.platforms.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn the_platforms_are_those_of_the_index_or_of_the_configuration_behind_a_redirect() {
    let index = r#"{"manifests":[{"platform":{"os":"linux","architecture":"amd64"}},
        {"platform":{"os":"unknown","architecture":"unknown"}}]}"#;
    assert_eq!(platforms(&resolved(INDEX, index, true).await), ["linux/amd64"]);
    let digest = ContentHash::of(CONFIG.as_bytes());
    let config = format!(
        r#"{{"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{digest}"}}}}"#
    );
    let single = resolved(SINGLE, &config, true).await;
    assert_eq!(platforms(&single), ["linux/arm64"]);
    assert_eq!(single.facts.has_command, Some(true));
}

#[tokio::test]
async fn an_image_whose_manifest_cannot_be_read_is_resolved_all_the_same() {
    assert_eq!(resolved(INDEX, "{}", false).await.facts, ImageFacts::default());
    assert_eq!(resolved(SINGLE, "no json", true).await.facts, ImageFacts::default());
}
