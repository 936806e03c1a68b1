//! With which keys the secrets of a controller are sealed, and whether the one at hand is theirs.

use std::collections::BTreeMap;
use std::path::Path;

use oml_common::document::secret::SecretRecord;
use oml_common::text::plural::{counted, is_or_are, was_or_were};

use super::{KEY_FILE, NoKey, SealingKey};

/// The numbers of secrets by the names of the keys that sealed their newest versions. Earlier
/// versions do not count: after a key was lost nobody needs them, once every secret was rotated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyUse {
    by_key: BTreeMap<String, u64>,
}

/// Says that secrets were sealed with other keys than the one at hand, which cannot open them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{other} of {} {} sealed with another key ({}) than that of this controller ({own}); put the right {KEY_FILE} in place and run: systemctl restart omlcontroller; if it is lost, give each of them a new value with `omlctl secret rotate`, and those of certificates with `omlctl tls renew --new-ca` or `omlctl tls set`",
    counted(*all, "secrets"),
    was_or_were(*other),
    keys.join(", ")
)]
pub struct OtherKey {
    /// The number of secrets that another key sealed.
    pub other: u64,
    /// The number of all secrets.
    pub all: u64,
    /// The names of the other keys.
    pub keys: Vec<String>,
    /// The name of the key at hand.
    pub own: String,
}

impl KeyUse {
    /// Counts the secrets that were not removed.
    #[must_use]
    pub fn of<'r>(records: impl IntoIterator<Item = &'r SecretRecord>) -> Self {
        let mut by_key: BTreeMap<String, u64> = BTreeMap::new();
        for record in records {
            if let Some((_, newest)) = record.newest() {
                *by_key.entry(newest.key.clone()).or_default() += 1;
            }
        }
        Self { by_key }
    }

    /// Returns the number of secrets.
    #[must_use]
    pub fn secrets(&self) -> u64 {
        self.by_key.values().sum()
    }

    /// Returns what other keys than this one sealed; none if there is no such secret.
    #[must_use]
    pub fn others(&self, own: &SealingKey) -> Option<OtherKey> {
        let others = self.by_key.keys().filter(|key| key.as_str() != own.id());
        let keys: Vec<String> = others.cloned().collect();
        let all = self.secrets();
        let other = all - self.by_key.get(own.id()).copied().unwrap_or_default();
        (other > 0).then(|| OtherKey { other, all, keys, own: own.id().to_owned() })
    }
}

impl KeyUse {
    /// Returns what to say of the key after a backup, if there are secrets: it is no part of it.
    #[must_use]
    pub fn after_backup(&self, data_dir: &Path) -> Option<String> {
        let (sealed, path) = (self.sealed()?, data_dir.join(KEY_FILE));
        let path = path.display();
        Some(format!(
            "{sealed} with a key that the backup does not hold: keep a copy of {path} in another place than the backup"
        ))
    }

    /// Returns what to do about the key after a restore, if there are secrets.
    #[must_use]
    pub fn after_restore(
        &self,
        key: &Result<SealingKey, NoKey>,
        data_dir: &Path,
    ) -> Option<String> {
        let (sealed, path) = (self.sealed()?, data_dir.join(KEY_FILE));
        let path = path.display();
        let put =
            format!("{path} (owner root, mode 0600), then run: systemctl restart omlcontroller");
        Some(match key.as_ref().map(|key| self.others(key)) {
            Ok(None) => format!("{sealed} with the key that is there: nothing is to be done"),
            Ok(Some(other)) => {
                let OtherKey { other, all, keys, own } = other;
                let (all, were, keys) =
                    (counted(all, "secrets"), was_or_were(other), keys.join(", "));
                format!(
                    "{other} of {all} {were} sealed with another key ({keys}) than the one that is there ({own}): put the right one to {put}"
                )
            }
            Err(NoKey::Missing { .. }) => {
                format!("{sealed} with a key that the backup does not hold: put it to {put}")
            }
            Err(NoKey::Unreadable { .. } | NoKey::Invalid { .. }) => {
                format!(
                    "{sealed} with a key, and what is there cannot be used: put the right one to {put}"
                )
            }
        })
    }

    /// Returns the begin of a sentence about the secrets, if there are any.
    fn sealed(&self) -> Option<String> {
        let count = self.secrets();
        (count > 0).then(|| format!("{} {} sealed", counted(count, "secrets"), is_or_are(count)))
    }
}

impl OtherKey {
    /// Whether the key at hand sealed none of the secrets, so that it is probably the wrong one.
    #[must_use]
    pub fn is_of_all(&self) -> bool {
        self.other == self.all
    }
}

#[cfg(test)]
mod tests {
    use oml_common::document::secret::SealedVersion;
    use oml_common::time::Timestamp;
    use oml_daemon::env::Random;

    use super::*;
    use crate::seal::new_key;

    fn key() -> SealingKey {
        SealingKey::parse(&new_key(&Random::system()).unwrap()).unwrap()
    }

    /// A secret whose versions these keys sealed, in their order.
    fn record(keys: &[&SealingKey]) -> SecretRecord {
        let version = |(number, key): (u64, &&SealingKey)| {
            let (who, key, sealed) = ("maria".to_owned(), key.id().to_owned(), String::new());
            let (mark, at) = (format!("{number:032x}").parse().unwrap(), Timestamp(number));
            (
                number,
                SealedVersion { mark, at, who, key, sealed, has_lines: false, certificate: None },
            )
        };
        let versions = (1..).zip(keys).map(version).collect();
        SecretRecord { last: 9, versions }
    }

    #[test]
    fn the_newest_versions_of_secrets_say_with_which_keys_they_are_sealed() {
        let (own, foreign) = (key(), key());
        let records = [record(&[&foreign, &own]), record(&[&own, &foreign]), record(&[])];
        let used = KeyUse::of(&records);
        assert_eq!(used.secrets(), 2, "the removed one does not count");
        let other = used.others(&own).unwrap();
        assert!(!other.is_of_all());
        let said = other.to_string();
        let begin = format!(
            "1 of 2 secrets was sealed with another key ({}) than that of this controller ({})",
            foreign.id(),
            own.id()
        );
        assert!(said.starts_with(&begin), "{said}");
        assert_eq!(KeyUse::of(&records[..1]).others(&own), None);
        let none_fits = KeyUse::of(&records[1..]).others(&own).unwrap();
        assert!(none_fits.is_of_all() && none_fits.to_string().starts_with("1 of 1 secret was "));
    }

    #[test]
    fn what_is_said_of_the_key_after_a_backup_and_after_a_restore_is_what_to_do() {
        let (own, foreign) = (key(), key());
        let (own_id, other_id) = (own.id().to_owned(), foreign.id().to_owned());
        let used = KeyUse::of(&[record(&[&own]), record(&[]), record(&[&own])]);
        let dir = Path::new("/var/lib/omlcontroller");
        let path = dir.join(KEY_FILE);
        let put = "/var/lib/omlcontroller/secrets.key (owner root, mode 0600), then run: systemctl \
                   restart omlcontroller";
        assert_eq!(
            used.after_backup(dir).unwrap(),
            "2 secrets are sealed with a key that the backup does not hold: keep a copy of \
             /var/lib/omlcontroller/secrets.key in another place than the backup"
        );
        let after_restore = |key| used.after_restore(&key, dir).unwrap();
        assert_eq!(
            after_restore(Err(NoKey::Missing { path: path.clone() })),
            format!(
                "2 secrets are sealed with a key that the backup does not hold: put it to {put}"
            )
        );
        assert_eq!(
            after_restore(Ok(own)),
            "2 secrets are sealed with the key that is there: nothing is to be done"
        );
        assert_eq!(
            after_restore(Ok(foreign)),
            format!(
                "2 of 2 secrets were sealed with another key ({own_id}) than the one that is there \
                 ({other_id}): put the right one to {put}"
            )
        );
        assert_eq!(
            after_restore(Err(NoKey::Invalid { path })),
            format!(
                "2 secrets are sealed with a key, and what is there cannot be used: put the right \
                 one to {put}"
            )
        );
        let none = KeyUse::of(&[record(&[])]);
        assert_eq!(none.after_backup(dir), None);
        assert_eq!(none.after_restore(&Ok(key()), dir), None);
    }
}
