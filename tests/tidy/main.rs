//! Checks rules of the workspace that the compiler does not know: sizes, names,
//! imports, docstrings, tuples as parameters, sleeps in tests, types that share a name, state diagrams, messages
//! that the handbook quotes, the tests of the field trials, and a policy row for every remote procedure.

mod circles;
mod diagrams;
mod docs;
mod documents;
mod examples;
mod field;
mod imports;
mod messages;
mod names;
mod parameters;
mod policy;
mod schemas;
mod sizes;
mod sleeps;
mod sources;
mod texts;
mod transitions;
mod twice;
mod units;
