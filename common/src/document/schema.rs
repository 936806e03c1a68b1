//! The JSON schemas of what people write, for their editors. `tests/tidy/schemas.rs` compares them
//! with what the readers accept.

/// The schema of catalogs.
pub const CATALOG_SCHEMA: &str = include_str!("../../schemas/catalog.json");

/// The schema of tenant specifications.
pub const TENANT_SCHEMA: &str = include_str!("../../schemas/tenant.json");
