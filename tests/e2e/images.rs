//! Tests of images that cannot be used, of images that somebody removed, and of what is reported about a start that failed.

use std::time::Duration;

use anyhow::{Context as _, Result};
use oml_lab::{Fault, Variant, until};
use oml_tests::Fleet;
use oml_tests::observe::{
    SOON, instance, now_ms, sh, start_times, status, wait_instance, wait_ready, wait_ready_after,
};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (
        Kind::Tiny,
        "an_image_that_its_registry_says_cannot_run_is_refused_with_its_platforms",
        foreign,
    ),
    (Kind::Tiny, "an_image_that_docker_cannot_unpack_ends_the_change_with_its_reason", unusable),
    (Kind::Tiny, "a_login_that_stays_refused_ends_the_change_with_its_reason", refused_login),
    (Kind::Tiny, "a_redirect_of_manifests_is_followed_on_both_sides", redirected),
    (Kind::Tiny, "a_rollback_to_what_was_pruned_pulls_it_at_once", pruned_in_the_soak),
    (Kind::Tiny, "a_start_of_what_was_pruned_pulls_it_at_once", pruned_and_started),
    (Kind::Tiny, "a_failed_start_is_reported_without_its_earlier_life", earlier_life),
    (Kind::Tiny, "a_start_that_docker_refuses_is_reported_in_its_words", refused_start),
];

const NODE: &str = "tiny-one";
const REPOSITORY: &str = "omnileads/small";
/// This limit is longer than seven tries with their pauses.
const REFUSED_LIMIT: Duration = Duration::from_secs(240);

/// Pushes a variant of the good image and returns the arguments that change `first` to it.
fn push(fleet: &Fleet, tag: &str, variant: Variant) -> Result<[String; 3]> {
    fleet.lab().registry()?.push_variant(REPOSITORY, "v1", tag, variant)?;
    Ok(["set-version".to_owned(), "tenant=tiny".to_owned(), format!("first={tag}")])
}

/// Runs `omlctl`, checks its exit code, and returns everything that it printed.
fn ends_with(fleet: &Fleet, code: i32, arguments: &[String]) -> Result<String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = fleet.ctl(&arguments)?;
    let printed = format!("{}{}", ended.stdout, ended.stderr);
    check(ended.code == code, format!("exit code {}: {printed}", ended.code))?;
    Ok(printed)
}

fn foreign(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    for (tag, variant) in
        [("foreign-index", Variant::ForeignIndex), ("foreign-config", Variant::ForeignConfig)]
    {
        let printed = ends_with(fleet, 2, &push(fleet, tag, variant)?)?;
        let words = format!("{tag} cannot run on {NODE}: it is for linux/s390x, and the host is ");
        check(printed.contains(&words), &printed)?;
    }
    let printed = ends_with(fleet, 2, &push(fleet, "no-command", Variant::NoCommand)?)?;
    check(printed.contains("does not say which program to start"), &printed)?;
    check(start_times(fleet, NODE)? == before, "a refused change restarted a container")
}

fn unusable(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let change = push(fleet, "unknown-compression", Variant::UnknownCompression)?;
    let printed = ends_with(fleet, 3, &change)?;
    check(printed.contains("the engine of this host cannot use the image"), &printed)?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")?;
    let after = wait_ready(fleet, NODE, "first")?;
    check(after["version"] == "v1", after.to_string())
}

fn refused_login(fleet: &Fleet) -> Result<()> {
    let mut faulty = fleet.lab().faulty_registry()?;
    let before = start_times(fleet, NODE)?;
    let path = through_proxy(fleet, "refused-login")?;
    // The controller may ask, and the first pull fails for another reason.
    faulty.set(Fault::CutAfter(64))?;
    fleet.ctl_ok(&["apply", "-f", &path, "--no-wait"])?;
    faulty.set(Fault::Unauthorized)?;
    wait_gone_back(fleet, REFUSED_LIMIT, &["cannot run here", "refused the login"])?;
    let after = wait_ready(fleet, NODE, "first")?;
    check(after["version"] == "v1", after.to_string())?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")?;
    faulty.set(Fault::Pass)?;
    fleet.ctl_ok(&["apply", "-f", &path])?;
    let after = wait_ready(fleet, NODE, "first")?;
    check(after["version"] == "refused-login", after.to_string())
}

fn redirected(fleet: &Fleet) -> Result<()> {
    let mut faulty = fleet.lab().faulty_registry()?;
    let path = through_proxy(fleet, "redirected")?;
    faulty.set(Fault::Redirect)?;
    fleet.ctl_ok(&["apply", "-f", &path])?;
    let after = wait_ready(fleet, NODE, "first")?;
    check(after["version"] == "redirected", after.to_string())?;
    let requests = faulty.requests();
    for tag_or_digest in ["manifests/redirected?redirected", "manifests/sha256:"] {
        let is_asked =
            |line: &String| line.contains(tag_or_digest) && line.ends_with("?redirected");
        check(requests.iter().any(is_asked), format!("{tag_or_digest}: {requests:?}"))?;
    }
    Ok(())
}

/// Removes the images that are not used, and returns a specification whose images come through the faulty proxy.
/// The tag of `first` is one that the controller does not know from another test.
fn through_proxy(fleet: &Fleet, tag: &str) -> Result<String> {
    sh(fleet, NODE, "docker container prune --force && docker image prune --all --force")?;
    let registry = fleet.lab().registry()?;
    registry.retag(REPOSITORY, "v2", tag)?;
    let spec = fleet.spec()?.replace(&registry.name(), &registry.faulty_name());
    fleet.write_spec("proxy.yaml", &spec.replace("first: v1", &format!("first: {tag}")))
}

fn pruned_in_the_soak(fleet: &Fleet) -> Result<()> {
    let spec = fleet.spec()?.replace("second: v1", "second: v2");
    let spec = spec.replace("min_healthy_for: 2s", "min_healthy_for: 40s");
    fleet.ctl_ok(&["apply", "-f", &fleet.write_spec("soak.yaml", &spec)?])?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=dies-in-soak", "--no-wait"])?;
    wait_instance(fleet, NODE, "first", "first soaks", |seen| seen["phase"]["name"] == "soaking")?;
    sh(fleet, NODE, "docker system prune --all --force")?;
    let images = sh(fleet, NODE, "docker images --digests --no-trunc")?;
    wait_gone_back(fleet, SOON, &["first on tiny-one"])?;
    let after = wait_ready(fleet, NODE, "first")?;
    check(after["version"] == "v1", after.to_string())?;
    let digest = after["digest"].as_str().context("find the digest")?;
    check(!images.contains(digest), format!("the image was not pruned: {images}"))?;
    let down_s = seconds_down(fleet)?;
    check(down_s <= 20, format!("first was down for {down_s} s"))
}

/// Waits until the rollout has gone back for a reason with these words. The host shows its failure
/// only until then; the rollout keeps it.
fn wait_gone_back(fleet: &Fleet, limit: Duration, words: &[&str]) -> Result<()> {
    until("the rollout ends and says why", limit, || {
        let rollout = status(fleet).map_err(|error| format!("{error:#}"))?["rollout"].clone();
        let reason = rollout["reason"].as_str().unwrap_or_default();
        let is_reported = words.iter().all(|words| reason.contains(words));
        let is_over = rollout["state"] == "rolled-back";
        if is_over && is_reported { Ok(()) } else { Err(rollout.to_string()) }
    })?;
    Ok(())
}

/// Returns the seconds from the end of the version that died to the start of what runs now.
fn seconds_down(fleet: &Fleet) -> Result<i64> {
    let script = r#"
        at() { date +%s --date "$(docker inspect --format "{{.State.$2}}" "$1")"; }
        died=$(docker ps --all --quiet --filter name=oml-first --filter status=exited | head -n 1)
        echo $(( $(at oml-first StartedAt) - $(at "$died" FinishedAt) ))"#;
    let seconds = sh(fleet, NODE, script)?;
    seconds.trim().parse().with_context(|| format!("read the seconds: {seconds}"))
}

fn pruned_and_started(fleet: &Fleet) -> Result<()> {
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    sh(fleet, NODE, "systemctl stop oml-first && docker system prune --all --force")?;
    let stopped_ms = now_ms()?;
    check(!start_times(fleet, NODE)?.contains_key("oml-first"), "it was not stopped")?;
    // The command returns when the program has answered, and fails if the first start does.
    sh(fleet, NODE, "timeout 30 systemctl start oml-first")?;
    let after = wait_ready_after(fleet, stopped_ms, NODE, "first")?;
    check(
        after["version"] == "v2" && after["restarts"].as_u64().unwrap_or(0) == 0,
        after.to_string(),
    )
}

fn earlier_life(fleet: &Fleet) -> Result<()> {
    let change = ["set-version", "tenant=tiny", "first=hangs"].map(str::to_owned);
    for _ in 0..2 {
        let printed = ends_with(fleet, 3, &change)?;
        let lines = printed.matches("lab image hangs starting").count();
        check(
            lines == 1,
            format!("the first line of the log is printed {lines} times: {printed}"),
        )?;
        wait_ready(fleet, NODE, "first")?;
    }
    Ok(())
}

fn refused_start(fleet: &Fleet) -> Result<()> {
    let change = push(fleet, "missing-program", Variant::MissingProgram)?;
    // The second time, the container may be that of the first.
    for _ in 0..2 {
        let printed = ends_with(fleet, 3, &change)?;
        check(printed.contains("/oml/missing"), &printed)?;
        check(printed.contains("no such file or directory"), &printed)?;
        check(!printed.contains("exit code"), &printed)?;
        let seen = instance(fleet, NODE, "first")?;
        check(seen["version"] == "v1", seen.to_string())?;
    }
    Ok(())
}
