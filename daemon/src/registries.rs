//! The registries of a settings file: `[registries."registry.example.com:5000"]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oml_common::id::{REGISTRY_RULE, can_be_named, registry_of_address};
use oml_common::text::problem::{Problem, Problems};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The keys that a program knows which pulls images with Docker.
const KEYS_OF_AGENT: [&str; 2] = ["username", "password_file"];
/// The keys that a program knows which talks to registries itself.
const KEYS_OF_CONTROLLER: [&str; 4] = ["username", "password_file", "ca_file", "insecure"];

/// The program that the settings are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// It talks to registries itself.
    Controller,
    /// It lets Docker talk to them, whose own settings say how.
    Agent,
}

/// What a source says of one registry. Its keys and values are checked by [`read`], which finds
/// every mistake at once.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct RegistryEntry(BTreeMap<String, Scalar>);

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Number(i64),
    Text(String),
    Other(IgnoredAny),
}

/// How a registry is reached, from the settings alone: no file is read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySettings {
    /// The place of its settings, such as `registries."registry.example.com:5000"`.
    pub path: String,
    pub login: Option<Login>,
    /// A file with the certificates of the authorities that are trusted for it, besides those
    /// of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether it is asked over HTTP in place of HTTPS.
    pub plain_http: bool,
}

/// The login to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    /// A file that holds the password and nothing else.
    pub password_file: PathBuf,
}

/// Returns the settings by the key of each registry. What is wrong is added to `problems`: an
/// address that is none, two spellings of one registry, half a login, and unknown keys.
pub fn read(
    entries: BTreeMap<String, RegistryEntry>,
    reader: Reader,
    problems: &mut Problems,
) -> BTreeMap<String, RegistrySettings> {
    let mut registries: BTreeMap<String, RegistrySettings> = BTreeMap::new();
    for (address, entry) in entries {
        let path = format!("registries.{address:?}");
        let Some(key) = registry_of_address(&address) else {
            let message = format!("{address:?} is not {REGISTRY_RULE}");
            problems.push(Problem::new(path, message));
            continue;
        };
        if reader == Reader::Controller {
            problems.0.extend(of_no_image(&path, &key));
        }
        let settings = Entry { path: &path, key: &key, values: entry.0, reader }.read(problems);
        if let Some(other) = registries.get(&key) {
            let message = format!("it is the same registry as {}", other.path);
            problems.push(Problem::new(path, message).hint("remove one of them"));
        } else {
            registries.insert(key, settings);
        }
    }
    registries
}

/// Returns a problem if no image can be of the registry with this key, so that its settings are
/// never used.
#[must_use]
pub fn of_no_image(path: &str, key: &str) -> Option<Problem> {
    let message = "no image can name this registry, because it has neither a dot nor a port";
    let hint = format!("write it as in the names of images: {key}.example.com, or {key}:443");
    (!can_be_named(key)).then(|| Problem::new(path, message).hint(hint))
}

/// One entry that is being read.
struct Entry<'a> {
    path: &'a str,
    key: &'a str,
    values: BTreeMap<String, Scalar>,
    reader: Reader,
}

impl Entry<'_> {
    fn read(mut self, problems: &mut Problems) -> RegistrySettings {
        self.check_keys(problems);
        let user = self.text("username", problems);
        let password_file = self.text("password_file", problems).map(PathBuf::from);
        let ca_file = self.text("ca_file", problems).map(PathBuf::from);
        let plain_http = self.flag("insecure", problems);
        let path = self.path.to_owned();
        if plain_http && ca_file.is_some() {
            let message = "HTTP has no certificates, and insecure = true says that it is HTTP";
            let problem = Problem::new(format!("{path}.ca_file"), message);
            problems.push(problem.hint("remove ca_file, or insecure"));
        }
        let login = match (user, password_file) {
            (Some(user), Some(password_file)) => Some(Login { user, password_file }),
            (None, None) => {
                if self.reader == Reader::Agent {
                    problems.push(self.half_a_login());
                }
                None
            }
            (Some(_), None) | (None, Some(_)) => {
                problems.push(self.half_a_login());
                None
            }
        };
        RegistrySettings { path, login, ca_file, plain_http }
    }

    fn half_a_login(&self) -> Problem {
        let message = "a login takes both username and password_file";
        let hint = "write the password alone into a file, and its path here as password_file";
        Problem::new(self.path, message).hint(hint)
    }

    fn check_keys(&self, problems: &mut Problems) {
        let known: &[&str] = match self.reader {
            Reader::Controller => &KEYS_OF_CONTROLLER,
            Reader::Agent => &KEYS_OF_AGENT,
        };
        for name in self.values.keys().filter(|name| !known.contains(&name.as_str())) {
            let problem = Problem::new(format!("{}.{name}", self.path), "unknown key");
            // On a host, Docker talks to registries.
            problems.push(match name.as_str() {
                "ca_file" => problem.hint(format!(
                    "on a host, put the certificate into /etc/docker/certs.d/{}/ca.crt",
                    self.key
                )),
                "insecure" => problem.hint(format!(
                    "on a host, write \"insecure-registries\": [\"{}\"] into /etc/docker/daemon.json",
                    self.key
                )),
                "password" => problem.hint("write it into a file, and its path as password_file"),
                other => problem.suggest(other, known.iter().copied()),
            });
        }
    }

    fn text(&mut self, name: &str, problems: &mut Problems) -> Option<String> {
        match self.values.remove(name)? {
            Scalar::Text(text) if !text.is_empty() => Some(text),
            Scalar::Number(number) => Some(number.to_string()),
            Scalar::Text(_) | Scalar::Flag(_) | Scalar::Other(_) => {
                let path = format!("{}.{name}", self.path);
                problems.push(Problem::new(path, "must be a text that is not empty"));
                None
            }
        }
    }

    fn flag(&mut self, name: &str, problems: &mut Problems) -> bool {
        match self.values.remove(name) {
            None => false,
            Some(Scalar::Flag(flag)) => flag,
            Some(Scalar::Text(text)) if text == "true" || text == "false" => text == "true",
            Some(Scalar::Text(_) | Scalar::Number(_) | Scalar::Other(_)) => {
                let path = format!("{}.{name}", self.path);
                problems.push(Problem::new(path, "must be true or false"));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Settings as administrators write them.

    use super::*;

    fn read(text: &str, reader: Reader) -> Result<BTreeMap<String, RegistrySettings>, String> {
        #[derive(Deserialize)]
        struct File {
            registries: BTreeMap<String, RegistryEntry>,
        }
        let source = config::File::from_str(text, config::FileFormat::Toml);
        let built = config::Config::builder().add_source(source).build().unwrap();
        let file: File = built.try_deserialize().unwrap();
        let mut problems = Problems::default();
        let registries = super::read(file.registries, reader, &mut problems);
        problems.into_result(registries).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_registry_has_a_login_an_authority_or_plain_http() {
        let text = "
            [registries.\"Secure.corp:5443\"]
            username = \"oml\"
            password_file = \"/p\"
            ca_file = \"/ca.pem\"
            [registries.\"10.0.0.1:5000\"]
            insecure = true
            [registries.\"https://index.docker.io/v1/\"]
            username = 7
            password_file = \"/q\"";
        let read = read(text, Reader::Controller).unwrap();
        let secure = &read["secure.corp:5443"];
        assert_eq!(secure.login.as_ref().unwrap().user, "oml");
        assert_eq!(secure.ca_file, Some("/ca.pem".into()));
        assert!(read["10.0.0.1:5000"].plain_http && !secure.plain_http);
        assert_eq!(read["docker.io"].login.as_ref().unwrap().user, "7");
    }

    #[test]
    fn a_registry_that_no_image_can_name_is_refused_by_the_controller_alone() {
        let entry = |name: &str| {
            format!("[registries.\"{name}\"]\nusername = \"u\"\npassword_file = \"/p\"\n")
        };
        let refused = read(&entry("mirror"), Reader::Controller).unwrap_err();
        let expected = "registries.\"mirror\": no image can name this registry, because it has \
                        neither a dot nor a port (write it as in the names of images: \
                        mirror.example.com, or mirror:443)";
        assert_eq!(refused, expected);
        assert!(read(&entry("mirror"), Reader::Agent).is_ok());
        for name in ["mirror:5000", "localhost", "docker.io", "10.0.0.1", "mirror.lan"] {
            assert!(read(&entry(name), Reader::Controller).is_ok(), "{name}");
        }
    }

    #[test]
    fn every_mistake_is_refused_at_once_with_its_place() {
        let text = "
            [registries.\"a b\"]
            [registries.\"one.corp\"]
            username = \"oml\"
            [registries.\"two.corp\"]
            password = \"s3cret\"
            insecur = true
            ca_file = \"/ca\"
            insecure = true
            [registries.\"three.corp\"]
            insecure = 1
            ca_file = \"\"
            [registries.\"docker.io\"]
            [registries.\"registry-1.docker.io\"]";
        let refused = read(text, Reader::Controller).unwrap_err();
        let expected = "\
registries.\"a b\": \"a b\" is not the address of a registry, such as docker.io or registry.example.com:5000
registries.\"one.corp\": a login takes both username and password_file (write the password alone into a file, and its path here as password_file)
registries.\"registry-1.docker.io\": it is the same registry as registries.\"docker.io\" (remove one of them)
registries.\"three.corp\".ca_file: must be a text that is not empty
registries.\"three.corp\".insecure: must be true or false
registries.\"two.corp\".ca_file: HTTP has no certificates, and insecure = true says that it is HTTP (remove ca_file, or insecure)
registries.\"two.corp\".insecur: unknown key (did you mean insecure?)
registries.\"two.corp\".password: unknown key (write it into a file, and its path as password_file)";
        assert_eq!(refused, expected);
    }

    #[test]
    fn on_a_host_the_settings_of_docker_are_named() {
        let text = "
            [registries.\"one.corp:5443\"]
            username = \"oml\"
            password_file = \"/p\"
            ca_file = \"/ca\"
            insecure = true
            [registries.\"two.corp\"]";
        let refused = read(text, Reader::Agent).unwrap_err();
        for words in [
            "/etc/docker/certs.d/one.corp:5443/ca.crt",
            "\"insecure-registries\": [\"one.corp:5443\"] into /etc/docker/daemon.json",
            "registries.\"two.corp\": a login takes both username and password_file",
        ] {
            assert!(refused.contains(words), "{words}\n{refused}");
        }
    }
}
