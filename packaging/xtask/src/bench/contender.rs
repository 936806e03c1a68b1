//! Who replaces a container: the engine by its own calls, this product, and
//! Docker Swarm. Each leads its own container on its own port of one host.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use oml_lab::Host;
use oml_tests::Fleet;

use super::engine::Engine;

const FLOOR_PORT: u16 = 8091;
const SWARM_PORT: u16 = 8092;
const SWARM_NAME: &str = "bench-swarm";
/// Of component `first` in the catalog of the benchmark.
const OURS_PORT: u16 = 8081;

/// One of those that are compared.
pub(crate) enum Contender<'a> {
    /// Create next, stop old, start next: what no tool on this engine can beat.
    Floor {
        /// The host's engine.
        engine: Engine,
        /// Repository of the image.
        image: String,
    },
    /// `omlctl set-version`.
    Ours {
        /// With the tenant applied.
        fleet: &'a Fleet,
    },
    /// `docker service update`.
    Swarm {
        /// Repository of the image.
        image: String,
    },
}

impl Contender<'_> {
    /// What the table calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Floor { .. } => "engine by its API",
            Self::Ours { .. } => "omlctl set-version",
            Self::Swarm { .. } => "docker service update",
        }
    }

    /// Where its container answers.
    pub(crate) fn port(&self, host: &Host) -> SocketAddr {
        let port = match self {
            Self::Floor { .. } => FLOOR_PORT,
            Self::Ours { .. } => OURS_PORT,
            Self::Swarm { .. } => SWARM_PORT,
        };
        SocketAddr::from((host.address(), port))
    }

    /// Makes the old version run, with both images present.
    pub(crate) fn prepare(&self, host: &Host, version: &str) -> Result<()> {
        match self {
            Self::Floor { engine, image } => {
                engine.create(&floor_name(version), &format!("{image}:{version}"), FLOOR_PORT)?;
                engine.start(&floor_name(version))
            }
            Self::Ours { fleet } => fleet.settle(),
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

    /// The command, from its start to its end.
    pub(crate) fn replace(&self, host: &Host, old: &str, new: &str) -> Result<()> {
        match self {
            Self::Floor { engine, image } => {
                engine.create(&floor_name(new), &format!("{image}:{new}"), FLOOR_PORT)?;
                engine.stop(&floor_name(old))?;
                engine.start(&floor_name(new))
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

    /// After the measured time: what the next run must not find.
    pub(crate) fn tidy(&self, old: &str) -> Result<()> {
        match self {
            Self::Floor { engine, .. } => engine.remove(&floor_name(old)),
            Self::Ours { .. } | Self::Swarm { .. } => Ok(()),
        }
    }

    /// Takes its container off the host; the product's stays.
    pub(crate) fn leave(&self, host: &Host, version: &str) -> Result<()> {
        match self {
            Self::Floor { engine, .. } => engine.remove(&floor_name(version)),
            Self::Ours { .. } => Ok(()),
            Self::Swarm { .. } => {
                host.exec_ok(&["docker", "service", "rm", SWARM_NAME])?;
                host.exec_ok(&["docker", "swarm", "leave", "--force"])?;
                Ok(())
            }
        }
    }
}

fn floor_name(version: &str) -> String {
    format!("bench-floor-{version}")
}

/// Runs a command to its end; what it printed is only told when it failed.
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
