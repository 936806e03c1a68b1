//! The stand-ins of the lab obey the rules of the real images: they read no key that no real image knows,
//! and they refuse to start where the real ones do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
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

/// The text of the first program, with what it ends in if that is a file for several images.
fn text_of(image: &str) -> String {
    let read = |path: PathBuf| fs::read_to_string(path).expect("the script is there");
    let text = read(script(image));
    match text.contains("\n. /oml/configure\n") {
        true => text + &read(folder().join("../lab/images/asterisk/configure.sh")),
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
    let mut sh = Command::new("sh");
    sh.arg(script(image)).args(command).env_clear().env("PATH", "/usr/bin:/bin").envs(env);
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
        let text = text_of(image);
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

/// The programs of the lines that have a script of their own.
const OF_LINES: [(Runs, &str); 6] = [
    (Runs::Postgres, "postgres"),
    (Runs::Redisgears, "redisgears"),
    (Runs::Asterisk126, "asterisk-1.26"),
    (Runs::Asterisk22, "asterisk-2.2"),
    (Runs::Nginx126, "nginx-1.26"),
    (Runs::Nginx22, "nginx-2.2"),
];

#[test]
fn a_real_program_of_a_line_reads_no_key_that_its_contract_lacks() {
    let mut used = BTreeSet::new();
    for contract in lines().into_iter().flat_map(|line| line.contracts) {
        let Some((runs, name)) = OF_LINES.into_iter().find(|it| contract.runs == Some(it.0)) else {
            continue;
        };
        used.insert(runs);
        for key in named(&text_of(&format!("lines/{name}"))) {
            let image = &contract.image;
            assert!(contract.reads.declares(&key), "lines/{name} reads {key}, {image} does not");
        }
    }
    assert_eq!(used, OF_LINES.map(|(runs, _)| runs).into());
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
