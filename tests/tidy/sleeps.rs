//! Tests wait for a condition; they never sleep and hope.
//!
//! A test that sleeps is slow when all is well and fails when the machine is
//! busy. This check reads the tokens of every test file (`tests.rs`, folders
//! named `tests`, test harnesses, `#[cfg(test)]` modules and the files that
//! they name), also inside macros. It looks at Rust calls only: a program named
//! `sleep` that a test starts or a script in a string is a stand-in, not a wait.

use std::str::FromStr as _;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::sources::{Source, all};

/// The calls that let time pass without looking at anything.
const CALLS: [&str; 6] =
    ["sleep", "sleep_until", "sleep_ms", "park_timeout", "delay_for", "wait_timeout_ms"];

/// The functions that may sleep: the end of the file's path, the function, and the reason.
/// A path's end is enough, so that moving a folder does not touch this list.
const ALLOWED: [(&str, &str, &str); 11] = [
    ("tests/lab/src/wait.rs", "until", "polls a condition up to a deadline, for the whole lab"),
    ("runtime/contract.rs", "until", "polls a real engine up to a deadline, for the whole suite"),
    ("tests/crash/process.rs", "until", "polls a child process up to a deadline"),
    (
        "tests/store_crash.rs",
        "a_writer_killed_while_it_opens_the_store_leaves_it_intact",
        "the delay is the moment of the kill; nothing is waited for",
    ),
    (
        "tests/tls_exhaustion.rs",
        "a_port_without_descriptors_waits_and_serves_again",
        "measures processor time over a fixed interval",
    ),
    (
        "tests/system/agent.rs",
        "pause_before_reconnecting",
        "a stand-in for an agent pauses between two connections, as the agent does",
    ),
    ("probe/model.rs", "ask", "a probe of the model takes a millisecond of virtual time"),
    ("scenario/world.rs", "next_look", "moves virtual time on to the next look at the world"),
    ("sim/tests/model.rs", "pass_time", "moves tokio's paused clock; no real time passes"),
    ("informer/tests.rs", "pass_time", "moves tokio's paused clock; no real time passes"),
    ("agent/tests/bench.rs", "pass_time", "moves tokio's paused clock; no real time passes"),
];

#[test]
fn no_test_sleeps() {
    let mut found = Vec::new();
    let mut used = [false; ALLOWED.len()];
    for sleep in sleeps(&all()) {
        let entry = ALLOWED.iter().position(|(path, function, _)| {
            sleep.path.ends_with(path) && sleep.function == *function
        });
        match entry {
            Some(entry) => used[entry] = true,
            None => found.push(format!("{}:{}: in {}", sleep.path, sleep.line, sleep.function)),
        }
    }
    assert!(found.is_empty(), "wait for the condition instead of sleeping:\n{}", found.join("\n"));
    let unused: Vec<String> = ALLOWED
        .iter()
        .zip(used)
        .filter(|(_, used)| !used)
        .map(|((path, function, _), _)| format!("{path}: {function}"))
        .collect();
    assert!(unused.is_empty(), "these no longer sleep; remove them:\n{}", unused.join("\n"));
}

#[test]
fn a_sleep_is_found_in_test_code_only() {
    let text = "
        fn production() { sleep(PAUSE); }
        #[cfg(test)]
        mod tests {
            async fn waits() { tokio::select! { () = time::sleep(PAUSE) => {} } }
        }
        #[cfg(test)]
        mod fake;
    ";
    let inside = Source { path: "agent/src/runtime.rs".into(), text: text.into() };
    let fake = "fn rests() { std::thread::sleep(PAUSE) }";
    let fake = Source { path: "agent/src/runtime/fake.rs".into(), text: fake.into() };
    let found: Vec<String> =
        sleeps(&[inside, fake]).into_iter().map(|sleep| sleep.function).collect();
    assert_eq!(found, ["waits", "rests"]);
}

/// One call that sleeps, in test code.
struct Sleep {
    path: String,
    line: usize,
    function: String,
}

fn sleeps(sources: &[Source]) -> Vec<Sleep> {
    let walks: Vec<Walk<'_>> = sources.iter().map(Walk::over).collect();
    let named: Vec<String> = walks.iter().flat_map(|walk| walk.test_files.clone()).collect();
    let mut found = Vec::new();
    for walk in walks {
        let path = &walk.source.path;
        let whole = walk.source.is_test() || path.starts_with("tests/") || is_below(path, &named);
        let sleeps = walk.sleeps.into_iter().filter(|(_, in_test)| whole || *in_test);
        found.extend(sleeps.map(|(sleep, _)| sleep));
    }
    found
}

/// Returns the sources that the programs and libraries are built from: no tests, and none
/// of the files that only a `#[cfg(test)] mod name;` names.
pub(crate) fn production() -> Vec<Source> {
    let mut sources = all();
    let named: Vec<String> =
        sources.iter().flat_map(|source| Walk::over(source).test_files).collect();
    sources.retain(|source| !source.is_test() && !is_below(&source.path, &named));
    sources
}

/// Whether a file is one of these modules, given without `.rs`, or lies below one.
fn is_below(path: &str, modules: &[String]) -> bool {
    modules.iter().any(|module| {
        let rest = path.strip_prefix(module.as_str());
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    })
}

/// What one file holds: its sleeps, each with whether an inline test module holds it,
/// and the files that only tests compile.
struct Walk<'a> {
    source: &'a Source,
    sleeps: Vec<(Sleep, bool)>,
    /// Paths without `.rs`.
    test_files: Vec<String>,
}

/// What the tokens read so far say about the braces that come next.
#[derive(Default)]
struct Ahead {
    function: Option<String>,
    module: Option<String>,
    is_test: bool,
}

impl<'a> Walk<'a> {
    fn over(source: &'a Source) -> Self {
        let tokens = TokenStream::from_str(&source.text)
            .unwrap_or_else(|error| panic!("{}: {error}", source.path));
        let mut walk = Self { source, sleeps: Vec::new(), test_files: Vec::new() };
        walk.tokens(tokens, "(no function)", false);
        walk
    }

    fn tokens(&mut self, tokens: TokenStream, function: &str, in_test: bool) {
        let mut ahead = Ahead::default();
        let mut before: [String; 2] = Default::default();
        let mut line = 0;
        for token in tokens {
            let text = match &token {
                TokenTree::Ident(name) => name.to_string(),
                TokenTree::Punct(mark) => mark.as_char().to_string(),
                TokenTree::Group(_) | TokenTree::Literal(_) => String::new(),
            };
            match (before[1].as_str(), &token) {
                ("fn", TokenTree::Ident(_)) => ahead.function = Some(text.clone()),
                ("mod", TokenTree::Ident(_)) => ahead.module = Some(text.clone()),
                ("#", TokenTree::Group(group)) => ahead.is_test |= is_cfg_test(&group.stream()),
                (_, TokenTree::Punct(mark)) if mark.as_char() == ';' => {
                    self.end_of_item(&std::mem::take(&mut ahead));
                }
                _ => {}
            }
            if let TokenTree::Group(group) = &token {
                let calls = group.delimiter() == Delimiter::Parenthesis && before[0] != "fn";
                if calls && CALLS.contains(&before[1].as_str()) {
                    self.add(line, function, in_test);
                }
                let (inner, tested) = match group.delimiter() {
                    Delimiter::Brace => {
                        let ahead = std::mem::take(&mut ahead);
                        (ahead.function, ahead.is_test)
                    }
                    Delimiter::Parenthesis | Delimiter::Bracket | Delimiter::None => (None, false),
                };
                let inner = inner.as_deref().unwrap_or(function);
                self.tokens(group.stream(), inner, in_test || tested);
            }
            // Under another name it would not be found.
            if text == "as" && CALLS.contains(&before[1].as_str()) {
                self.add(line, "(a use under another name)", in_test);
            }
            line = token.span().start().line;
            let [_, last] = before;
            before = [last, text];
        }
    }

    fn add(&mut self, line: usize, function: &str, in_test: bool) {
        let (path, function) = (self.source.path.clone(), function.to_owned());
        self.sleeps.push((Sleep { path, line, function }, in_test));
    }

    fn end_of_item(&mut self, item: &Ahead) {
        let Some(module) = item.module.as_ref().filter(|_| item.is_test) else { return };
        let stem = self.source.path.trim_end_matches(".rs");
        let stem = ["/lib", "/main", "/mod"].iter().find_map(|end| stem.strip_suffix(end));
        let folder = stem.unwrap_or_else(|| self.source.path.trim_end_matches(".rs"));
        self.test_files.push(format!("{folder}/{module}"));
    }
}

/// Whether an attribute is `cfg(test)`, alone or as one of several conditions.
fn is_cfg_test(attribute: &TokenStream) -> bool {
    let text = attribute.to_string().replace(' ', "");
    text.starts_with("cfg(") && !text.contains("not(test)") && {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| word == "test")
    }
}
