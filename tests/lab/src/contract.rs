//! The contracts of images, which are data in `tests/contracts`: what an image promises to whoever starts it, and what
//! it expects from them (`images/CONTRACT.md`). The images that the lab makes of a line are made from these files, and
//! the tests that hold the catalogs to them read the same files.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{LabError, Result};

mod address;
mod command;

pub use address::Context;
pub(crate) use command::has_form;
pub use command::{Action, Command, Listen, Speaks};

/// The contracts of the images of one catalog.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The file, or the folder, in the folder of catalogs.
    pub catalog: String,
    /// The tenant whose values are looked at.
    pub tenant: Tenant,
    pub contracts: Vec<Contract>,
}

/// A tenant with everything on one host.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    pub roles: Vec<String>,
    pub settings: BTreeMap<String, String>,
    /// The components that it leaves out.
    #[serde(default)]
    pub without: Vec<String>,
}

/// What an image promises and expects.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The repository, with its registry.
    pub image: String,
    /// The components that run this program of the image; all of them if it has one program.
    #[serde(default)]
    pub components: Vec<String>,
    #[serde(default)]
    pub source: Vec<String>,
    #[serde(default)]
    pub reads: Reads,
    /// Whether the image starts something that serves if it gets no command.
    #[serde(default)]
    pub has_command: Option<bool>,
    /// The places where it wants a volume or a file.
    #[serde(default)]
    pub mounts: Vec<String>,
    /// The places where it refuses a volume.
    #[serde(default)]
    pub no_mounts: Vec<String>,
    /// Where it reads the certificate of the tenant.
    #[serde(default)]
    pub certificate: Option<CertificateFiles>,
    /// The ports that no variable moves.
    #[serde(default)]
    pub ports: Vec<String>,
    /// The programs in it that operations may run.
    #[serde(default)]
    pub programs: Vec<String>,
    /// Where and with what words it refuses to start. Nothing compares it; people read it.
    #[serde(default)]
    pub refuses: Option<String>,
    /// Nothing is known about the image, so nothing is compared.
    #[serde(default)]
    pub unknown: bool,
    /// Why nothing is known.
    #[serde(default)]
    pub because: Option<String>,
    /// Which of the lab's programs is in its image of the lab; none for an image that is not made from this contract.
    #[serde(default)]
    pub runs: Option<Runs>,
    /// The words with which it ends for a missing variable, by the variable, or by `*` for all others. `{key}` in them is
    /// the variable.
    #[serde(default)]
    pub lacks: BTreeMap<String, String>,
    /// The forms of the values that it reads, in which `*` is any text.
    #[serde(default)]
    pub forms: BTreeMap<String, String>,
    /// The files and folders without which it ends.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Where it listens with every command that serves.
    #[serde(default)]
    pub listens: Vec<Listen>,
    /// The commands that it knows. The first one for the environment is that of the image, if it has one.
    #[serde(default)]
    pub commands: Vec<Command>,
    /// The files that the commands of the catalog expect in the image, with their texts.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// The files of a certificate in a container.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The certificate with those that signed it.
    pub chain: String,
    pub key: String,
}

impl CertificateFiles {
    /// Returns the secrets of the certificate, each with its file.
    pub fn secrets(&self) -> [(&'static str, &str); 2] {
        [("tls_certificate", self.chain.as_str()), ("tls_key", self.key.as_str())]
    }
}

/// The environment variables of an image.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reads {
    /// It does not start, or does not work, without them.
    #[serde(default)]
    pub required: Vec<String>,
    #[serde(default)]
    pub optional: Vec<String>,
    /// The deploy tool gives them to the image; whether it reads them is not public.
    #[serde(default)]
    pub given: Vec<String>,
    /// The command of the catalog reads them.
    #[serde(default)]
    pub command: Vec<String>,
}

/// A program that the lab has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runs {
    /// Real programs behind the scripts that the lab's own images have.
    Asterisk,
    Kamailio,
    Nginx,
    Rtpengine,
    Redis,
    /// Real programs behind scripts of their generation, below `images/lines`.
    Postgres,
    Redisgears,
    #[serde(rename = "asterisk-1.26")]
    Asterisk126,
    #[serde(rename = "asterisk-2.2")]
    Asterisk22,
    #[serde(rename = "asterisk-3")]
    Asterisk3,
    #[serde(rename = "kamailio-3")]
    Kamailio3,
    #[serde(rename = "nginx-1.26")]
    Nginx126,
    #[serde(rename = "nginx-2.2")]
    Nginx22,
    /// The generic program that only does what its contract says.
    StandIn,
}

impl Runs {
    /// Returns its name, as contracts have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asterisk => "asterisk",
            Self::Kamailio => "kamailio",
            Self::Nginx => "nginx",
            Self::Rtpengine => "rtpengine",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::Redisgears => "redisgears",
            Self::Asterisk126 => "asterisk-1.26",
            Self::Asterisk22 => "asterisk-2.2",
            Self::Asterisk3 => "asterisk-3",
            Self::Kamailio3 => "kamailio-3",
            Self::Nginx126 => "nginx-1.26",
            Self::Nginx22 => "nginx-2.2",
            Self::StandIn => "stand-in",
        }
    }
}

impl Reads {
    /// Returns true if somebody in the container looks at the variable.
    pub fn declares(&self, key: &str) -> bool {
        let all = [&self.required, &self.optional, &self.given, &self.command];
        all.into_iter().flatten().any(|declared| declared == key)
    }
}

impl Line {
    /// Reads the contracts of a catalog.
    pub fn parse(text: &str) -> Result<Self> {
        serde_saphyr::from_str(text)
            .map_err(|error| LabError::Invalid(format!("the contracts cannot be read: {error}")))
    }

    /// Returns the contracts of an image that are for a component, each with its place in the list.
    pub fn matching(&self, image: &str, component: &str) -> Vec<(usize, &Contract)> {
        let is_of = |contract: &Contract| {
            let names = &contract.components;
            contract.image == image && (names.is_empty() || names.iter().any(|it| it == component))
        };
        self.contracts.iter().enumerate().filter(|(_, contract)| is_of(contract)).collect()
    }
}

impl Contract {
    /// Returns the commands that it knows, each with everything at which it listens. A contract without any has one
    /// program, which takes no arguments.
    pub fn all_commands(&self) -> Vec<Command> {
        let mut commands = self.commands.clone();
        if commands.is_empty() {
            commands.push(Command::default());
        }
        for command in &mut commands {
            if command.action == Action::Serve {
                command.listens.extend(self.listens.iter().cloned());
            }
        }
        commands
    }
}
