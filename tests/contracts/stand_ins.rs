//! The stand-ins of the lab obey the rules of the real images: they read no key that no real image knows,
//! and they refuse to start where the real ones do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use oml_lab::contract::Runs;

use crate::contract::{Contract, folder, lines};
use crate::line_of;

/// The catalog of the lab.
const LAB: &str = "omnileads.yaml";

/// Everything that the stand-in of the web application needs.
const APPLICATION: [&str; 20] = [
    "TZ",
    "INSTALL_PREFIX",
    "DJANGO_SETTINGS_MODULE",
    "OMNILEADS_HOSTNAME",
    "KAMAILIO_HOSTNAME",
    "REDIS_HOSTNAME",
    "AMI_USER",
    "AMI_PASSWORD",
    "PGHOST",
    "PGPORT",
    "PGUSER",
    "PGDATABASE",
    "PGPASSWORD",
    "EPHEMERAL_USER_TTL",
    "SESSION_COOKIE_AGE",
    "LOGIN_FAILURE_LIMIT",
    "CALIFICACION_REAGENDA",
    "OML_BRANCH",
    "OML_COMMIT",
    "OML_BUILD_DATE",
];

/// The first program of the stand-in for an image.
fn script(image: &str) -> PathBuf {
    folder().join("../lab/images").join(image).join("start.sh")
}

/// The text of a first program, with what it ends in if that is a file for several images.
fn text_of(script: &Path) -> String {
    let read = |path: &Path| fs::read_to_string(path).expect("the script is there");
    let text = read(script);
    match text.contains("\n. /oml/configure\n") {
        true => text + &read(&folder().join("../lab/images/asterisk/configure.sh")),
        false => text,
    }
}

/// The last part of a repository.
fn short(contract: &Contract) -> &str {
    contract.image.rsplit('/').next().unwrap_or_default()
}

/// Every variable of the environment that a script names: `$NAME`, `${NAME…}` and the words of `for key in`.
fn named(script: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let script = script.replace("\\\n", " ");
    let name = |text: &str| text.split(|c| !is_part(c)).next().unwrap_or_default().to_owned();
    let behind_dollar = script.split('$').skip(1).map(|rest| name(rest.trim_start_matches('{')));
    let lists = script.lines().filter_map(|line| line.trim().strip_prefix("for key in "));
    let listed = lists.flat_map(str::split_whitespace).map(name);
    let is_key = |name: &String| name.starts_with(|c: char| c.is_ascii_uppercase());
    behind_dollar.chain(listed).filter(is_key).collect()
}

/// Runs a stand-in's first program with this environment only.
fn start(image: &str, command: &[&str], env: &BTreeMap<&str, &str>) -> Output {
    start_script(&script(image), command, env)
}

fn start_script(script: &Path, command: &[&str], env: &BTreeMap<&str, &str>) -> Output {
    let mut sh = Command::new("sh");
    sh.arg(script).args(command).env_clear().env("PATH", "/usr/bin:/bin").envs(env);
    sh.output().expect("sh can be run")
}

/// Asserts that a stand-in refuses to start with this exit code, in these words.
fn assert_refused(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{said:?} does not say {words:?}");
}

#[test]
fn a_stand_in_reads_what_its_contract_says_and_nothing_else() {
    for contract in line_of(LAB).contracts {
        let image = short(&contract);
        let text = text_of(&script(image));
        let promised = contract.reads.required.iter().chain(&contract.reads.optional);
        let promised: BTreeSet<String> = promised.cloned().collect();
        let read = named(&text);
        let undeclared: Vec<&String> = read.difference(&promised).collect();
        assert!(undeclared.is_empty(), "{image} reads {undeclared:?}, which its contract lacks");
        let unread: Vec<&String> = promised.difference(&read).collect();
        assert!(unread.is_empty(), "{image} does not read {unread:?} of its contract");
    }
}

#[test]
fn no_key_of_the_lab_is_invented() {
    let all = lines();
    let real: Vec<&Contract> =
        all.iter().filter(|line| line.catalog != LAB).flat_map(|line| &line.contracts).collect();
    for contract in line_of(LAB).contracts {
        let image = short(&contract);
        let reads = &contract.reads;
        for key in reads.required.iter().chain(&reads.optional).chain(&reads.given) {
            let is_real = real.iter().any(|it| short(it) == image && it.reads.declares(key));
            assert!(is_real, "{key} of the stand-in for {image} is a key of no real image");
        }
    }
}

#[test]
fn the_stand_in_for_nginx_refuses_without_its_hosts_and_ports() {
    let all = ["DJANGO_HOSTNAME", "WSGI_PORT", "DAPHNE_HOSTNAME", "ASGI_PORT"];
    let words = "***[oml-nginx] ERROR: Missing required environment variables:";
    assert_refused(&start("nginx", &[], &BTreeMap::new()), 1, words);
    for missing in all {
        let env = all.into_iter().filter(|key| *key != missing).map(|key| (key, "1")).collect();
        assert_refused(&start("nginx", &[], &env), 1, &format!("{words} {missing}\n"));
    }
}

#[test]
fn the_stand_in_for_asterisk_refuses_without_its_keys_and_in_an_unknown_environment() {
    let all = ["ENV", "TZ", "AMI_USER", "AMI_PASSWORD"];
    for missing in all {
        let env = all.into_iter().filter(|key| *key != missing).map(|key| (key, "all")).collect();
        let words = format!("ERROR: Environment variable '{missing}' must be set");
        assert_refused(&start("asterisk", &[], &env), 1, &words);
    }
    let env = all.into_iter().map(|key| (key, "devenv")).collect();
    assert_refused(&start("asterisk", &[], &env), 1, "ERROR: Invalid ENV='devenv'");
}

#[test]
fn the_stand_in_for_the_application_needs_a_command_and_its_settings() {
    let nothing = BTreeMap::new();
    assert_refused(&start("omlapp", &[], &nothing), 127, "no command specified");
    assert_refused(&start("omlapp", &["serve"], &nothing), 127, "serve: not found");
    for command in ["/opt/omnileads/bin/init_uwsgi.sh", "/opt/omnileads/bin/init_daphne.sh"] {
        for missing in APPLICATION {
            let env = APPLICATION.into_iter().filter(|key| *key != missing).map(|key| (key, "1"));
            let words = format!("AssertionError: Falta definir setting para {missing}");
            assert_refused(&start("omlapp", &[command], &env.collect()), 1, &words);
        }
    }
}

#[test]
fn the_stand_ins_for_kamailio_and_websockets_refuse_what_the_real_ones_do_not_understand() {
    let words = "environment variable 'KAMAILIO_HOSTNAME' is not set";
    assert_refused(&start("kamailio", &[], &BTreeMap::new()), 1, words);
    let env = [("BIND_ADDRESS", "0.0.0.0"), ("REDIS_HOST", "redis://10.0.0.1")].into();
    assert_refused(&start("websockets", &[], &env), 1, "BIND_ADDRESS must be ADDRESS:PORT");
    let env = [("BIND_ADDRESS", "0.0.0.0:8000"), ("REDIS_HOST", "10.0.0.1")].into();
    assert_refused(&start("websockets", &[], &env), 1, "REDIS_HOST must be redis://HOST");
}

/// The real programs of 3.X refuse before they change anything, so that nothing of this machine is changed here.
#[test]
fn the_real_programs_of_3_refuse_without_their_keys() {
    for (component, path, command) in [
        ("kamailio-webrtc", "kamailio-3/webrtc.sh", ""),
        ("kamailio-pstn", "kamailio-3/pstn.sh", ""),
        ("acd-server", "asterisk-3/start.sh", "/docker-entrypoint.sh"),
    ] {
        let contracts = line_of("omnileads-3.yaml").contracts;
        let mut of = contracts.iter().filter(|it| it.components.iter().any(|it| it == component));
        let required = &of.next().expect("it has a contract").reads.required;
        let script = folder().join("../lab/images/lines").join(path);
        for missing in required {
            let others = required.iter().filter(|key| *key != missing);
            let env = others.map(|key| (key.as_str(), "1")).collect();
            let words = format!("ERROR: environment variable '{missing}' ");
            assert_refused(&start_script(&script, &[command], &env), 1, &words);
        }
    }
    for path in ["kamailio-3/start.sh", "asterisk-3/start.sh"] {
        let script = folder().join("../lab/images/lines").join(path);
        let words = "no command specified: the image has none of its own";
        assert_refused(&start_script(&script, &[], &BTreeMap::new()), 127, words);
    }
    let env = [("TZ", "Nowhere"), ("AMI_USER", "1"), ("AMI_PASSWORD", "1")].into();
    let words = "ERROR: Timezone file '/usr/share/zoneinfo/Nowhere' does not exist";
    let refused = start("lines/asterisk-3", &["/docker-entrypoint.sh"], &env);
    assert_refused(&refused, 1, words);
}

/// The programs of the lines that have a script of their own: which program, of which component if that matters, and the
/// script.
const OF_LINES: [(Runs, &str, &str); 9] = [
    (Runs::Postgres, "", "postgres/start.sh"),
    (Runs::Redisgears, "", "redisgears/start.sh"),
    (Runs::Asterisk126, "", "asterisk-1.26/start.sh"),
    (Runs::Asterisk22, "", "asterisk-2.2/start.sh"),
    (Runs::Asterisk3, "", "asterisk-3/start.sh"),
    (Runs::Kamailio3, "kamailio-webrtc", "kamailio-3/webrtc.sh"),
    (Runs::Kamailio3, "kamailio-pstn", "kamailio-3/pstn.sh"),
    (Runs::Nginx126, "", "nginx-1.26/start.sh"),
    (Runs::Nginx22, "", "nginx-2.2/start.sh"),
];

#[test]
fn a_real_program_of_a_line_reads_no_key_that_its_contract_lacks() {
    let contracts: Vec<Contract> = lines().into_iter().flat_map(|line| line.contracts).collect();
    for (runs, component, path) in OF_LINES {
        let is_of = |it: &&Contract| {
            let components = &it.components;
            it.runs == Some(runs)
                && (component.is_empty() || components.iter().any(|it| it == component))
        };
        let of: Vec<&Contract> = contracts.iter().filter(is_of).collect();
        assert!(!of.is_empty(), "no contract is of {path}");
        let keys = named(&text_of(&folder().join("../lab/images/lines").join(path)));
        for (key, contract) in keys.iter().flat_map(|key| of.iter().map(move |it| (key, it))) {
            let image = &contract.image;
            assert!(contract.reads.declares(key), "lines/{path} reads {key}, {image} does not");
        }
    }
}

/// The words between backticks in the first column of a table of CONTRACT.md.
fn rows_of(title: &str) -> BTreeSet<String> {
    let path = folder().join("../lab/images/CONTRACT.md");
    let text = fs::read_to_string(path).expect("the page is there");
    let table = text.lines().skip_while(|line| !line.starts_with(&format!("| `{title}` | what")));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|line| line.split('|').nth(1).map(str::to_owned));
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn the_page_says_of_every_protocol_and_program_what_is_imitated() {
    let contracts: Vec<Contract> = lines().into_iter().flat_map(|line| line.contracts).collect();
    let runs: BTreeSet<String> =
        contracts.iter().filter_map(|it| it.runs).map(|runs| runs.as_str().to_owned()).collect();
    assert_eq!(rows_of("runs"), runs);
    let stand_ins = contracts.iter().filter(|it| it.runs == Some(Runs::StandIn));
    let listens = stand_ins.flat_map(Contract::all_commands).flat_map(|command| command.listens);
    let spoken: BTreeSet<String> = listens.map(|it| it.speaks.as_str().to_owned()).collect();
    assert_eq!(rows_of("speaks"), spoken);
}

#[test]
fn the_names_in_a_script_are_found() {
    let text = "for key in ONE TWO \\\n    THREE; do eval \"value=\\${$key:-}\"; done\n\
                echo $FOUR \"${FIVE:-$SIX}\" $1 $lower ${PORT##*:}\n";
    let found: Vec<String> = named(text).into_iter().collect();
    assert_eq!(found, ["FIVE", "FOUR", "ONE", "PORT", "SIX", "THREE", "TWO"]);
}
