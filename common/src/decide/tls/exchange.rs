//! A plan with another certificate and nothing else that is new.

use crate::decide::secrets::{ChosenSecret, ChosenSecrets};
use crate::document::instance::{Instance, KeptSecret, Workload};
use crate::document::plan::Plan;
use crate::document::tls_secret::TlsSecret;
use crate::id::RevisionNumber;

/// Returns a plan as it is, but with these versions of the certificate and its key. Nobody looks at a renewal,
/// so that it changes nothing else: not what a catalog, a registry or a node would change by now.
#[must_use]
pub fn with_certificate(plan: &Plan, revision: RevisionNumber, chosen: &ChosenSecrets) -> Plan {
    let mut changed = Plan { revision, ..plan.clone() };
    for desired in changed.nodes.values_mut().flat_map(|share| share.instances.values_mut()) {
        if desired.instance.program_secrets().any(|it| replacement(it, chosen).is_some()) {
            *desired = desired.edited(|desired| {
                desired.instance = desired.instance.edited(|it| exchange(it, chosen));
            });
        }
    }
    changed
}

fn exchange(instance: &mut Instance, chosen: &ChosenSecrets) {
    if let Some(reload) = &mut instance.reload {
        let secrets = std::mem::take(&mut reload.secrets).into_iter();
        let secrets = secrets.map(|it| replacement(&it, chosen).unwrap_or(it));
        reload.secrets = secrets.collect();
    }
    let mut of_container = instance.container().into_iter().flat_map(|it| it.kept_secrets.values());
    // The identity of a workload is the hash of its bytes, which stay if nothing in it changes.
    if !of_container.any(|it| replacement(it, chosen).is_some()) {
        return;
    }
    instance.workload = instance.workload.edited(|workload| {
        let Workload::Container(container) = workload else { return };
        for secret in container.kept_secrets.values_mut() {
            if let Some(other) = replacement(secret, chosen) {
                *secret = other;
            }
        }
    });
}

/// Returns the chosen version of a part of the certificate; none of any other secret.
fn replacement(secret: &KeptSecret, chosen: &ChosenSecrets) -> Option<KeptSecret> {
    TlsSecret::of(&secret.name)?;
    let ChosenSecret { version, mark, .. } = chosen.get(&secret.name)?;
    Some(KeptSecret { version: *version, mark: mark.clone(), ..secret.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CATALOG, SPEC, plan_with_secrets};

    fn chosen(version: u64) -> ChosenSecrets {
        let parts = [TlsSecret::Certificate, TlsSecret::Key];
        let of = |secret: TlsSecret| {
            let mark = format!("{:016x}{version:016x}", secret as u64).parse().unwrap();
            (secret.name(), ChosenSecret { version, mark, has_lines: true })
        };
        parts.map(of).into()
    }

    fn plan(reload: &str, version: u64, revision: u64) -> Plan {
        let part = |name: &str| format!("{{name: {name}, from: controller, file: /tls/{name}}}");
        let (certificate, key) = (part("tls_certificate"), part("tls_key"));
        let secrets = format!("    secrets: {{CERTIFICATE: {certificate}, KEY: {key}}}\n{reload}");
        let catalog =
            CATALOG.replace("    image: voice\n", &format!("    image: voice\n{secrets}"));
        let tls = "tls: {mode: custom}\ncomponents:";
        let spec = SPEC.replace("components:", tls);
        plan_with_secrets(&spec, &catalog, &chosen(version), revision).unwrap()
    }

    #[test]
    fn a_plan_with_another_certificate_is_the_one_that_would_be_made() {
        for reload in ["", "    reload: {signal: HUP}\n"] {
            let changed = with_certificate(&plan(reload, 1, 7), RevisionNumber(8), &chosen(2));
            assert_eq!(changed, plan(reload, 2, 8), "{reload}");
        }
        let same = with_certificate(&plan("", 1, 7), RevisionNumber(7), &ChosenSecrets::new());
        assert_eq!(same, plan("", 1, 7));
    }
}
