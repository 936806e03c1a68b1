//! Converts secrets: what people may know of them, and the values for a node.

use oml_proto::v1;
use zeroize::Zeroizing;

use crate::ops::secrets::{NewValue, OpenedSecret, SecretSummary};

/// Converts what people may know of a secret.
pub(crate) fn secret(summary: SecretSummary) -> v1::Secret {
    let SecretSummary { name, version, at, who, used_by, kept } = summary;
    let used_by = used_by.into_iter().map(|(component, version)| (component.into(), version));
    v1::Secret { name: name.into(), version, at_ms: at.0, who, used_by: used_by.collect(), kept }
}

/// Converts a new value, which is overwritten in memory when it is dropped.
pub(crate) fn new_secret(value: Option<v1::NewSecretValue>) -> NewValue {
    let v1::NewSecretValue { value, generate_length } = value.unwrap_or_default();
    match generate_length {
        0 => NewValue::Given(Zeroizing::new(value)),
        length => NewValue::Generated(length),
    }
}

/// Makes the message with the values for a node.
pub(crate) fn secret_values(secrets: Vec<OpenedSecret>) -> v1::ControllerMessage {
    let values = secrets.into_iter().map(|secret| v1::SecretValue {
        name: secret.name.into(),
        version: secret.version,
        mark: secret.mark.into(),
        value: secret.value.reveal().to_owned(),
        mounted: secret.is_mounted,
    });
    let kind = v1::controller_message::Kind::Secrets(v1::SecretValues { values: values.collect() });
    v1::ControllerMessage { kind: Some(kind) }
}
