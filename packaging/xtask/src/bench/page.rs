//! Updates the part of docs/benchmarks.md that a run writes: the machine, the command and the table.

use std::fs;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use oml_lab::Host;

const BEGIN: &str = "<!-- written by cargo xtask bench replace --write -->\n";
const END: &str = "<!-- end of what was written -->\n";

/// Describes this machine and the Docker and systemd versions of a host in one sentence.
pub(crate) fn machine_summary(host: &Host) -> Result<String> {
    let docker = host.exec_ok(&["docker", "version", "--format", "{{.Server.Version}}"])?;
    let systemd = host.exec_ok(&["systemctl", "--version"])?;
    let date = host.exec_ok(&["date", "-u", "+%F"])?;
    let read = |path: &str| fs::read_to_string(path).with_context(|| format!("read {path}"));
    let kernel = read("/proc/sys/kernel/osrelease")?;
    let processor = read("/proc/cpuinfo")?;
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    Ok(format!(
        "{}: {} cores ({processor}), Linux {}, Docker {}, {}.",
        date.trim(),
        available_parallelism().context("count the cores")?,
        kernel.trim(),
        docker.trim(),
        systemd.lines().next().unwrap_or_default(),
    ))
}

/// Replaces the text between the page's two markers.
pub(crate) fn update(text: &str) -> Result<()> {
    let path = oml_tests::workspace::workspace_root()?.join("docs/benchmarks.md");
    let page = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let updated = replace_between_markers(&page, text).with_context(|| {
        format!("docs/benchmarks.md has no markers; add the lines {BEGIN}{END}")
    })?;
    fs::write(&path, updated).with_context(|| format!("write {}", path.display()))
}

fn replace_between_markers(page: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{text}\n{END}{after}"))
}

#[cfg(test)]
mod tests;
