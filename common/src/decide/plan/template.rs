//! The template engine, and how values are written into text of systemd.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, escape_formatter};

use crate::document::instance::PackagedUnit;
use crate::text::printable::{is_hidden, name_of};

mod filters;
mod units;

pub(super) use self::filters::unknown_filters;

/// The number of steps that one template may take. The shipped catalog needs very few.
const TEMPLATE_FUEL: u64 = 10_000;
/// The number of steps that the template of a file may take.
const FILE_FUEL: u64 = 200_000;
/// The name of templates whose result is text of systemd.
pub(super) const DROP_IN: &str = "drop_in";

/// The names that a template may use, for the hint of a problem.
pub(super) const NAMES: &str = "a template can use tenant, settings.NAME, node.name, \
                                node.address and host.COMPONENT";

/// The filters that a template may use, for the hint of a problem.
const FILTERS: &str = "a template can use the filters of Jinja, and bytes, mebibytes, seconds and \
                       milliseconds";

/// Returns what a template may use in the place of what it could not be filled in with.
pub(super) fn hint_of(error: &Error) -> &'static str {
    if error.kind() == ErrorKind::UnknownFilter { FILTERS } else { NAMES }
}

/// Makes the template engine. An unknown name is an error.
pub(crate) fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|name| {
        if name == DROP_IN { AutoEscape::Custom(DROP_IN.into()) } else { AutoEscape::None }
    });
    engine.set_formatter(|out, state, value| {
        if !matches!(state.auto_escape(), AutoEscape::Custom(_)) {
            return escape_formatter(out, state, value);
        }
        let text = inserted(&value.to_string())
            .map_err(|why| Error::new(ErrorKind::InvalidOperation, why))?;
        out.write_str(&text).map_err(Error::from)
    });
    units::add(&mut engine);
    engine.set_fuel(Some(TEMPLATE_FUEL));
    engine
}

/// Makes the template engine of files: every line is kept as it is written, and a line that is only
/// a tag leaves none behind, as people know it of Ansible.
pub(super) fn file_engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax = SyntaxConfig::builder().trim_blocks(true).keep_trailing_newline(true).build();
    // Only delimiters can be wrong, and these are the usual ones.
    if let Ok(syntax) = syntax {
        engine.set_syntax(syntax);
    }
    units::add(&mut engine);
    engine.set_fuel(Some(FILE_FUEL));
    engine
}

/// Returns a value as it is written into a line of the catalog's drop-in, where the catalog
/// has chosen the quotes.
fn inserted(value: &str) -> Result<String, String> {
    if let Some(c) = value.chars().find(|c| is_hidden(*c) || matches!(c, '"' | '\'' | '\\')) {
        let what = if is_hidden(c) { name_of(c) } else { format!("the character {c}") };
        return Err(format!("a value that contains {what} cannot be written into a drop-in"));
    }
    // systemd would replace a specifier (systemd.unit(5), "Specifiers").
    Ok(value.replace('%', "%%"))
}

/// Adds what a tenant says of a packaged unit to the lines of the catalog.
///
/// # Errors
/// Returns the name of the environment variable whose value cannot be written, and why.
pub(super) fn packaged<'e>(
    lines: &str,
    env: impl Iterator<Item = (&'e str, String)>,
    memory_bytes_max: Option<u64>,
) -> Result<PackagedUnit, (&'e str, String)> {
    let mut own = String::new();
    for (name, value) in env {
        if let Some(c) = value.chars().find(|c| is_hidden(*c)) {
            let why = format!("contains {}, which cannot be written into a drop-in", name_of(c));
            return Err((name, why));
        }
        // The rules of quotes and specifiers are in systemd.syntax(7) and systemd.unit(5).
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
        own.push_str(&format!("Environment=\"{name}={value}\"\n"));
    }
    if let Some(bytes) = memory_bytes_max {
        own.push_str(&format!("MemoryMax={bytes}\n"));
    }
    if own.is_empty() {
        return Ok(PackagedUnit { drop_in: lines.to_owned() });
    }
    // A later line overrides an earlier one, so those of the tenant are the last. The catalog
    // may have ended in another section.
    let before = lines.trim_end();
    let has_section = before.lines().any(|line| line.trim_start().starts_with('['));
    let section = if has_section { "[Service]\n" } else { "" };
    let gap = if before.is_empty() { "" } else { "\n" };
    Ok(PackagedUnit { drop_in: format!("{before}{gap}{section}{own}") })
}

#[cfg(test)]
mod tests;
