//! The prober of a model of a host, whose programs listen on no port.

use std::time::Duration;

use async_trait::async_trait;
use oml_common::document::instance::Check;
use oml_sim::HostModel;

use super::{Answer, ProbeTarget, Prober};

/// Asks the model whether a container's program answers.
#[derive(Debug, Clone)]
pub struct ModelProber(pub HostModel);

#[async_trait]
impl Prober for ModelProber {
    async fn ask(&self, _check: &Check, _timeout_ms: u64, target: ProbeTarget<'_>) -> Answer {
        // An answer over a network takes its time too.
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.0.answers(target.container) {
            Answer::Good("answers".to_owned())
        } else {
            Answer::Bad("connection refused".to_owned())
        }
    }
}
