//! A host as tests use it: run programs, move files, restart it, cut its power or its network.

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
use crate::run::{Output, Run, explain};
use crate::wait::until;

const EXEC_LIMIT: Duration = Duration::from_secs(60);
const BOOT_LIMIT: Duration = Duration::from_secs(180);
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One host of a lab.
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

    /// Its name, also its host name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address on the lab's bridge.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Runs a program inside as root and gives its output, whatever the exit code. Ended after a minute.
    pub fn exec(&self, command: &[&str]) -> Result<Output> {
        self.run(command)?.output()
    }

    /// As `exec`, with another time limit.
    pub fn exec_within(&self, limit: Duration, command: &[&str]) -> Result<Output> {
        self.run(command)?.limit(limit).output()
    }

    /// As `exec`; any exit code but 0 is an error. Gives the standard output.
    pub fn exec_ok(&self, command: &[&str]) -> Result<String> {
        let output = self.exec(command)?;
        if output.is_success() {
            return Ok(output.stdout);
        }
        Err(LabError::Command {
            command: format!("{} on {}", command.join(" "), self.name),
            why: explain(&output),
        })
    }

    /// As `exec_ok`, with standard input.
    pub fn exec_with_input(&self, input: &[u8], command: &[&str]) -> Result<String> {
        Ok(self.run(command)?.stdin(input).ok()?.stdout)
    }

    /// Starts a program inside and does not wait for it. It is killed when the value goes away.
    pub fn spawn(&self, command: &[&str]) -> Result<HostProcess> {
        let child = Command::new("nsenter")
            .args(self.entry()?)
            .args(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(LabError::io("start a program on", &self.name))?;
        Ok(HostProcess { child })
    }

    /// Runs `exec` again and again until its standard output satisfies `is_met`, at most for `limit`.
    pub fn wait_until(
        &self,
        limit: Duration,
        command: &[&str],
        is_met: impl Fn(&Output) -> bool,
    ) -> Result<Output> {
        let what = format!("`{}` on {}", command.join(" "), self.name);
        until(&what, limit, || match self.exec(command) {
            Ok(output) if is_met(&output) => Ok(output),
            Ok(output) => Err(explain(&output)),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Writes a file inside, whole or not at all.
    pub fn push(&self, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
        let script = "set -e; mkdir -p \"$(dirname \"$1\")\"; cat > \"$1.new\"; chmod \"$2\" \"$1.new\"; mv \"$1.new\" \"$1\"";
        let mode = format!("{mode:o}");
        self.exec_with_input(bytes, &["sh", "-c", script, "sh", path, &mode]).map(drop)
    }

    /// Reads a text file inside.
    pub fn read(&self, path: &str) -> Result<String> {
        self.exec_ok(&["cat", path])
    }

    /// Copies a file of this machine into the host.
    pub fn copy_in(&self, local: &Path, path: &str, mode: u32) -> Result<()> {
        let bytes = std::fs::read(local).map_err(LabError::io("read", local))?;
        self.push(path, &bytes, mode)
    }

    /// Installs a Debian package of this machine; what it depends on must be there already.
    pub fn install_deb(&self, local: &Path) -> Result<()> {
        let path = "/tmp/oml-lab-package.deb";
        self.copy_in(local, path, 0o600)?;
        self.exec_ok(&["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--install", path])?;
        self.exec_ok(&["rm", path]).map(drop)
    }

    /// Stops it in good order and starts it again: same root, same Docker folder.
    pub fn reboot(&self) -> Result<()> {
        self.power_off()?;
        self.boot()
    }

    /// Stops it in good order.
    pub fn power_off(&self) -> Result<()> {
        self.exec_ok(&["systemctl", "poweroff", "--no-block"])?;
        self.machine.wait_for_end()
    }

    /// Ends every process at once, as a loss of power does (the page cache survives).
    pub fn power_cut(&self) -> Result<()> {
        self.machine.kill()
    }

    /// Starts it and waits until systemd has finished starting and Docker answers.
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

    /// True while its first process lives.
    pub fn is_up(&self) -> Result<bool> {
        Ok(self.machine.leader()?.is_some())
    }

    /// Stops the processes of this name (SIGSTOP); the name is at most 15 characters long, as the kernel keeps it.
    pub fn pause(&self, process: &str) -> Result<()> {
        self.exec_ok(&["pkill", "-STOP", "-x", process]).map(drop)
    }

    /// Lets them go on (SIGCONT).
    pub fn resume(&self, process: &str) -> Result<()> {
        self.exec_ok(&["pkill", "-CONT", "-x", process]).map(drop)
    }

    /// Drops every packet from and to the host, without a word to either side.
    pub fn partition(&self) -> Result<()> {
        network::cut(&self.machine.port())
    }

    /// Undoes what `partition` did.
    pub fn heal(&self) -> Result<()> {
        network::heal(&self.machine.port())
    }

    /// The last lines of its console.
    pub fn console(&self) -> String {
        self.machine.last_words()
    }

    /// The command that enters the host from this machine; a program and its arguments follow.
    pub fn shell_command(&self) -> Result<Vec<String>> {
        let mut words = vec!["nsenter".to_owned()];
        words.extend(self.entry()?);
        Ok(words)
    }

    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    fn run(&self, command: &[&str]) -> Result<Run> {
        Ok(Run::new("nsenter").args(self.entry()?).args(command).limit(EXEC_LIMIT))
    }

    fn entry(&self) -> Result<Vec<String>> {
        let leader = self
            .machine
            .leader()?
            .ok_or_else(|| LabError::Invalid(format!("the host {} is not up", self.name)))?;
        let words = format!(
            "--target={leader} --mount --uts --ipc --net --pid -- /usr/bin/env -i {PATH} HOME=/root LANG=C.UTF-8 TERM=xterm"
        );
        Ok(words.split(' ').map(str::to_owned).collect())
    }
}

/// A program running inside a host.
#[derive(Debug)]
pub struct HostProcess {
    child: Child,
}

impl HostProcess {
    /// Its standard output; given once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its standard error; given once.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// The exit code once it ended.
    pub fn exit_code(&mut self) -> io::Result<Option<i32>> {
        Ok(self.child.try_wait()?.map(|status| status.code().unwrap_or(128)))
    }

    /// Kills it and waits for its end.
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
            crate::say::say(&format!("a program on a host could not be ended: {error}"));
        }
    }
}
