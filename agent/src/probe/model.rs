//! The prober of a model of a host, whose programs listen on no port.

use std::time::Duration;

use async_trait::async_trait;
use oml_common::document::instance::{Port, Probe};
use oml_sim::HostModel;

use super::{Answer, ProbeTarget, Prober};

/// Asks the model whether a container's program answers.
#[derive(Debug, Clone)]
pub struct ModelProber(pub HostModel);

#[async_trait]
impl Prober for ModelProber {
    async fn ask(&self, probe: &Probe, target: ProbeTarget<'_>) -> Answer {
        // An answer over a network takes its time too.
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.0.answers(target.container) {
            return Answer::Good("answers".to_owned());
        }
        Answer::Bad(match probe.check.port() {
            Some(Port { number, .. }) => format!("connection refused (asked 127.0.0.1:{number})"),
            None => "connection refused".to_owned(),
        })
    }
}
