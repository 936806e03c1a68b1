//! Sends each kind of change by its own call.

use oml_proto::v1::{
    ApplyRequest, ChangeOptions, ChangeReply, RenewCertificateRequest, RollbackRequest,
    RotateSecretRequest, SetCertificateRequest, SetReleaseRequest, SetVersionRequest,
};

use super::ChangeRequest;
use crate::connection::{Controller, Failed};

impl Controller {
    pub(super) async fn change(
        &mut self,
        request: &ChangeRequest,
        options: &ChangeOptions,
    ) -> Result<ChangeReply, Failed> {
        let options = Some(options.clone());
        match request.clone() {
            ChangeRequest::Apply { spec_yaml } => {
                let request = ApplyRequest { spec_yaml, options };
                self.call(|fleet, request| fleet.apply(request), request).await
            }
            ChangeRequest::SetVersion { tenant, versions } => {
                let request = SetVersionRequest { tenant, versions, options };
                self.call(|fleet, request| fleet.set_version(request), request).await
            }
            ChangeRequest::SetRelease { tenant, release } => {
                let request = SetReleaseRequest { tenant, release, options };
                self.call(|fleet, request| fleet.set_release(request), request).await
            }
            ChangeRequest::Rollback { tenant, to } => {
                let request = RollbackRequest { tenant, to, options };
                self.call(|fleet, request| fleet.rollback(request), request).await
            }
            ChangeRequest::RotateSecret { tenant, name, value } => {
                let value = Some(value);
                let request = RotateSecretRequest { tenant, name, value, options };
                self.call(|fleet, request| fleet.rotate_secret(request), request).await
            }
            ChangeRequest::SetCertificate { tenant, certificate, key } => {
                let (certificate, key) = (Some(certificate), Some(key));
                let request = SetCertificateRequest { tenant, certificate, key, options };
                self.call(|fleet, request| fleet.set_certificate(request), request).await
            }
            ChangeRequest::RenewCertificate { tenant, new_authority } => {
                let request = RenewCertificateRequest { tenant, new_authority, options };
                self.call(|fleet, request| fleet.renew_certificate(request), request).await
            }
        }
    }
}
