//! A docstring is a sentence that says what a thing is or does.
//!
//! Every public type, trait, function, method, constant and module of production
//! code has one. A field or a variant may go without, because its name can say
//! everything; a docstring that only repeats or hints at the name is rejected there.
//!
//! The docstrings of command-line arguments are help texts that people see; they
//! have a style of their own and are left alone.

use std::collections::BTreeSet;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::names::parts;
use crate::sleeps::production;
use crate::sources::Source;

/// The fewest words that make a sentence here.
const WORDS_MIN: usize = 3;

/// What a docstring begins with that asks for the name: "Whose it is.", "When it ends."
const QUESTIONS: [&str; 9] =
    ["which", "whose", "who", "when", "where", "why", "how", "what", "whether"];

/// Words that say nothing by themselves.
const FILLERS: [&str; 45] = [
    "which", "whose", "who", "when", "where", "why", "how", "what", "whether", "a", "an", "the",
    "it", "its", "is", "are", "was", "were", "be", "been", "has", "have", "had", "this", "that",
    "these", "those", "they", "them", "their", "of", "in", "on", "at", "to", "for", "by", "from",
    "with", "since", "one", "and", "or", "went", "wrong",
];

#[test]
fn everything_public_has_a_docstring() {
    let wrong = mistakes(&production(), |mistake| mistake.is_missing);
    assert!(wrong.is_empty(), "say what these are or do:\n{}", wrong.join("\n"));
}

#[test]
fn every_docstring_is_a_sentence() {
    let wrong = mistakes(&production(), |mistake| !mistake.is_missing);
    assert!(wrong.is_empty(), "make these sentences, or remove them:\n{}", wrong.join("\n"));
}

#[test]
fn a_sentence_has_a_capital_three_words_and_an_end() {
    for good in [
        " Reads a plan.",
        " `plan` fills them in.",
        " [`ReadError`] for anything else.",
        " The three states:",
        " systemd's words for them.",
        " \"Not now\": it starts up.",
        " A lock that\n is fair.\n\n more",
    ] {
        assert_eq!(complaint(good), None, "{good:?}");
    }
    for bad in ["", " Which.", " Its name.", " reads a plan.", " Reads a plan", " Why it is"] {
        assert!(complaint(bad).is_some(), "{bad:?}");
    }
}

#[test]
fn a_docstring_of_a_field_says_more_than_its_name() {
    for good in [" Raised by every restore.", " In milliseconds.", " `sha256:…`.", " RFC 8446."] {
        assert!(!is_empty_talk(good), "{good:?}");
    }
    for bad in [" Which.", " Whose it is.", " Since when.", " Its name.", " Where it is"] {
        assert!(is_empty_talk(bad), "{bad:?}");
    }
}

#[test]
fn a_docstring_of_three_words_says_more_than_its_name_and_type() {
    let field = |text: &str| -> bool {
        let item: syn::ItemStruct = syn::parse_str(text).expect("it is a type");
        let field = item.fields.iter().next().expect("it has a field");
        let (doc, name) = (doc_of(&field.attrs).unwrap(), field.ident.as_ref().unwrap());
        repeats(&doc, &Words::of(name, Some(&field.ty)))
    };
    for bad in [
        "struct S { /// The used memory.\n memory_used_bytes: u64 }",
        "struct S { /// The audit trail.\n audit: AuditTrail }",
        "struct S { /// Its own policy.\n own: Option<Policy> }",
    ] {
        assert!(field(bad), "{bad}");
    }
    for good in [
        "struct S { /// The last report.\n report: Report }",
        "struct S { /// The used memory, in pages.\n memory_used: u64 }",
        "struct S { /// The unit's `Result`.\n result: String }",
        "struct S { /// An IP address.\n address: Address }",
    ] {
        assert!(!field(good), "{good}");
    }
    assert!(is_empty_talk(" What went wrong."));
}

#[test]
fn what_is_missing_or_empty_is_found() {
    let text = "
        //! What the file is.
        pub fn bare() {}
        fn private() {}
        /// Which.
        pub(crate) struct Held {
            /// Whose.
            pub(crate) tenant: u8,
            pub(crate) node: u8,
        }
        impl Held { pub const ONE: u8 = 1; pub fn method(&self) {} }
        /// A trait of this test.
        pub trait Open { fn required(&self); }
        #[derive(clap::Args)]
        struct Arguments {
            /// tenant=NAME
            tenant: u8,
        }
        #[cfg(test)]
        mod tests { pub fn helper() {} }
    ";
    let source = Source { path: "agent/src/one.rs".into(), text: text.into() };
    let lines = |wanted: bool| -> Vec<String> {
        let found = mistakes(std::slice::from_ref(&source), |mistake| mistake.is_missing == wanted);
        found.iter().filter_map(|line| line.split(": ").nth(1)).map(str::to_owned).collect()
    };
    assert_eq!(lines(true), ["bare", "ONE", "method", "required"]);
    assert_eq!(lines(false), ["Held", "tenant"]);
}

/// One docstring that is missing or no sentence.
struct Mistake {
    line: usize,
    name: String,
    is_missing: bool,
    why: String,
}

fn mistakes(sources: &[Source], wanted: impl Fn(&Mistake) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for source in sources {
        let mut docs = Docs { found: Vec::new() };
        docs.visit_file(&source.syntax());
        let found = docs.found.into_iter().filter(&wanted);
        lines.extend(found.map(|Mistake { line, name, why, .. }| {
            format!("{}:{line}: {name}: {why}", source.path)
        }));
    }
    lines
}

/// Programs and libraries whose names are written in lower case, also where a sentence begins.
const LOWER_CASE_NAMES: [&str; 3] = ["systemd", "sled", "hyper"];

/// Says what keeps the first paragraph of a docstring from being a sentence.
fn complaint(doc: &str) -> Option<&'static str> {
    let first = first_paragraph(doc);
    let capital = first.starts_with(|c: char| c.is_uppercase() || matches!(c, '`' | '[' | '"'));
    let begins = capital || LOWER_CASE_NAMES.iter().any(|name| first.starts_with(name));
    if first.split_whitespace().count() < WORDS_MIN {
        Some("fewer than three words")
    } else if !begins {
        Some("begins with neither a capital nor a code span")
    } else if !first.ends_with(['.', ':', '!', '?']) {
        Some("has no punctuation at its end")
    } else {
        None
    }
}

/// Whether a field's docstring only repeats or hints at its name. Code, numbers and
/// words in capitals (units, protocols) say something in however few words.
fn is_empty_talk(doc: &str) -> bool {
    let first = first_paragraph(doc);
    if first != doc.trim() || first.contains(['`', '[', '(', ':']) {
        return false;
    }
    let words: Vec<&str> = first.split_whitespace().collect();
    if words.iter().any(|word| is_technical(word)) {
        return false;
    }
    let text = first.trim_end_matches('.').to_lowercase();
    let mut plain = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let begins = plain.clone().find(|word| !["of", "in", "on", "since"].contains(word));
    let asks = begins.is_some_and(|word| QUESTIONS.contains(&word)) && words.len() <= 5;
    words.len() < WORDS_MIN
        || asks && plain.by_ref().filter(|word| !FILLERS.contains(word)).count() < 2
}

/// Returns whether a word is a number, a unit, or the name of a protocol.
fn is_technical(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit())
        || word.chars().filter(|c| c.is_uppercase()).count() > 1
        || word.starts_with("millisecond")
        || word.starts_with("byte")
}

/// Returns whether a docstring of three words says nothing but words that the name has, or the type
/// beside it.
fn repeats(doc: &str, names: &BTreeSet<String>) -> bool {
    let first = first_paragraph(doc);
    let words: Vec<&str> = first.split_whitespace().collect();
    let is_short = first == doc.trim() && words.len() == WORDS_MIN;
    if !is_short || first.contains(['`', '[', '(', ':']) || words.iter().any(|it| is_technical(it))
    {
        return false;
    }
    let plain = words.iter().map(|word| word.trim_end_matches(['.', ',', ';']).to_lowercase());
    let mut said = plain.filter(|word| !FILLERS.contains(&word.as_str())).peekable();
    said.peek().is_some() && said.all(|word| names.contains(stem(&word)))
}

/// Returns a word without its ending for many.
fn stem(word: &str) -> &str {
    word.strip_suffix('s').unwrap_or(word)
}

/// The words of names.
#[derive(Default)]
struct Words(BTreeSet<String>);

impl Words {
    /// Returns the words of the name of something and of its type, if it has one.
    fn of(name: &syn::Ident, kind: Option<&syn::Type>) -> BTreeSet<String> {
        let mut words = Self::default();
        words.visit_ident(name);
        if let Some(kind) = kind {
            words.visit_type(kind);
        }
        words.0
    }
}

impl<'ast> Visit<'ast> for Words {
    fn visit_ident(&mut self, name: &'ast syn::Ident) {
        self.0.extend(parts(&name.to_string()).iter().map(|part| stem(part).to_owned()));
    }
}

fn first_paragraph(doc: &str) -> String {
    let lines = doc.lines().map(str::trim).skip_while(|line| line.is_empty());
    let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    lines.join(" ")
}

/// Returns the text of the `///` or `//!` lines among the attributes.
fn doc_of(attributes: &[syn::Attribute]) -> Option<String> {
    let lines = attributes.iter().filter_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
        let syn::Expr::Lit(literal) = &pair.value else { return None };
        let syn::Lit::Str(text) = &literal.lit else { return None };
        pair.path.is_ident("doc").then(|| text.value())
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Whether the command line is derived from this type, so that its docstrings are help texts.
fn is_help(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("derive")).any(|derive| {
        let syn::Meta::List(list) = &derive.meta else { return false };
        let text = list.tokens.to_string();
        let mut words = text.split(|c: char| !c.is_alphanumeric());
        words.any(|word| ["Parser", "Args", "Subcommand", "ValueEnum"].contains(&word))
    })
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|cfg| {
        let syn::Meta::List(list) = &cfg.meta else { return false };
        list.tokens.to_string() == "test"
    })
}

/// The docstrings of one file that are missing or no sentences.
struct Docs {
    found: Vec<Mistake>,
}

impl Docs {
    fn item(&mut self, attributes: &[syn::Attribute], is_public: bool, name: &syn::Ident) {
        match doc_of(attributes) {
            Some(doc) => {
                let repeats = repeats(&doc, &Words::of(name, None));
                let why = complaint(&doc).or(repeats.then_some("repeats its name"));
                if let Some(why) = why.filter(|_| !is_help(attributes)) {
                    self.add(name, false, format!("{why}: {}", first_paragraph(&doc)));
                }
            }
            None if is_public => self.add(name, true, "no docstring".to_owned()),
            None => {}
        }
    }

    fn part(&mut self, attributes: &[syn::Attribute], name: &syn::Ident, kind: Option<&syn::Type>) {
        let says_nothing =
            |doc: &String| is_empty_talk(doc) || repeats(doc, &Words::of(name, kind));
        if let Some(doc) = doc_of(attributes).filter(says_nothing) {
            self.add(name, false, format!("says nothing: {}", first_paragraph(&doc)));
        }
    }

    fn fields(&mut self, fields: &syn::Fields) {
        for field in fields {
            if let Some(name) = &field.ident {
                self.part(&field.attrs, name, Some(&field.ty));
            }
        }
    }

    fn add(&mut self, name: &syn::Ident, is_missing: bool, why: String) {
        let line = name.span().start().line;
        self.found.push(Mistake { line, name: name.to_string(), is_missing, why });
    }
}

fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

impl<'ast> Visit<'ast> for Docs {
    fn visit_file(&mut self, file: &'ast syn::File) {
        if let Some(doc) = doc_of(&file.attrs)
            && let Some(why) = complaint(&doc)
        {
            let name = syn::Ident::new("file", file.span());
            self.add(&name, false, format!("{why}: {}", first_paragraph(&doc)));
        }
        visit::visit_file(self, file);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.item(&item.attrs, is_public(&item.vis), &item.ident);
        if !is_help(&item.attrs) {
            self.fields(&item.fields);
        }
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.item(&item.attrs, is_public(&item.vis), &item.ident);
        for variant in item.variants.iter().filter(|_| !is_help(&item.attrs)) {
            self.part(&variant.attrs, &variant.ident, None);
            self.fields(&variant.fields);
        }
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.item(&item.attrs, is_public(&item.vis), &item.ident);
        for part in &item.items {
            if let syn::TraitItem::Fn(method) = part {
                self.item(&method.attrs, is_public(&item.vis), &method.sig.ident);
            }
        }
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.item(&item.attrs, is_public(&item.vis), &item.ident);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.item(&item.attrs, is_public(&item.vis), &item.ident);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.item(&item.attrs, is_public(&item.vis), &item.ident);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.item(&item.attrs, is_public(&item.vis), &item.sig.ident);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.item(&item.attrs, is_public(&item.vis), &item.sig.ident);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.item(&item.attrs, is_public(&item.vis), &item.ident);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if is_test(&item.attrs) {
            return;
        }
        // The docstring of a module in a file of its own stands at the top of that file.
        if item.content.is_some() {
            self.item(&item.attrs, is_public(&item.vis), &item.ident);
        }
        visit::visit_item_mod(self, item);
    }
}
