//! No function packs two of its parameters into a tuple.
//!
//! A tuple has no names, and it hides from the limit of parameters. Where there are too many,
//! a struct with named fields says what belongs together. A closure's parameters are those
//! that its caller gives, and a function of one value may take it apart.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::sources::{Source, all};

#[test]
fn no_function_takes_a_tuple_beside_other_parameters() {
    let found: Vec<String> = all().iter().flat_map(packed).collect();
    assert!(
        found.is_empty(),
        "split these, or make them a struct with named fields:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_tuple_beside_another_parameter_is_found() {
    let text = "fn a(b: u8, (c, d): (u8, u8)) {} impl A { fn e(&self, f: &mut (u8, u8)) {} } \
                trait T { fn m(&self, n: (u8, u8)); } \
                fn g((h, i): (u8, u8)) {} fn j(k: &[(u8, u8)], l: ()) {}";
    let source = Source { path: "x.rs".to_owned(), text: text.to_owned() };
    assert_eq!(packed(&source), ["x.rs:1: a", "x.rs:1: e", "x.rs:1: m"]);
}

/// Returns the place and the name of every function of a file that takes a tuple beside other
/// parameters.
fn packed(source: &Source) -> Vec<String> {
    let mut signatures = Signatures { path: &source.path, packed: Vec::new() };
    signatures.visit_file(&source.syntax());
    signatures.packed
}

struct Signatures<'a> {
    path: &'a str,
    packed: Vec<String>,
}

impl<'ast> Visit<'ast> for Signatures<'_> {
    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        let is_packed = |input: &syn::FnArg| match input {
            syn::FnArg::Typed(input) => is_tuple(&input.ty),
            syn::FnArg::Receiver(_) => false,
        };
        if signature.inputs.len() > 1 && signature.inputs.iter().any(is_packed) {
            let line = signature.span().start().line;
            self.packed.push(format!("{}:{line}: {}", self.path, signature.ident));
        }
        visit::visit_signature(self, signature);
    }
}

fn is_tuple(ty: &syn::Type) -> bool {
    if let syn::Type::Reference(reference) = ty {
        return is_tuple(&reference.elem);
    }
    matches!(ty, syn::Type::Tuple(tuple) if tuple.elems.len() > 1)
}
