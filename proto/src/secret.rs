//! The messages that hold values of secrets, as they are shown: without the values.

use std::fmt;

use crate::v1;

impl fmt::Debug for v1::SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretValue({} version {})", self.name, self.version)
    }
}

impl fmt::Debug for v1::NewSecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewSecretValue(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_a_secret_shows_no_value() {
        let value = v1::NewSecretValue { value: "s3cret".to_owned(), generate_length: 0 };
        let request = v1::SetSecretRequest { value: Some(value), ..Default::default() };
        let sent = v1::SecretValue { value: "s3cret".to_owned(), ..Default::default() };
        let secrets = v1::SecretValues { values: vec![sent] };
        let shown = [
            format!("{request:?} {secrets:?}"),
            serde_json::to_string(&request).unwrap(),
            serde_json::to_string(&secrets).unwrap(),
        ];
        assert!(shown.iter().all(|text| !text.contains("s3cret")), "{shown:?}");
    }
}
