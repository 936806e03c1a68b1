//! The commands about what programs take over while they run.

use omlcontroller::ops::change::ChangeRequest;

use super::Done;
use crate::scenario::world::World;

impl World {
    /// Carries out a command about certificates or reloads, or one about a host.
    pub(super) async fn obey_about_reloads(&mut self, words: &[&str]) -> Done {
        match words {
            ["certificate", "renewed"] => {
                let tenant = self.controller.tenant.clone();
                let request = ChangeRequest::RenewCertificate { tenant, new_authority: false };
                self.change(request).await
            }
            ["reload", "of", component, "fails"] => {
                self.around.behaviours.fail_reload(component);
                Ok(())
            }
            _ => self.obey_on_host(words).await,
        }
    }
}
