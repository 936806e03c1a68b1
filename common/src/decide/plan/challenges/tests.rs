//! Which components of a tenant that orders its certificate answer challenges, and by which files.

use crate::document::catalog::CatalogSources;
use crate::document::plan::Plan;
use crate::id::{AccountThumbprint, ComponentName};
use crate::testing::{CATALOG, SPEC, nodes, plan_by};
use crate::text::problem::Problems;

const TLS: &str = "tls: {mode: acme, names: [a.example.com], contact: it@example.com}";
const FILE: &str = "    files:\n      - {template: answer.j2, path: /etc/answer.conf, \
                    challenge: true}\n";

/// Plans the usual tenant with these lines in its document, whose voice server has these files.
fn plan(tls: &str, files: &str) -> Result<Plan, Problems> {
    let catalog = CATALOG.replace("    image: voice\n", &format!("    image: voice\n{files}"));
    let mut sources = CatalogSources::new("test");
    sources.put("test/catalog.yaml", Ok(catalog));
    for path in sources.missing() {
        sources.put(&path, Ok("answer {{ acme.thumbprint }}\n".to_owned()));
    }
    let spec = SPEC.replace("components:", &format!("{tls}\ncomponents:"));
    plan_by(&nodes(), &spec, &sources.catalog()?, 1)
}

/// The texts of the files of a plan's voice servers.
fn texts(plan: &Plan) -> Vec<String> {
    let voice: ComponentName = "voice".parse().unwrap();
    let voices = plan.nodes.values().filter_map(|share| share.instances.get(&voice));
    let files = voices.flat_map(|it| it.instance.container().unwrap().options.files.clone());
    files.map(|file| file.text).collect()
}

#[test]
fn a_component_answers_challenges_only_for_a_tenant_that_orders_its_certificate() {
    let answer = format!("answer {}\n", AccountThumbprint::of_nothing());
    let ordering = plan(TLS, FILE).unwrap();
    assert_eq!(texts(&ordering), [answer.as_str(), answer.as_str()]);
    let other = plan("tls: {mode: selfsigned, names: [a.example.com]}", FILE).unwrap();
    assert_eq!(other.nodes, plan("", "").unwrap().nodes, "the others run what they ran before");
}

#[test]
fn a_tenant_without_a_component_that_answers_orders_nothing() {
    let refused = |files: &str| plan(TLS, files).map(drop).unwrap_err().to_string();
    let none = refused("");
    let message =
        "tls.mode: no component of the tenant can answer the challenges of an ACME directory";
    assert!(none.contains(message) && none.contains("use mode: custom or selfsigned"), "{none}");
}
