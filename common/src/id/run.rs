//! The number of a run of an operation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of a run of an operation, ordered by epoch first, as a [`super::Generation`] is. No
/// host ever sees one of its tenant twice, also after the controller's store was restored from a
/// backup. Those of other tenants and controllers begin at 1-1 too.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct RunId {
    /// Grows by one with every restore of the controller's store.
    pub epoch: u64,
    /// Grows by one with every run of the tenant.
    pub number: u64,
}

/// The error of a text that is not the number of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the number of a run, such as 1-7")]
pub struct InvalidRunId;

impl RunId {
    /// The epoch of the runs that belong to an update of a host. No controller gives a number of
    /// it.
    pub const OF_HOST: u64 = 0;

    /// Returns whether it is a run of an update, which no controller ordered.
    #[must_use]
    pub fn is_of_host(self) -> bool {
        self.epoch == Self::OF_HOST
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl FromStr for RunId {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, InvalidRunId> {
        let (epoch, number) = text.split_once('-').ok_or(InvalidRunId)?;
        let number_of = |text: &str| text.parse().map_err(|_not_a_number| InvalidRunId);
        let id = Self { epoch: number_of(epoch)?, number: number_of(number)? };
        // A plus sign or a zero in front would make two texts of one number.
        if id.to_string() == text { Ok(id) } else { Err(InvalidRunId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_by_the_text_it_is_written_with() {
        let id = RunId { epoch: 2, number: 17 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "7", "1-", "-7", "01-7", "+1-7", "1-7-2", "1.7", "../1-7"] {
            assert_eq!(wrong.parse::<RunId>(), Err(InvalidRunId), "{wrong:?}");
        }
    }
}
