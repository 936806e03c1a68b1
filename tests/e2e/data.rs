//! Tests that data outlives upgrades: of real PostgreSQL and Redis, and of a stand-in for MinIO, which keeps a drive in
//! its forms.

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{
    SOON, instance, newest_revision, sh, start_times, wait_instance, wait_ready,
};
use oml_tests::trial::check;
use oml_tests::{CtlOutput, Fleet};

use crate::Case;
use crate::pool::Kind;

use self::forced::{FORCED, Forced, MINIO_OF_2022, MINIO_OF_2023, MINIO_OF_2025, REDIS_BACK};

mod forced;

pub(crate) const CASES: &[Case] = &[(
    Kind::Tiny,
    "data_outlives_upgrades_and_a_version_that_cannot_read_it_is_refused",
    data_outlives,
)];

const NODE: &str = "tiny-one";
const CATALOG: &str = include_str!("../catalogs/data.yaml");
const RELEASES: &str = include_str!("../catalogs/data.releases.yaml");
const FOLDER: &str = "/usr/share/omlcontroller/catalog";
const RESTART: &str = "systemctl restart omlcontroller";
const COMPONENTS: [&str; 3] = ["postgres", "redis", "minio"];
/// The image of MinIO by its contract.
const MINIO: &str = "quay.io/minio/minio";
/// What is kept in each of them, which occurs nowhere by accident.
const ROW: &str = "a-row-of-the-call-log-41d7";
const KEY: &str = "a-registered-agent-9c02";
const OBJECT: &str = "a-recording-of-a-call-e85b";
const SQL: &str = "docker exec data-postgres /usr/lib/postgresql/15/bin/psql -h /run/postgresql -U postgres -tA -c";
const BUCKET: &str = "http://127.0.0.1:9000/recordings";
const ADDRESS: &str = "http://127.0.0.1:9000/recordings/2026/one.wav";
/// Where MinIO says in which form it keeps its drive, for a shell of its host.
const FORMAT: &str =
    "$(docker volume inspect -f '{{.Mountpoint}}' data_minio)/.minio.sys/format.json";
/// Where the dump of the old Redis is kept on its host.
const DUMP: &str = "/root/redis-6.rdb";
/// The folder of the volume of Redis, for a shell of its host.
const VOLUME: &str = "$(docker volume inspect -f '{{.Mountpoint}}' data_redis)";
/// What the plan of the upgrade says.
const ONE_WAY: &str = "redis 6.0.16 -> 7.0.15 has no way back, not even when its rollout fails: Redis 7 writes a dump \
                       that Redis 6 cannot read; a way back would lose what Redis holds";

fn data_outlives(fleet: &Fleet) -> Result<()> {
    let tried = from_nothing(fleet);
    // The next test finds the fleet as it was, also after a failure of a part.
    let cleaned = clean_up(fleet);
    tried.and(cleaned)
}

fn from_nothing(fleet: &Fleet) -> Result<()> {
    fleet.lab().add_data_images()?;
    let minio = [MINIO_OF_2022, MINIO_OF_2023, MINIO_OF_2025].map(|tag| (MINIO, tag));
    fleet.lab().add_images_of("2.6", &minio)?;
    let controller = fleet.host(CONTROLLER)?;
    controller.push(&format!("{FOLDER}/data.yaml"), CATALOG.as_bytes(), 0o644)?;
    controller.push(&format!("{FOLDER}/data.releases.yaml"), RELEASES.as_bytes(), 0o644)?;
    sh(fleet, CONTROLLER, RESTART)?;
    until("the controller answers", SOON, || {
        newest_revision(fleet).map_err(|error| format!("{error:#}"))
    })?;
    let first = install(fleet)?;
    let digest = instance(fleet, NODE, "redis")?["digest"].clone();
    let digest = digest.as_str().context("Redis 6 has a digest")?.to_owned();
    write_all(fleet)?;
    find_all(fleet)?;
    keep_the_dump(fleet)?;
    let upgraded = upgrade_redis(fleet)?;
    upgrade_the_others_with_the_agent_killed(fleet)?;
    the_others_go_back(fleet, upgraded)?;
    for way in ways_back(first, &digest) {
        is_refused(fleet, &way)?;
    }
    for forced in &FORCED {
        fails_when_forced(fleet, forced).with_context(|| forced.component.to_owned())?;
    }
    goes_back_to_its_backup(fleet)
}

/// Installs the first versions, and returns the number of their revision.
fn install(fleet: &Fleet) -> Result<u64> {
    let path = document(fleet, "6.0.16", "2s")?;
    let words = ["apply", "-f", &path, "--prune", "--timeout", "10m"];
    fleet.ctl_ok(&words)?;
    for component in COMPONENTS {
        wait_ready(fleet, NODE, component)?;
    }
    newest_revision(fleet)
}

/// Writes the document with the first versions of all but Redis, and with a time for soaks.
fn document(fleet: &Fleet, redis: &str, soak: &str) -> Result<String> {
    let registry = fleet.lab().registry()?.name();
    let text = format!(
        "tenant: tiny\ncatalog: data\nregistry: {registry}/data\ncomponents:\n  postgres: 15-a\n  \
         redis: {redis}\n  minio: \"{MINIO_OF_2023}\"\nrollout: {{min_healthy_for: {soak}}}\n"
    );
    fleet.write_spec("data.yaml", &text)
}

fn redis(fleet: &Fleet, command: &str) -> Result<String> {
    sh(fleet, NODE, &format!("docker exec data-redis redis-cli {command}"))
}

fn write_all(fleet: &Fleet) -> Result<()> {
    sh(fleet, NODE, &format!("{SQL} 'CREATE TABLE calls (note text)'"))?;
    sh(fleet, NODE, &format!("{SQL} \"INSERT INTO calls VALUES ('{ROW}')\""))?;
    let answer = redis(fleet, &format!("set agent {KEY}"))?;
    check(answer.trim() == "OK", answer)?;
    let put = "curl -sfS -m 10 -X PUT --data-binary";
    sh(fleet, NODE, &format!("{put} '' {BUCKET} && {put} {OBJECT} {ADDRESS}"))?;
    let format = sh(fleet, NODE, &format!("cat {FORMAT}"))?;
    check(format.contains("\"format\":\"xl-single\""), format)
}

/// Finds the row, the key and the object, which are what was written.
fn find_all(fleet: &Fleet) -> Result<()> {
    let row = sh(fleet, NODE, &format!("{SQL} 'SELECT note FROM calls'"))?;
    check(row.trim() == ROW, row)?;
    let key = redis(fleet, "get agent")?;
    check(key.trim() == KEY, key)?;
    let object = sh(fleet, NODE, &format!("curl -sfS -m 10 {ADDRESS}"))?;
    check(object == OBJECT, object)
}

/// Keeps the dump of the old Redis, as the handbook says.
fn keep_the_dump(fleet: &Fleet) -> Result<()> {
    let saved = redis(fleet, "save")?;
    check(saved.trim() == "OK", saved)?;
    sh(fleet, NODE, &format!("docker cp data-redis:/data/dump.rdb {DUMP}")).map(drop)
}

fn runs(fleet: &Fleet, versions: [&str; 3]) -> Result<()> {
    for (component, version) in COMPONENTS.into_iter().zip(versions) {
        let what = format!("{component} runs {version}");
        wait_instance(fleet, NODE, component, &what, |seen| {
            seen["phase"]["name"] == "ready" && seen["version"] == version
        })?;
    }
    Ok(())
}

/// Upgrades Redis over the step without a way back, of which the plan says what a way back would lose. Nobody
/// has seen that without a terminal, so it is made only with the answer.
fn upgrade_redis(fleet: &Fleet) -> Result<u64> {
    let words = ["set-version", "tenant=tiny", "redis=7.0.15"];
    let planned = fleet.ctl(&[&words[..], &["--dry-run"]].concat())?;
    check(planned.code == 0 && planned.stderr.contains(ONE_WAY), format!("{planned:?}"))?;
    let before = start_times(fleet, NODE)?;
    let asked = fleet.ctl(&words)?;
    check(asked.code == 2 && asked.stderr.contains("add --yes"), format!("{asked:?}"))?;
    check(start_times(fleet, NODE)? == before, "what was not answered changed something")?;
    a_broken_one_is_not_rolled_back(fleet)?;
    let path = document(fleet, "7.0.15", "2s")?;
    fleet.ctl_ok(&["apply", "-f", &path, "--yes"])?;
    runs(fleet, ["15-a", "7.0.15", MINIO_OF_2023])?;
    find_all(fleet)?;
    newest_revision(fleet)
}

/// A new version that answers and then dies has written its dump, so the old one is not started on it.
fn a_broken_one_is_not_rolled_back(fleet: &Fleet) -> Result<()> {
    let path = document(fleet, "7.0.16", "40s")?;
    let CtlOutput { code, stdout, stderr } = fleet.ctl(&["apply", "-f", &path, "--yes"])?;
    let said = stdout + &stderr;
    let parts = ["a failure pauses this rollout", "during its soak", "is paused"];
    check(code == 1 && parts.iter().all(|part| said.contains(part)), format!("{code}: {said}"))?;
    let reason = "it is not rolled back, because the version before cannot read what it may have \
                  written";
    wait_instance(fleet, NODE, "redis", "Redis is not rolled back", |seen| {
        let is_said = seen["reason"].as_str().is_some_and(|said| said.contains(reason));
        is_said && seen["phase"]["name"] == "failed"
    })?;
    let dump = sh(fleet, NODE, &format!("head -c 9 {VOLUME}/dump.rdb"))?;
    check(dump == "REDIS0010", dump)
}

/// A script that kills the agent as soon as a container does not run any more, so that the change is made by
/// two of its lives.
fn kill_after_the_stop(container: &str) -> String {
    format!(
        "n=0
while [ \"$(docker inspect -f '{{{{.State.Running}}}}' {container})\" = true ]; do
  n=$((n + 1)); [ $n -lt 600 ] || {{ echo {container} still runs; exit 1; }}
  sleep 0.05
done
systemctl kill -s KILL omlagent"
    )
}

fn upgrade_the_others_with_the_agent_killed(fleet: &Fleet) -> Result<()> {
    let id = sh(fleet, NODE, "docker inspect -f '{{.Id}}' data-postgres")?;
    let main = || sh(fleet, NODE, "systemctl show -P MainPID omlagent");
    let killed = main()?;
    let minio = format!("minio={MINIO_OF_2025}");
    let words = ["set-version", "tenant=tiny", "postgres=15-b", &minio];
    fleet.ctl_ok(&[&words[..], &["--no-wait"]].concat())?;
    let script = kill_after_the_stop(id.trim());
    let done = fleet.host(NODE)?.exec_within(SOON, &["sh", "-c", &script])?;
    check(done.is_success(), format!("the agent was not killed: {done:?}"))?;
    // The same change waits for the end of the one in progress.
    fleet.ctl_ok(&[&words[..], &["--timeout", "5m"]].concat())?;
    check(main()? != killed, "the agent was not killed")?;
    runs(fleet, ["15-b", "7.0.15", MINIO_OF_2025])?;
    find_all(fleet)
}

/// Goes back to the revision before, in which Redis is already the new one.
fn the_others_go_back(fleet: &Fleet, upgraded: u64) -> Result<()> {
    let redis = start_times(fleet, NODE)?["data-redis"].clone();
    fleet.ctl_ok(&["rollback", "tenant=tiny", &format!("to={upgraded}"), "--yes"])?;
    runs(fleet, ["15-a", "7.0.15", MINIO_OF_2023])?;
    check(start_times(fleet, NODE)?["data-redis"] == redis, "Redis was started again")?;
    find_all(fleet)
}

/// A command of `omlctl` that leads to a version that may not read what is there, and what is said of it.
struct WayBack {
    words: Vec<String>,
    said: &'static str,
    hint: &'static str,
}

/// Returns every way to a version that cannot read what is there, or of which this is not known.
fn ways_back(first: u64, digest: &str) -> Vec<WayBack> {
    let forced = "put back what the earlier version can read first, then use --force REASON";
    let way = |line: String, said: &'static str, hint: &'static str| WayBack {
        words: line.split(' ').map(str::to_owned).collect(),
        said,
        hint,
    };
    vec![
        way(format!("rollback tenant=tiny to={first}"), REDIS_BACK, forced),
        way(format!("rollback tenant=tiny to={first} --yes"), REDIS_BACK, forced),
        way(format!("rollback tenant=tiny to={first} --dry-run"), REDIS_BACK, forced),
        way("set-version tenant=tiny redis=6.0.16 --yes".to_owned(), REDIS_BACK, forced),
        way("set-release tenant=tiny autumn --yes".to_owned(), REDIS_BACK, forced),
        way(
            format!("set-version tenant=tiny redis={digest}"),
            "may lead over a step without a way back",
            "add --yes",
        ),
        way(
            "set-version tenant=tiny postgres=17 --yes".to_owned(),
            FORCED[1].refusal,
            "convert what it has written first (dump and load it)",
        ),
        way(
            format!("set-version tenant=tiny minio={MINIO_OF_2022} --yes"),
            FORCED[2].refusal,
            forced,
        ),
    ]
}

fn is_refused(fleet: &Fleet, way: &WayBack) -> Result<()> {
    let before = (start_times(fleet, NODE)?, newest_revision(fleet)?);
    let words: Vec<&str> = way.words.iter().map(String::as_str).collect();
    let CtlOutput { code, stdout, stderr } = fleet.ctl(&words)?;
    let is_said = stderr.contains(way.said) && stderr.contains(way.hint);
    check(code == 2 && is_said, format!("{words:?}: exit code {code}: {stdout}{stderr}"))?;
    let after = (start_times(fleet, NODE)?, newest_revision(fleet)?);
    check(before == after, format!("{words:?}: {before:?}, then {after:?}"))
}

/// With a reason such a version is tried: its program refuses what it finds, in words of its own, the host runs the version
/// before again, and the rollout waits for a decision.
fn fails_when_forced(fleet: &Fleet, forced: &Forced) -> Result<()> {
    let Forced { component, is, tried, refusal, words, end } = forced;
    let others = || -> Result<_> {
        let mut times = start_times(fleet, NODE)?;
        times.remove(&format!("data-{component}"));
        Ok(times)
    };
    let before = others()?;
    let reason = format!("a trial of {component} {tried}");
    let version = format!("{component}={tried}");
    let change = ["set-version", "tenant=tiny", &version, "--force", &reason];
    let planned = fleet.ctl(&[&change[..], &["--dry-run"]].concat())?;
    let warning = format!("forced: {refusal}");
    check(planned.code == 0 && planned.stderr.contains(&warning), format!("{planned:?}"))?;
    let CtlOutput { code, stdout, stderr } = fleet.ctl(&change)?;
    let said = stdout + &stderr;
    check(code == 1, format!("exit code {code}: {said}"))?;
    for part in [warning.as_str(), words, "exit code 1", "is paused"] {
        check(said.contains(part), format!("{part}: {said}"))?;
    }
    wait_instance(fleet, NODE, component, "the version before runs again", |seen| {
        seen["phase"]["name"] == "rolled-back" && seen["version"] == *is
    })?;
    let explained = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    check(explained.contains(words), explained)?;
    let history = fleet.ctl_ok(&["history", "tenant=tiny"])?;
    check(history.contains(&reason), history)?;
    find_all(fleet)?;
    let back = format!("{component}={is}");
    fleet.ctl_ok(&[&["set-version", "tenant=tiny", &back], *end].concat())?;
    runs(fleet, ["15-a", "7.0.15", MINIO_OF_2023])?;
    check(others()? == before, format!("what does not use {component} was started again"))?;
    find_all(fleet)
}

/// With its own dump put back, the old Redis runs again.
fn goes_back_to_its_backup(fleet: &Fleet) -> Result<()> {
    let put_back = format!("systemctl stop data-redis && cp {DUMP} {VOLUME}/dump.rdb");
    sh(fleet, NODE, &put_back)?;
    let reason = "its dump is put back";
    fleet.ctl_ok(&["set-version", "tenant=tiny", "redis=6.0.16", "--force", reason])?;
    runs(fleet, ["15-a", "6.0.16", MINIO_OF_2023])?;
    find_all(fleet)
}

fn clean_up(fleet: &Fleet) -> Result<()> {
    let path = fleet.write_spec("first.yaml", &fleet.spec()?)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--prune", "--timeout", "10m"])?;
    sh(fleet, NODE, &format!("rm {DUMP} && docker volume rm data_postgres data_redis data_minio"))?;
    let forget = format!("rm {FOLDER}/data.yaml {FOLDER}/data.releases.yaml");
    sh(fleet, CONTROLLER, &format!("{forget} && {RESTART}")).map(drop)
}
