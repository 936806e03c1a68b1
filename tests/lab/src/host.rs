//! A host as tests use it. They run programs on it, copy files, restart it, and cut its power or its network.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

use std::os::unix::process::CommandExt;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::error::{LabError, Result};
use crate::machine::Machine;
use crate::network;
use crate::run::{Output, Run, output_summary};
use crate::wait::until;

const EXEC_LIMIT: Duration = Duration::from_secs(60);
const BOOT_LIMIT: Duration = Duration::from_secs(180);
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A running or stopped host of a lab.
#[derive(Debug)]
pub struct Host {
    name: String,
    address: Ipv4Addr,
    machine: Machine,
}

impl Host {
    pub(crate) fn new(name: &str, address: Ipv4Addr, machine: Machine) -> Self {
        Self { name: name.to_owned(), address, machine }
    }

    /// Returns the host's name, which is also its host name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the host's address on the lab's bridge.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Runs a program on the host as root and returns its output, with any exit code. The program is killed after a minute.
    pub fn exec(&self, command: &[&str]) -> Result<Output> {
        self.run(command)?.output()
    }

    /// Does the same as `exec` with another time limit.
    pub fn exec_within(&self, limit: Duration, command: &[&str]) -> Result<Output> {
        self.run(command)?.limit(limit).output()
    }

    /// Does the same as `exec` and returns the standard output; any exit code except 0 is an error.
    pub fn exec_ok(&self, command: &[&str]) -> Result<String> {
        let output = self.exec(command)?;
        if output.is_success() {
            return Ok(output.stdout);
        }
        Err(LabError::Command {
            command: format!("{} on {}", command.join(" "), self.name),
            why: output_summary(&output),
        })
    }

    /// Does the same as `exec_ok` and passes these bytes as standard input.
    pub fn exec_with_input(&self, input: &[u8], command: &[&str]) -> Result<String> {
        Ok(self.run(command)?.stdin(input).ok()?.stdout)
    }

    /// Starts a program on the host and does not wait for it. Dropping the returned value kills the program.
    pub fn spawn(&self, command: &[&str]) -> Result<HostProcess> {
        let child = Command::new("nsenter")
            .args(self.nsenter_arguments()?)
            .args(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(LabError::io("start a program on", &self.name))?;
        Ok(HostProcess { child })
    }

    /// Repeats `exec` until its output satisfies `is_met`, for at most `limit`.
    pub fn wait_until(
        &self,
        limit: Duration,
        command: &[&str],
        is_met: impl Fn(&Output) -> bool,
    ) -> Result<Output> {
        let what = format!("`{}` on {}", command.join(" "), self.name);
        until(&what, limit, || match self.exec(command) {
            Ok(output) if is_met(&output) => Ok(output),
            Ok(output) => Err(output_summary(&output)),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Writes a file on the host atomically and creates its folder.
    pub fn push(&self, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
        let script = "set -e; mkdir -p \"$(dirname \"$1\")\"; cat > \"$1.new\"; chmod \"$2\" \"$1.new\"; mv \"$1.new\" \"$1\"";
        let mode = format!("{mode:o}");
        self.exec_with_input(bytes, &["sh", "-c", script, "sh", path, &mode]).map(drop)
    }

    /// Reads a text file on the host.
    pub fn read(&self, path: &str) -> Result<String> {
        self.exec_ok(&["cat", path])
    }

    /// Copies a file from this machine to the host.
    pub fn copy_in(&self, local: &Path, path: &str, mode: u32) -> Result<()> {
        let bytes = std::fs::read(local).map_err(LabError::io("read", local))?;
        self.push(path, &bytes, mode)
    }

    /// Installs a package file from this machine, or puts it in place of another version: a `.rpm` with `rpm`, which
    /// not every host has, and any other with `dpkg`. The packages it depends on must be installed already.
    pub fn install_package(&self, local: &Path) -> Result<()> {
        if local.extension().is_some_and(|extension| extension == "rpm") {
            let path = "/var/tmp/oml-lab-package.rpm";
            // The database of rpm does not know what dpkg has installed.
            let install = ["rpm", "--upgrade", "--replacepkgs", "--nodeps", path];
            return self.install_with(local, path, &install);
        }
        let path = "/var/tmp/oml-lab-package.deb";
        let install = ["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--install", path];
        self.install_with(local, path, &install)
    }

    fn install_with(&self, local: &Path, path: &str, install: &[&str]) -> Result<()> {
        self.copy_in(local, path, 0o600)?;
        self.exec_ok(install)?;
        self.exec_ok(&["rm", path]).map(drop)
    }

    /// Shuts the host down cleanly and starts it again with the same root and the same Docker folder.
    pub fn reboot(&self) -> Result<()> {
        self.power_off()?;
        self.boot()
    }

    /// Shuts the host down cleanly.
    pub fn power_off(&self) -> Result<()> {
        self.exec_ok(&["systemctl", "poweroff", "--no-block"])?;
        self.machine.wait_for_exit()
    }

    /// Kills every process at once, as a loss of power would. Unlike a real loss of power, the page cache survives.
    pub fn power_cut(&self) -> Result<()> {
        self.machine.kill()
    }

    /// Starts the host and waits until systemd has finished starting and Docker answers.
    pub fn boot(&self) -> Result<()> {
        self.machine.start()?;
        self.wait_until_up()
    }

    /// Waits until systemd has finished starting and Docker answers.
    pub fn wait_until_up(&self) -> Result<()> {
        let state = ["systemctl", "is-system-running", "--wait"];
        self.wait_until(BOOT_LIMIT, &state, |output| {
            ["running", "degraded"].contains(&output.stdout.trim())
        })?;
        let docker = ["docker", "version", "--format", "{{.Server.Version}}"];
        self.wait_until(BOOT_LIMIT, &docker, Output::is_success).map(drop)
    }

    /// Returns true while the host's first process is running.
    pub fn is_up(&self) -> Result<bool> {
        Ok(self.machine.leader()?.is_some())
    }

    /// Stops the processes with this name (SIGSTOP). The name has at most 15 characters, because the kernel keeps no more.
    pub fn pause(&self, process: &str) -> Result<()> {
        self.exec_ok(&["pkill", "-STOP", "-x", process]).map(drop)
    }

    /// Continues the processes that `pause` stopped (SIGCONT).
    pub fn resume(&self, process: &str) -> Result<()> {
        self.exec_ok(&["pkill", "-CONT", "-x", process]).map(drop)
    }

    /// Silently drops every packet from and to the host. Neither side gets an error.
    pub fn partition(&self) -> Result<()> {
        network::disable_port(&self.machine.port())
    }

    /// Ends the effect of `partition`.
    pub fn heal(&self) -> Result<()> {
        network::enable_port(&self.machine.port())
    }

    /// Returns the last lines of the host's console.
    pub fn console(&self) -> String {
        self.machine.console_tail()
    }

    /// Returns the `nsenter` command that enters the host from this machine. The caller appends a program and its arguments.
    pub fn nsenter_command(&self) -> Result<Vec<String>> {
        let mut words = vec!["nsenter".to_owned()];
        words.extend(self.nsenter_arguments()?);
        Ok(words)
    }

    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    fn run(&self, command: &[&str]) -> Result<Run> {
        Ok(Run::new("nsenter").args(self.nsenter_arguments()?).args(command).limit(EXEC_LIMIT))
    }

    fn nsenter_arguments(&self) -> Result<Vec<String>> {
        let leader = self
            .machine
            .leader()?
            .ok_or_else(|| LabError::Invalid(format!("the host {} is not running", self.name)))?;
        let words = format!(
            "--target={leader} --mount --uts --ipc --net --pid -- /usr/bin/env -i {PATH} HOME=/root LANG=C.UTF-8 TERM=xterm"
        );
        Ok(words.split(' ').map(str::to_owned).collect())
    }
}

/// A program that was started on a host.
#[derive(Debug)]
pub struct HostProcess {
    child: Child,
}

impl HostProcess {
    /// Takes the pipe of the standard output; later calls return `None`.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Takes the pipe of the standard error; later calls return `None`.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Returns the exit code, or `None` while the program is running.
    pub fn exit_code(&mut self) -> io::Result<Option<i32>> {
        Ok(self.child.try_wait()?.map(|status| status.code().unwrap_or(128)))
    }

    /// Kills the program and waits until it has ended.
    pub fn kill(&mut self) -> io::Result<()> {
        if self.child.try_wait()?.is_none() {
            let group = i32::try_from(self.child.id()).map_err(io::Error::other)?;
            killpg(Pid::from_raw(group), Signal::SIGKILL)?;
            self.child.wait()?;
        }
        Ok(())
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            crate::progress::log(&format!("a program on a host could not be killed: {error}"));
        }
    }
}
