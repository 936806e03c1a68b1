//! Functions have at most 60 lines, files at most 400, so that one reading is enough.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::sources::{Source, all};

const FUNCTION_LINES_MAX: usize = 60;
const FILE_LINES_MAX: usize = 400;

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = all()
        .iter()
        .filter(|source| !source.is_test())
        .map(|source| (source, source.production().lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(source, lines)| format!("{}: {lines} lines", source.path))
        .collect();
    assert!(
        long.is_empty(),
        "split these files; the limit is {FILE_LINES_MAX} lines:\n{}",
        long.join("\n")
    );
}

#[test]
fn no_function_is_too_long() {
    let long: Vec<String> = all().iter().flat_map(long_functions).collect();
    assert!(
        long.is_empty(),
        "split these functions; the limit is {FUNCTION_LINES_MAX} lines:\n{}",
        long.join("\n")
    );
}

#[test]
fn every_file_says_what_it_is() {
    let undocumented: Vec<String> = all()
        .into_iter()
        .filter(|source| !source.path.ends_with("/tests.rs"))
        .filter(|source| !source.text.trim_start().starts_with("//!"))
        .map(|source| source.path)
        .collect();
    assert!(
        undocumented.is_empty(),
        "begin these files with a //! line that says what they are:\n{}",
        undocumented.join("\n")
    );
}

struct Functions<'a> {
    path: &'a str,
    long: Vec<String>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let last = block.span().end().line;
        let lines = last + 1 - first;
        if lines > FUNCTION_LINES_MAX {
            self.long.push(format!("{}:{first}: {} has {lines} lines", self.path, signature.ident));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}

fn long_functions(source: &Source) -> Vec<String> {
    let mut functions = Functions { path: &source.path, long: Vec::new() };
    functions.visit_file(&source.syntax());
    functions.long
}
