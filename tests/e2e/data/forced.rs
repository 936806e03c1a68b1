//! The versions that cannot read what others have written, as data.

/// The releases of MinIO of September 2023, April 2025 and May 2022.
pub(super) const MINIO_OF_2023: &str = "20230927";
pub(super) const MINIO_OF_2025: &str = "20250422";
pub(super) const MINIO_OF_2022: &str = "20220526";
/// Why the way back of Redis is refused.
pub(super) const REDIS_BACK: &str = "redis 7.0.15 -> 6.0.16 leads back over a step that only leads forward: Redis 7 \
                                     writes a dump that Redis 6 cannot read; it would lose what Redis holds";

/// A version that cannot read what is there and that is tried all the same.
pub(super) struct Forced {
    pub(super) component: &'static str,
    pub(super) is: &'static str,
    pub(super) tried: &'static str,
    /// Why it is refused without a reason.
    pub(super) refusal: &'static str,
    /// What the program says of the state that it finds.
    pub(super) words: &'static str,
    /// What is said to `set-version` to end the trial.
    pub(super) end: &'static [&'static str],
}

pub(super) const FORCED: [Forced; 3] = [
    Forced {
        component: "redis",
        is: "7.0.15",
        tried: "6.0.16",
        refusal: REDIS_BACK,
        words: "Can't handle RDB format version 10",
        end: &["--yes"],
    },
    Forced {
        component: "postgres",
        is: "15-a",
        tried: "17",
        refusal: "postgres 15-a -> 17 cannot read what is there: Postgres 17 has another form of its data than the \
                  major versions before",
        words: "The data directory was initialized by PostgreSQL version 15",
        // It would lose what 17 has written, and 17 never answered.
        end: &["--force", "17 has written nothing"],
    },
    Forced {
        component: "minio",
        is: MINIO_OF_2023,
        tried: MINIO_OF_2022,
        refusal: "minio 20230927 -> 20220526 leads back over a step that only leads forward: MinIO keeps a drive in \
                  another form since June 2022, which earlier releases refuse; it would lose what MinIO holds",
        words: "expected format-type: fs, found: xl-single",
        end: &["--yes"],
    },
];
