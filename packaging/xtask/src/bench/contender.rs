//! The contenders that replace a container: the engine by its own calls, this
//! product, and Docker Swarm. Each has its own container and port on the same host.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use oml_lab::Host;
use oml_tests::Fleet;

use super::engine::Engine;

const BASELINE_PORT: u16 = 8091;
const SWARM_PORT: u16 = 8092;
const SWARM_NAME: &str = "bench-swarm";
/// The port of component `first` in the catalog of the benchmark.
const OURS_PORT: u16 = 8081;

/// One of the three ways to replace a container.
pub(crate) enum Contender<'a> {
    /// Create the new container, stop the old one, start the new one. No tool that uses this engine can be faster.
    Baseline {
        /// The client of the host's engine.
        engine: Engine,
        /// Repository of the image.
        image: String,
    },
    /// `omlctl set-version`.
    Ours {
        /// The fleet on which the tenant is installed.
        fleet: &'a Fleet,
    },
    /// `docker service update`.
    Swarm {
        /// Repository of the image.
        image: String,
    },
}

impl Contender<'_> {
    /// Returns the name that the table shows.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Baseline { .. } => "engine by its API",
            Self::Ours { .. } => "omlctl set-version",
            Self::Swarm { .. } => "docker service update",
        }
    }

    /// Returns the address at which the contender's container answers.
    pub(crate) fn port(&self, host: &Host) -> SocketAddr {
        let port = match self {
            Self::Baseline { .. } => BASELINE_PORT,
            Self::Ours { .. } => OURS_PORT,
            Self::Swarm { .. } => SWARM_PORT,
        };
        SocketAddr::from((host.address(), port))
    }

    /// Starts the old version. Both images must be present.
    pub(crate) fn prepare(&self, host: &Host, version: &str) -> Result<()> {
        match self {
            Self::Baseline { engine, image } => {
                engine.create(
                    &baseline_name(version),
                    &format!("{image}:{version}"),
                    BASELINE_PORT,
                )?;
                engine.start(&baseline_name(version))
            }
            Self::Ours { fleet } => fleet.apply_first_spec(),
            Self::Swarm { image } => {
                let address = host.address().to_string();
                host.exec_ok(&["docker", "swarm", "init", "--advertise-addr", &address])?;
                let port = format!("PORT={SWARM_PORT}");
                let image = format!("{image}:{version}");
                let words = ["docker", "service", "create", "--quiet", "--with-registry-auth"];
                let place = ["--network", "host", "--name", SWARM_NAME, "--env", &port, &image];
                host.exec_ok(&[&words[..], &place[..]].concat()).map(drop).map_err(Into::into)
            }
        }
    }

    /// Replaces the old version with the new one. Only this is measured.
    pub(crate) fn replace(&self, host: &Host, old: &str, new: &str) -> Result<()> {
        match self {
            Self::Baseline { engine, image } => {
                engine.create(&baseline_name(new), &format!("{image}:{new}"), BASELINE_PORT)?;
                engine.stop(&baseline_name(old))?;
                engine.start(&baseline_name(new))
            }
            Self::Ours { fleet } => {
                let tenant = format!("tenant={}", fleet.tenant());
                let words = ["set-version", &tenant, &format!("first={new}")];
                succeed(&mut fleet.ctl_command(&words))
            }
            Self::Swarm { image } => {
                let image = format!("{image}:{new}");
                let mut command = Command::new("nsenter");
                command.args(host.nsenter_command()?.iter().skip(1));
                let words = ["docker", "service", "update", "--with-registry-auth", "--image"];
                succeed(command.args(words).args([&image, SWARM_NAME]))
            }
        }
    }

    /// Removes, after the measurement, what the next run must not find.
    pub(crate) fn remove_old(&self, old: &str) -> Result<()> {
        match self {
            Self::Baseline { engine, .. } => engine.remove(&baseline_name(old)),
            Self::Ours { .. } | Self::Swarm { .. } => Ok(()),
        }
    }

    /// Removes the contender's container at the end. The product's container stays.
    pub(crate) fn clean_up(&self, host: &Host, version: &str) -> Result<()> {
        match self {
            Self::Baseline { engine, .. } => engine.remove(&baseline_name(version)),
            Self::Ours { .. } => Ok(()),
            Self::Swarm { .. } => {
                host.exec_ok(&["docker", "service", "rm", SWARM_NAME])?;
                host.exec_ok(&["docker", "swarm", "leave", "--force"])?;
                Ok(())
            }
        }
    }
}

fn baseline_name(version: &str) -> String {
    format!("bench-baseline-{version}")
}

/// Runs a command to its end. Its output is only shown in the error if it fails.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
