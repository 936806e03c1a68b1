//! A client for a host's Docker Engine that uses its socket directly, so that no
//! program has to be started during the measurement. It has only the four calls
//! that replacing a container needs.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use oml_lab::Host;
use serde_json::{Value, json};

const CALL_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// A client of one host's Docker Engine.
pub(crate) struct Engine {
    socket: PathBuf,
}

impl Engine {
    /// Returns the engine of a running host. Its socket is reached through the root folder of the host's first process.
    pub(crate) fn of(host: &Host) -> Result<Self> {
        let entry = host.nsenter_command()?;
        let leader = entry
            .iter()
            .find_map(|word| word.strip_prefix("--target="))
            .context("find the host's first process in the nsenter command")?;
        Ok(Self { socket: PathBuf::from(format!("/proc/{leader}/root/run/docker.sock")) })
    }

    /// Creates a container on the host's network that serves on this port.
    pub(crate) fn create(&self, name: &str, image: &str, port: u16) -> Result<()> {
        let body = json!({
            "Image": image,
            "Env": [format!("PORT={port}")],
            "HostConfig": {"NetworkMode": "host", "RestartPolicy": {"Name": "no"}},
        });
        self.call("POST", &format!("/containers/create?name={name}"), &body.to_string())
    }

    /// Starts a container and returns when its program runs.
    pub(crate) fn start(&self, name: &str) -> Result<()> {
        self.call("POST", &format!("/containers/{name}/start"), "")
    }

    /// Stops a container and returns when its program has ended.
    pub(crate) fn stop(&self, name: &str) -> Result<()> {
        self.call("POST", &format!("/containers/{name}/stop?t=10"), "")
    }

    /// Removes a container, whether it runs or not.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        self.call("DELETE", &format!("/containers/{name}?force=1"), "")
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Result<()> {
        let answer =
            self.exchange(method, path, body).with_context(|| format!("{method} {path}"))?;
        let status: u16 = answer
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok())
            .with_context(|| format!("{method} {path}: the response is not HTTP"))?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        ensure!((200..300).contains(&status), "{method} {path}: {status}: {}", message(body));
        Ok(())
    }

    /// Sends a request and returns the whole response. It uses HTTP/1.0, so that the response ends with the connection.
    fn exchange(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(CALL_LIMIT))?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes())?;
        let mut answer = String::new();
        stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
        Ok(answer)
    }
}

fn message(body: &str) -> String {
    let parsed: Value = serde_json::from_str(body).unwrap_or_default();
    parsed["message"].as_str().unwrap_or(body).to_owned()
}
