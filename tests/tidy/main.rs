//! Rules of the workspace that no compiler knows: sizes, names, imports, and
//! a policy row for every remote procedure.

mod imports;
mod names;
mod policy;
mod sizes;
mod sources;
