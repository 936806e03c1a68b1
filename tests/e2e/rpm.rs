//! Installs the packages for distributions that use rpm, on hosts with Debian 13, whose `rpm` and systemd do with
//! them what those of other distributions do.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use oml_lab::{Debian, Host};
use oml_tests::fleet::{CONTROLLER, Topology};
use oml_tests::observe::{now_ms, sh, start_times, wait_ready, wait_ready_after};
use oml_tests::trial::{check, lab_name};
use oml_tests::{Build, Fleet, Packages, Rpms};

use crate::removal;

pub(crate) const NAME: &str = "the_rpm_packages_do_on_debian_13_what_the_debian_packages_do";

const NODE: &str = "tiny-one";
/// The scripts after an installation, before a removal and after it.
const AGENT_SCRIPTS: [&str; 3] = [
    include_str!("../../packaging/rpm/omlagent/post"),
    include_str!("../../packaging/rpm/omlagent/preun"),
    include_str!("../../packaging/rpm/omlagent/postun"),
];
const CONTROLLER_SCRIPTS: [&str; 3] = [
    include_str!("../../packaging/rpm/omlcontroller/post"),
    include_str!("../../packaging/rpm/omlcontroller/preun"),
    include_str!("../../packaging/rpm/omlcontroller/postun"),
];
const SETTINGS: &str = "/etc/omlagent/agent.toml";

pub(crate) fn run(packages: &Packages) -> Result<()> {
    let first = Rpms::build(Build::Lab, 1)?;
    let second = Rpms::build(Build::Lab, 2)?;
    let topology = Topology::tiny().on(Debian::Trixie);
    let fleet = Fleet::up_or_skip(&lab_name("rpm"), first.in_place_of(packages), topology)?;
    let fleet = fleet.context("this machine cannot run a lab any more")?;
    let host = fleet.host(NODE)?;
    for (rpm, deb, scripts) in [
        (&first.agent, &packages.agent, AGENT_SCRIPTS),
        (&first.controller, &packages.controller, CONTROLLER_SCRIPTS),
    ] {
        have_the_same_files(host, rpm, deb)?;
        has_scripts(host, rpm, scripts)?;
    }
    fleet.apply_first_spec()?;
    host.install_package(&first.omlctl)?;
    host.exec_ok(&["omlctl", "--version"])?;
    upgraded(&fleet, &second)?;
    stays_disabled(&fleet, &second)?;
    removal::stops_no_component(&fleet)?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    wait_ready(&fleet, NODE, "first")?;
    controller_removed(&fleet)?;
    fleet.down()
}

/// Puts a package on the host and returns what a command prints about it.
fn about(host: &Host, package: &Path, command: &[&str]) -> Result<String> {
    let path = "/var/tmp/package";
    host.copy_in(package, path, 0o600)?;
    Ok(host.exec_ok(&[command, &[path]].concat())?)
}

/// Compares the files, their modes and owners, and which of them people may change.
fn have_the_same_files(host: &Host, rpm: &Path, deb: &Path) -> Result<()> {
    let format = "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]";
    let of_rpm = about(host, rpm, &["rpm", "--query", "--queryformat", format, "--package"])?;
    let of_rpm: BTreeSet<String> = of_rpm.lines().map(str::to_owned).collect();
    let of_deb = about(host, deb, &["dpkg-deb", "--contents"])?;
    let of_deb: BTreeSet<String> = of_deb.lines().filter_map(file_of_deb).collect();
    check(of_rpm == of_deb && of_rpm.len() > 3, format!("{of_rpm:#?}\nand\n{of_deb:#?}"))?;
    let of_rpm = about(host, rpm, &["rpm", "--query", "--configfiles", "--package"])?;
    let of_deb = about(host, deb, &["sh", "-c", "dpkg-deb --info \"$0\" conffiles"])?;
    let sorted = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect();
    let (of_rpm, of_deb): (BTreeSet<_>, BTreeSet<_>) = (sorted(&of_rpm), sorted(&of_deb));
    check(of_rpm == of_deb, format!("{of_rpm:?} and {of_deb:?}"))
}

/// Reads a line such as `-rwxr-xr-x 0/0 12345 2026-11-29 00:00 ./usr/bin/omlagent`. Folders have no owner in a
/// package for rpm, licences have another place, and units are where every distribution has them.
fn file_of_deb(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let (mode, owner) = (words.next()?, words.next()?);
    let owner = if owner == "0/0" { "root/root" } else { owner };
    let path = words.nth(3)?.trim_start_matches('.');
    let is_file = !mode.starts_with('d') && !path.starts_with("/usr/share/doc/");
    let path =
        path.strip_prefix("/lib/").map_or(path.to_owned(), |rest| format!("/usr/lib/{rest}"));
    is_file.then(|| format!("{mode} {owner} {path}"))
}

/// Checks the scripts themselves: instead of a file that is not there, the name of the file would be the script.
fn has_scripts(host: &Host, rpm: &Path, scripts: [&str; 3]) -> Result<()> {
    let shown = about(host, rpm, &["rpm", "--query", "--scripts", "--package"])?;
    for (part, script) in ["postinstall", "preuninstall", "postuninstall"].iter().zip(scripts) {
        let text = format!("{part} scriptlet (using /bin/sh):\n{script}");
        check(shown.contains(text.trim_end()), format!("{part}: {shown}"))?;
    }
    let needed = about(host, rpm, &["rpm", "--query", "--requires", "--package"])?;
    for words in ["/bin/sh", "glibc >= 2.34", "systemd"] {
        check(needed.lines().any(|line| line.trim() == words), format!("{words}: {needed}"))?;
    }
    Ok(())
}

/// An upgrade restarts the agent and no container, and keeps what people changed.
fn upgraded(fleet: &Fleet, later: &Rpms) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let agent = || sh(fleet, NODE, "systemctl show -P MainPID omlagent");
    let pid = agent()?;
    sh(fleet, NODE, &format!("echo '# changed by hand' >> {SETTINGS}"))?;
    fleet.host(NODE)?.install_package(&later.agent)?;
    fleet.host(CONTROLLER)?.install_package(&later.controller)?;
    let installed = sh(fleet, NODE, "rpm --query --queryformat %{RELEASE} omlagent")?;
    check(installed.trim() == "2", installed)?;
    wait_ready_after(fleet, now_ms()?, NODE, "first")?;
    check(agent()? != pid, "the upgrade did not restart the agent")?;
    check(start_times(fleet, NODE)? == before, "the upgrade ended a container")?;
    sh(fleet, NODE, &format!("grep -q 'changed by hand' {SETTINGS}")).map(drop)
}

/// An upgrade neither enables nor starts an agent that somebody disabled.
fn stays_disabled(fleet: &Fleet, later: &Rpms) -> Result<()> {
    sh(fleet, NODE, "systemctl disable --now omlagent")?;
    fleet.host(NODE)?.install_package(&later.agent)?;
    let state = "systemctl is-enabled omlagent; systemctl is-active omlagent; true";
    let state = sh(fleet, NODE, state)?;
    check(state == "disabled\ninactive\n", state)?;
    sh(fleet, NODE, "systemctl enable --now omlagent")?;
    wait_ready_after(fleet, now_ms()?, NODE, "first").map(drop)
}

/// The removal of the controller stops it and keeps its store.
fn controller_removed(fleet: &Fleet) -> Result<()> {
    let removed = fleet.host(CONTROLLER)?.exec(&["rpm", "--erase", "omlcontroller"])?;
    let printed = format!("{}{}", removed.stdout, removed.stderr);
    check(removed.is_success(), &printed)?;
    check(printed.contains("/var/lib/omlcontroller was kept"), &printed)?;
    let left = "systemctl is-active omlcontroller; ls -d /var/lib/omlcontroller/store";
    let left = sh(fleet, CONTROLLER, left)?;
    check(left.trim() == "inactive\n/var/lib/omlcontroller/store", left)
}
