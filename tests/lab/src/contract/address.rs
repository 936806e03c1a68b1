//! Texts of a contract in which `${NAME}` is the value of an environment variable, `${--flag}` that of a flag of the
//! command, and `${@1}` its second word. `${…:-text}` gives a text in place of an empty or missing value.

use std::collections::BTreeMap;

/// What the texts of a contract are filled in from.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub env: &'a BTreeMap<String, String>,
    /// The command with its arguments.
    pub words: &'a [String],
}

impl Context<'_> {
    /// Fills in a text, or says which value is missing.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("${") {
            let (inside, after) =
                from.split_once('}').ok_or_else(|| format!("{text}: a brace is missing"))?;
            filled.push_str(before);
            filled.push_str(&self.value(inside)?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Returns the host and the port of an address, or says what is wrong with it. An empty host is every address.
    pub fn address(&self, text: &str) -> Result<(String, u16), String> {
        let filled = self.fill(text)?;
        let parts = filled.rsplit_once(':');
        let parsed = parts.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        let (host, port) =
            parsed.ok_or_else(|| format!("{text} must be ADDRESS:PORT, and it is {filled:?}"))?;
        let host = if host.is_empty() { "0.0.0.0" } else { host };
        Ok((host.to_owned(), port))
    }

    fn value(&self, inside: &str) -> Result<String, String> {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let found = match name.strip_prefix('@') {
            Some(index) => index.parse().ok().and_then(|at: usize| self.words.get(at)).cloned(),
            None if name.starts_with("--") => self.flag(name),
            None => self.env.get(name).cloned(),
        };
        let found = found.filter(|value| !value.is_empty());
        found.or_else(|| default.map(str::to_owned)).ok_or_else(|| format!("{name} must be set"))
    }

    /// Returns the value of a flag, which is behind an equals sign or the next word.
    fn flag(&self, name: &str) -> Option<String> {
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            if word == name {
                return words.next().cloned();
            }
            let value = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
            if let Some(value) = value {
                return Some(value.to_owned());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
