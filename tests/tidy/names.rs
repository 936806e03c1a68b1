//! Module names that say nothing, marks of unfinished work, words that have a plain
//! replacement and names that were replaced are rejected.

use syn::visit::{self, Visit};

use crate::sleeps::production;
use crate::sources::{all, documents};

const BANNED: [&str; 8] =
    ["util", "utils", "helper", "helpers", "service", "manager", "misc", "common_utils"];

#[test]
fn every_module_name_says_what_the_module_does() {
    let banned: Vec<String> = all()
        .into_iter()
        .filter(|source| {
            let stem = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
            BANNED.contains(&stem)
        })
        .map(|source| source.path)
        .collect();
    assert!(
        banned.is_empty(),
        "give these modules names that say what they do:\n{}",
        banned.join("\n")
    );
}

#[test]
fn nothing_is_unfinished_or_ignored() {
    // The marks are put together here, because this file is searched too.
    let marks = [
        ["to", "do!("].concat(),
        ["unimple", "mented!("].concat(),
        ["#[ig", "nore"].concat(),
        ["#[should_", "panic"].concat(),
        ["FIX", "ME"].concat(),
    ];
    let mut found = Vec::new();
    for source in all() {
        for (number, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "finish or remove these:\n{}", found.join("\n"));
}

/// Returns the words that have a plain replacement, each with that replacement.
fn replaced_words() -> [(String, &'static str); 8] {
    // The words are put together here, because this file is searched too.
    [
        (["an", "ew"].concat(), "again"),
        (["what", "ever"].concat(), "any, every or all"),
        (["prov", "ed good"].concat(), "passed its soak; the version is the last good one"),
        (["is to", "ld"].concat(), "is reported, is shown or is asked to"),
        (["are to", "ld"].concat(), "are reported, are shown or are distinguished"),
        (["over", "taken"].concat(), "superseded"),
        (["de", "ed"].concat(), "action or step"),
        (["de", "eds"].concat(), "actions or steps"),
    ]
}

/// Returns the line of every place where the words of `phrase` follow each other, in any
/// case, across line breaks and in names too.
fn lines_with(text: &str, phrase: &str) -> Vec<usize> {
    let words: Vec<(usize, String)> = text
        .lines()
        .enumerate()
        .flat_map(|(line, text)| {
            let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            words.map(move |word| (line + 1, word.to_lowercase()))
        })
        .collect();
    let phrase: Vec<&str> = phrase.split(' ').collect();
    let is_phrase = |window: &&[(usize, String)]| {
        window.iter().zip(&phrase).all(|((_, word), expected)| word == expected)
    };
    words.windows(phrase.len()).filter(is_phrase).map(|window| window[0].0).collect()
}

#[test]
fn sources_and_docs_use_the_plain_words() {
    let mut texts = documents();
    texts.extend(all().into_iter().map(|source| (source.path, source.text)));
    let replaced = replaced_words();
    let mut found = Vec::new();
    for (path, text) in &texts {
        for (phrase, better) in &replaced {
            let lines = lines_with(text, phrase);
            let places = lines.iter().map(|line| format!("{path}:{line}: {phrase}: say {better}"));
            found.extend(places);
        }
    }
    assert!(
        found.is_empty(),
        "these words are not plain; replace each as shown:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_replaced_word_is_found_in_names_and_across_lines() {
    let [again, any, .., action, _] = replaced_words().map(|(phrase, _)| phrase);
    assert_eq!(lines_with(&format!("one\n// {again}."), &again), [2]);
    assert_eq!(lines_with(&format!("fn a_{any}_b() {{}}"), &any), [1]);
    assert_eq!(lines_with(&format!("in{action}"), &action), [0; 0]);
    assert_eq!(lines_with("/// a soak is\n/// passed", "is passed"), [1]);
}

/// The names of types, functions and modules that were replaced, each with the name that stands
/// for its idea now. They are names only: in a comment each of these words may be right.
const REPLACED_NAMES: [(&str, &str); 60] = [
    ("Attempt", "InstanceUpdate"),
    ("Attempts", "ConflictRetries"),
    ("Proven", "LastGood"),
    ("has_proved", "is_last_good"),
    ("note_proved", "record_last_good"),
    ("proved", "last_good"),
    ("Trouble", "Backoff"),
    ("goal", "desired_hash"),
    ("Judgement", "Decision"),
    ("judge", "decide"),
    ("astray", "off_target"),
    ("half_way", "in_flight"),
    ("turned", "inherited"),
    ("is_quiet", "is_idle"),
    ("is_settled", "is_converged"),
    ("settled_on", "converged_revision"),
    ("handover", "conflicts"),
    ("LastWords", "ExitReport"),
    ("told", "requested"),
    ("ending", "exit"),
    ("moment", "time"),
    ("Sighting", "Snapshot"),
    ("Lister", "Informer"),
    ("Away", "Unavailable"),
    ("condemn", "classify_failure"),
    ("look_once_more", "recheck_active"),
    ("name_properly", "promote_container"),
    ("turn_over", "cut_over"),
    ("vain", "ineffective"),
    ("Floors", "MinFree"),
    ("lay_in", "allocate"),
    ("spend", "release_and_retry"),
    ("pretend", "stub"),
    ("kill_point", "failpoint"),
    ("standstill", "quiesce"),
    ("Situation", "TenantSnapshot"),
    ("Standing", "NodeSnapshot"),
    ("Keeping", "Persist"),
    ("Conversation", "AgentStream"),
    ("converse", "serve"),
    ("take_in", "handle_report"),
    ("Seats", "ConnectionLimits"),
    ("Survey", "LossyList"),
    ("Fared", "TaskStats"),
    ("Manner", "ChangeArgs"),
    ("Ending", "ExitOutcome"),
    ("NotLetIn", "Unauthenticated"),
    ("heard", "has_reported"),
    ("home", "stable_target"),
    ("back", "rollback"),
    ("Side", "RuntimeWatch"),
    ("come_back", "roll_back"),
    ("hands", "manual_actions"),
    ("Live", "Presence"),
    ("Pace", "RateLimit"),
    ("Changed", "ChangeResult"),
    ("Why", "Trigger"),
    ("Stopping", "ShutdownSignal"),
    ("Look", "Style"),
    ("Tone", "Style"),
];

/// The words that stand in no name of production code, not as a part of it either, each with plain
/// ones. They are in addition to the words that stand nowhere.
const REPLACED_PARTS: [(&str, &str); 9] = [
    ("judge", "decide"),
    ("judges", "decides"),
    ("judged", "decided, or a decision"),
    ("judgement", "decision"),
    ("news", "what changed, or what is not reported yet"),
    ("tell", "report, request or distinguish"),
    ("tells", "reports, requests or distinguishes"),
    ("told", "reported or requested"),
    ("astray", "off target"),
];

/// Returns the words of a name in lower case: those of `has_run` and of `HasRun` are the same.
pub(crate) fn parts(name: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for word in name.split('_') {
        let mut part = String::new();
        for c in word.chars() {
            if c.is_uppercase() && part.ends_with(|last: char| !last.is_uppercase()) {
                parts.push(std::mem::take(&mut part));
            }
            part.push(c);
        }
        parts.push(part);
    }
    parts.iter().map(|part| part.to_lowercase()).collect()
}

/// The names in a file, each with its line.
#[derive(Default)]
struct Identifiers {
    found: Vec<(usize, String)>,
}

impl Identifiers {
    /// Returns the names with a word that was replaced, each with its line and what to use.
    fn replaced(file: &syn::File) -> Vec<(usize, String, &'static str)> {
        let mut names = Self::default();
        names.visit_file(file);
        let words = replaced_words();
        let better = |part: &String| {
            let everywhere = words.iter().map(|(word, better)| (word.as_str(), *better));
            let mut all = everywhere.chain(REPLACED_PARTS);
            all.find(|(word, _)| word == part).map(|(_, better)| better)
        };
        let replaced = names.found.into_iter().filter_map(|(line, name)| {
            let better = parts(&name).iter().find_map(better)?;
            Some((line, name, better))
        });
        replaced.collect()
    }
}

impl<'ast> Visit<'ast> for Identifiers {
    fn visit_ident(&mut self, name: &'ast syn::Ident) {
        self.found.push((name.span().start().line, name.to_string()));
    }
}

/// The names that a file gives to types, functions and modules, each with its line.
#[derive(Default)]
struct Given {
    names: Vec<(usize, String)>,
}

impl Given {
    /// Returns the names of a file that were replaced, each with its line and what to use.
    fn replaced(file: &syn::File) -> Vec<(usize, String, &'static str)> {
        let mut given = Self::default();
        given.visit_file(file);
        let replaced = given.names.into_iter().filter_map(|(line, name)| {
            let (_, better) = REPLACED_NAMES.iter().find(|(old, _)| *old == name)?;
            Some((line, name, *better))
        });
        replaced.collect()
    }

    fn add(&mut self, name: &syn::Ident) {
        self.names.push((name.span().start().line, name.to_string()));
    }
}

impl<'ast> Visit<'ast> for Given {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add(&item.ident);
    }

    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.add(&item.ident);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.add(&item.ident);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.add(&item.ident);
        visit::visit_item_mod(self, item);
    }

    // Of free functions, methods and functions of traits.
    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.add(&signature.ident);
    }
}

#[test]
fn no_replaced_name_comes_back() {
    let mut found = Vec::new();
    for source in all() {
        for (line, name, better) in Given::replaced(&source.syntax()) {
            found.push(format!("{}:{line}: {name}: this is {better} now", source.path));
        }
    }
    assert!(found.is_empty(), "these names were replaced; rename them:\n{}", found.join("\n"));
}

#[test]
fn no_name_has_a_word_that_was_replaced() {
    let mut found = Vec::new();
    for source in production() {
        let file = syn::parse_file(source.production()).expect("it is Rust up to its tests");
        for (line, name, better) in Identifiers::replaced(&file) {
            found.push(format!("{}:{line}: {name}: say {better}", source.path));
        }
    }
    assert!(found.is_empty(), "these names are not plain; rename them:\n{}", found.join("\n"));
}

#[test]
fn a_replaced_word_is_found_in_every_kind_of_name() {
    assert_eq!(parts("has_RunNews2_MAX"), ["has", "run", "news2", "max"]);
    let text = "
        /// Of the news that is judged.
        fn judge_run() { let is_news = true; newsletter(is_news); }
        struct RunNews { retell: u8, to_tell: u8 }
        enum Seen { Judged }
    ";
    let file = syn::parse_file(text).expect("it is Rust");
    let found: Vec<(usize, String)> =
        Identifiers::replaced(&file).into_iter().map(|(line, name, _)| (line, name)).collect();
    let expected = [
        (3, "judge_run"),
        (3, "is_news"),
        (3, "is_news"),
        (4, "RunNews"),
        (4, "to_tell"),
        (5, "Judged"),
    ];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
}

#[test]
fn a_replaced_name_is_found_where_it_is_given_and_in_no_comment() {
    let text = "
        /// An Attempt of which we judge.
        fn decide(judge: u8) { struct Attempt; }
        impl Decision { fn judge(&self) { let goal = judge; } }
        mod inner { trait Sound { fn heard(&self); } }
    ";
    let file = syn::parse_file(text).expect("it is Rust");
    let found: Vec<(usize, String)> =
        Given::replaced(&file).into_iter().map(|(line, name, _)| (line, name)).collect();
    let expected = [(3, "Attempt"), (4, "judge"), (5, "heard")];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
}
