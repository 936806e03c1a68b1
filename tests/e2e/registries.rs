//! Tests of a tenant whose images come from several registries.

use anyhow::{Context as _, Result};
use oml_lab::{FurtherRegistry, RegistrySpec, Tls, Variant};
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{sh, start_times, wait_ready};
use oml_tests::trial::check;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::Case;
use crate::pool::Kind;
use crate::secrets::with_input;

pub(crate) const CASES: &[Case] =
    &[(Kind::Tiny, "a_tenant_runs_images_of_five_registries_with_three_logins", five_registries)];

const NODE: &str = "tiny-one";
const SMALL: &str = "omnileads/small";
/// A tag as a build names an image after its commit.
const LONG_TAG: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";
const NAMES: [&str; 4] = ["secure.lab", "plain.lab", "mirror.lab", "other.lab"];
const COMPONENTS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];
const SECURE_PASSWORD: &str = "only for secure.lab";
const MIRROR_PASSWORD: &str = "only for mirror.lab";

/// The certificates of the registry with TLS.
struct Certificates {
    authority: String,
    certificate: String,
    key: String,
}

impl Certificates {
    fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Authority of the lab");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec!["secure.lab".to_owned()])?;
        let certificate = params.signed_by(&key, &authority)?.pem();
        Ok(Self { authority: authority.pem(), certificate, key: key.serialize_pem() })
    }
}

fn five_registries(fleet: &Fleet) -> Result<()> {
    let certificates = Certificates::new()?;
    let registries = start(fleet, &certificates)?;
    let pinned = registries[0].digests()[0].clone();
    fleet.lab().registry()?.push_variant(SMALL, "v1", LONG_TAG, Variant::Named)?;
    configure(fleet, &certificates)?;
    let spec = format!(
        "\
tenant: tiny
catalog: five
registries:
  mirror.lab:5011: {{username: of-mirror, password: mirror_password}}
components:
  first: {LONG_TAG}
  second: \"of-secure@{pinned}\"
  third: {{image: \"plain.lab:5010/{SMALL}:of-plain\"}}   # in place of the catalog's
  fourth: of-mirror
  fifth: an-index
rollout: {{min_healthy_for: 2s}}
"
    );
    let path = fleet.write_spec("five.yaml", &spec)?;
    let lacks = fleet.ctl(&["plan", "-f", &path])?;
    let hint = "omlctl secret set tenant=tiny mirror_password";
    check(lacks.code == 2 && lacks.stderr.contains(hint), format!("{lacks:?}"))?;
    with_input(fleet, &["secret", "set", "tenant=tiny", "mirror_password"], MIRROR_PASSWORD)?;
    fleet.ctl_ok(&["apply", "-f", &path])?;
    for component in COMPONENTS {
        wait_ready(fleet, NODE, component)?;
    }
    check_images(fleet, &pinned)?;
    rotate(fleet)?;
    refuse(fleet, &path, &spec)?;
    forget_the_mirror(fleet, &path)?;
    clean_up(fleet)
}

fn start(fleet: &Fleet, certificates: &Certificates) -> Result<Vec<FurtherRegistry>> {
    let Certificates { certificate, key, .. } = certificates;
    let tls = Some(Tls { certificate, key });
    let plain = |name, port, images| RegistrySpec { name, port, login: None, tls: None, images };
    let specs = [
        RegistrySpec {
            login: Some(("of-secure", SECURE_PASSWORD)),
            tls,
            ..plain("secure", 5443, &[(SMALL, "of-secure", Variant::Named)])
        },
        plain(
            "plain",
            5010,
            &[(SMALL, "of-plain", Variant::Named), (SMALL, "foreign", Variant::ForeignIndex)],
        ),
        RegistrySpec {
            login: Some(("of-mirror", MIRROR_PASSWORD)),
            ..plain("mirror", 5011, &[(SMALL, "of-mirror", Variant::Named)])
        },
        plain("other", 5012, &[(SMALL, "an-index", Variant::Index)]),
    ];
    let started: Result<Vec<_>, _> =
        specs.iter().map(|spec| fleet.lab().further_registry(spec)).collect();
    Ok(started?)
}

/// Configures the controller and the host as the chapter "Registries" of docs/operating.md says.
fn configure(fleet: &Fleet, certificates: &Certificates) -> Result<()> {
    let gateway = fleet.lab().gateway()?;
    let line = format!("echo '{gateway} {}' >> /etc/hosts", NAMES.join(" "));
    let login = |folder: &str, name: &str, port: u16| {
        format!(
            "[registries.\"{name}.lab:{port}\"]\nusername = \"of-{name}\"\n\
             password_file = \"{folder}/{name}.password\"\n"
        )
    };
    for (host, folder) in [(CONTROLLER, "/etc/omlcontroller"), (NODE, "/etc/omlagent")] {
        sh(fleet, host, &line)?;
        let file = format!("{folder}/secure.password");
        fleet.host(host)?.push(&file, SECURE_PASSWORD.as_bytes(), 0o600)?;
    }
    let controller = fleet.host(CONTROLLER)?;
    let folder = "/etc/omlcontroller";
    controller.push(&format!("{folder}/lab-ca.pem"), certificates.authority.as_bytes(), 0o644)?;
    let text = format!(
        "{}ca_file = \"{folder}/lab-ca.pem\"\n\
         [registries.\"mirror.lab:5011\"]\ninsecure = true\n\
         [registries.\"plain.lab:5010\"]\ninsecure = true\n\
         [registries.\"other.lab:5012\"]\ninsecure = true\n\
         [mirrors]\n\"docker.io/mirrored/\" = \"mirror.lab:5011/omnileads/\"\n",
        login(folder, "secure", 5443),
    );
    controller.push(&format!("{folder}/conf.d/registries.toml"), text.as_bytes(), 0o600)?;
    let catalog = include_str!("../catalogs/five.yaml");
    controller.push("/usr/share/omlcontroller/catalog/five.yaml", catalog.as_bytes(), 0o644)?;
    let own = "chown -R omlcontroller: /etc/omlcontroller && systemctl restart omlcontroller";
    sh(fleet, CONTROLLER, own)?;

    let host = fleet.host(NODE)?;
    let folder = "/etc/omlagent";
    let text = login(folder, "secure", 5443);
    host.push(&format!("{folder}/conf.d/registries.toml"), text.as_bytes(), 0o600)?;
    let certificate = "/etc/docker/certs.d/secure.lab:5443/ca.crt";
    host.push(certificate, certificates.authority.as_bytes(), 0o644)?;
    let insecure = [
        "registry.lab:5000",
        "registry.lab:5001",
        "plain.lab:5010",
        "mirror.lab:5011",
        "other.lab:5012",
    ];
    fleet.lab().set_insecure_registries(host, &insecure)?;
    sh(fleet, NODE, "systemctl reload docker && systemctl restart omlagent").map(drop)
}

/// Checks that another version of the password of a registry restarts nothing.
fn rotate(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let words = ["secret", "rotate", "tenant=tiny", "mirror_password"];
    let said = with_input(fleet, &words, MIRROR_PASSWORD)?;
    check(said.contains("pulled with secret mirror_password version 2"), &said)?;
    check(start_times(fleet, NODE)? == before, "a rotated password restarted a container")
}

/// Checks that every image came from its own registry, and the pinned one is the one that was named.
fn check_images(fleet: &Fleet, pinned: &str) -> Result<()> {
    let names = sh(fleet, NODE, "docker images --digests --format '{{.Repository}} {{.Digest}}'")?;
    for registry in [
        "registry.lab:5000",
        "secure.lab:5443",
        "plain.lab:5010",
        "mirror.lab:5011",
        "other.lab:5012",
    ] {
        check(names.contains(&format!("{registry}/{SMALL} ")), format!("{registry}: {names}"))?;
    }
    check(names.contains(&format!("secure.lab:5443/{SMALL} {pinned}")), &names)?;
    check(!names.contains("mirrored"), names)
}

/// Checks that what cannot run or is written wrong is refused by its name, and nothing is restarted for it.
fn refuse(fleet: &Fleet, path: &str, spec: &str) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let refused = |arguments: &[&str], words: &[&str]| {
        let ended = fleet.ctl(arguments)?;
        check(ended.code == 2, format!("{ended:?}"))?;
        let missing = words.iter().find(|words| !ended.stderr.contains(**words));
        check(missing.is_none(), format!("{missing:?} is not in {}", ended.stderr))
    };
    let platform = sh(fleet, NODE, "docker version --format '{{.Server.Os}}/{{.Server.Arch}}'")?;
    let platform = platform.trim();
    refused(
        &["set-version", "tenant=tiny", "third=foreign"],
        &["foreign cannot run on tiny-one: it is for linux/s390x, and the host is ", platform],
    )?;
    refused(
        &["set-version", "tenant=tiny", "fourth=missing"],
        &[
            "the registry mirror.lab:5011 has no image omnileads/small:missing",
            "docker.io/mirrored/small",
        ],
    )?;
    refused(&["set-version", "tenant=tiny", "second=of-secure@sha256:12"], &["is not a digest"])?;
    let wrong = spec
        .replace("first: ", "first: Of:")
        .replace("plain.lab:5010/omnileads", "plain.lab:5010/OMniLeads");
    fleet.write_spec("five-wrong.yaml", &wrong)?;
    let wrong = path.replace("five.yaml", "five-wrong.yaml");
    refused(
        &["apply", "-f", &wrong],
        &["components.first", "write plain.lab:5010/omnileads/small:of-plain"],
    )?;
    check(start_times(fleet, NODE)? == before, "a refused change restarted a container")
}

/// Checks that a rule which is removed is shown by the plan of the next change and restarts nothing.
fn forget_the_mirror(fleet: &Fleet, path: &str) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let script = "sed -i '/^.mirrors.$/,$d' /etc/omlcontroller/conf.d/registries.toml && \
                  systemctl restart omlcontroller";
    sh(fleet, CONTROLLER, script)?;
    let plan = fleet.ctl_ok(&["plan", "-f", path])?;
    check(plan.contains("pulled from docker.io/mirrored/small"), &plan)?;
    fleet.ctl_ok(&["apply", "-f", path])?;
    check(start_times(fleet, NODE)? == before, "a rule that was removed restarted a container")
}

fn clean_up(fleet: &Fleet) -> Result<()> {
    let first = fleet.write_spec("first.yaml", &fleet.spec()?)?;
    fleet.ctl_ok(&["apply", "-f", &first, "--prune"])?;
    fleet.ctl_ok(&["secret", "remove", "tenant=tiny", "mirror_password", "--yes"])?;
    let host = fleet.host(NODE).context("find the host")?;
    fleet.lab().set_live_restore(host, true)?;
    let names = NAMES.join(" ");
    let forget = format!("sed -i '/{names}/d' /etc/hosts");
    for (host, then) in [
        (
            CONTROLLER,
            "rm /etc/omlcontroller/conf.d/registries.toml /usr/share/omlcontroller/catalog/five.yaml \
             && systemctl restart omlcontroller",
        ),
        (
            NODE,
            "rm -r /etc/omlagent/conf.d/registries.toml /etc/docker/certs.d/secure.lab:5443 \
             && systemctl reload docker && systemctl restart omlagent",
        ),
    ] {
        sh(fleet, host, &forget)?;
        sh(fleet, host, then)?;
    }
    Ok(())
}
