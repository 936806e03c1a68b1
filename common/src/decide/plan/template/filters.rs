//! The filters that a template names, found without filling it in: the engine looks for them only
//! when it comes to them.

use std::collections::BTreeSet;

use minijinja::{Environment, context};

/// Returns the filters that a template names and the engine does not have.
pub(in crate::decide::plan) fn unknown_filters<'t>(
    engine: &Environment<'_>,
    text: &'t str,
) -> BTreeSet<&'t str> {
    let is_unknown = |name: &&str| {
        let question = format!("{{{{ 'known' if '{name}' is filter else 'unknown' }}}}");
        engine.render_str(&question, context! {}).is_ok_and(|answer| answer == "unknown")
    };
    tags(text).into_iter().flat_map(filters_in).filter(is_unknown).collect()
}

/// Returns what is between the delimiters of expressions and statements. Comments have no
/// filters, and neither has what is between `raw` and `endraw`.
fn tags(text: &str) -> Vec<&str> {
    let (mut tags, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('{') {
        rest = &rest[at + 1..];
        let end = match rest.as_bytes().first() {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            Some(_) | None => continue,
        };
        let inside = &rest[1..];
        let length = if end == "#}" { inside.find(end) } else { end_of_tag(inside, end) };
        let Some(length) = length else { break };
        let tag = &inside[..length];
        rest = &inside[length..];
        if end == "#}" {
            continue;
        }
        if end == "%}" && words_of(tag) == "raw" {
            rest = rest.find("endraw").map_or("", |at| &rest[at..]);
            continue;
        }
        tags.push(tag);
    }
    tags
}

/// Returns where a tag ends. Its delimiter within a quoted text is a part of that text.
fn end_of_tag(inside: &str, end: &str) -> Option<usize> {
    unquoted(inside).map(|(at, _)| at).find(|at| inside[*at..].starts_with(end))
}

/// Returns a tag without the signs that trim the lines around it.
fn words_of(tag: &str) -> &str {
    tag.trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '+'))
}

/// Returns the names of the filters in a tag: what is after a `|`, and that of a `filter` block.
fn filters_in(tag: &str) -> Vec<&str> {
    let piped = unquoted(tag).filter(|(_, c)| *c == '|').map(|(at, _)| &tag[at + 1..]);
    let block = words_of(tag).strip_prefix("filter ");
    piped.chain(block).map(name_at).filter(|name| !name.is_empty()).collect()
}

/// Returns the name at the beginning of a text; empty if there is none.
fn name_at(text: &str) -> &str {
    let text = text.trim_start();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.find(|c: char| !is_part(c)).map_or(text, |end| &text[..end])
}

/// Returns the characters of a tag that are in no quoted text, each with its place.
fn unquoted(tag: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quote, mut is_escaped) = (None, false);
    tag.char_indices().filter(move |(_, c)| {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if *c == '\\' => is_escaped = true,
            Some(open) if *c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(*c),
            None => return true,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::super::engine;
    use super::*;

    #[test]
    fn a_filter_that_the_engine_does_not_have_is_found_wherever_it_is() {
        for text in [
            "{{ a | paint }}",
            "{{ a|upper|paint('|') }}",
            "x\n{%- if (a | paint) == 1 %}{% endif %}",
            "{% filter paint %}x{% endfilter %}",
            "{{ '}}' | paint }}",
            "{{ \"\\\"\" | paint }}",
        ] {
            assert_eq!(unknown_filters(&engine(), text), ["paint"].into(), "{text}");
        }
    }

    #[test]
    fn what_is_no_filter_is_none() {
        for text in [
            "a | paint",
            "{{ 'a | paint' }}",
            "{# a | paint #}",
            "{% raw %}{{ a | paint }}{% endraw %}",
            "{{ a | mebibytes }}{{ b | default('x') | upper }}",
            "{% filter upper %}x{% endfilter %}",
            "{ | paint }",
            "{{ a | paint",
            "{{ a | }}",
        ] {
            assert_eq!(unknown_filters(&engine(), text), BTreeSet::new(), "{text}");
        }
    }
}
