//! Which paths (`crate::store::Put`, `tokio::spawn`) a Rust file names, read from its tokens: comments and strings don't count,
//! braces of `use` are unfolded, `self` and `super` resolved, and what is under `#[cfg(test)]` is left out.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// From 1.
    pub(crate) line: usize,
    /// Without generics; the last may be `*`.
    pub(crate) segments: Vec<String>,
}

impl Use {
    /// Whether `pattern` (segments joined by `::`, `*` is any one) occurs in the path; one that begins with `::` only at its beginning.
    pub(crate) fn matches(&self, pattern: &str) -> bool {
        let (pattern, is_anchored) = match pattern.strip_prefix("::") {
            Some(pattern) => (pattern, true),
            None => (pattern, false),
        };
        let pattern: Vec<&str> = pattern.split("::").collect();
        let same = |(segment, part): (&String, &&str)| *part == "*" || segment == part;
        let mut windows = self.segments.windows(pattern.len());
        let places = if is_anchored { 1 } else { usize::MAX };
        windows
            .by_ref()
            .take(places)
            .any(|window| window.iter().zip(&pattern).all(same))
    }
}

/// All paths of a file; `module` is its own path, such as `crate::store::embedded`.
pub(crate) fn of(text: &str, module: &[String]) -> Vec<Use> {
    let tokens: TokenStream = text.parse().expect("source files are Rust");
    let mut uses = Vec::new();
    collect(tokens, &[], &mut uses);
    uses.iter_mut()
        .for_each(|used| resolve(&mut used.segments, module));
    uses
}

fn collect(tokens: TokenStream, prefix: &[String], uses: &mut Vec<Use>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = trees.as_slice();
    while let [tree, after @ ..] = rest {
        rest = after;
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == '#' && is_cfg_test(after) => {
                rest = after_item(after)
            }
            // A new name is no path.
            TokenTree::Ident(ident) if ident == "as" && !prefix.is_empty() => {
                rest = rest.get(1..).unwrap_or_default()
            }
            TokenTree::Ident(ident) => {
                let mut segments = [prefix, &[ident.to_string()]].concat();
                rest = path(after, &mut segments, uses);
                uses.push(Use {
                    line: ident.span().start().line,
                    segments,
                });
            }
            TokenTree::Group(group) => collect(group.stream(), &[], uses),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Takes the `::segment`s that follow a path's first one.
fn path<'a>(
    mut rest: &'a [TokenTree],
    segments: &mut Vec<String>,
    uses: &mut Vec<Use>,
) -> &'a [TokenTree] {
    while let [
        TokenTree::Punct(first),
        TokenTree::Punct(second),
        next,
        after @ ..,
    ] = rest
    {
        if first.as_char() != ':' || second.as_char() != ':' {
            break;
        }
        rest = after;
        match next {
            TokenTree::Ident(ident) => segments.push(ident.to_string()),
            TokenTree::Punct(star) if star.as_char() == '*' => segments.push("*".to_owned()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                collect(group.stream(), segments, uses);
            }
            TokenTree::Punct(_) | TokenTree::Group(_) | TokenTree::Literal(_) => break,
        }
    }
    rest
}

fn is_cfg_test(after_hash: &[TokenTree]) -> bool {
    let [TokenTree::Group(attribute), ..] = after_hash else {
        return false;
    };
    attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// What comes after the item: behind its braces or its semicolon.
fn after_item(trees: &[TokenTree]) -> &[TokenTree] {
    let ends = |tree: &TokenTree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    };
    let end = trees
        .iter()
        .position(ends)
        .map_or(trees.len(), |index| index + 1);
    trees.get(end..).unwrap_or_default()
}

fn resolve(segments: &mut Vec<String>, module: &[String]) {
    let supers = segments
        .iter()
        .take_while(|segment| *segment == "super")
        .count();
    if supers > 0 || segments.first().is_some_and(|segment| segment == "self") {
        let base = module.len().saturating_sub(supers).max(1);
        segments.splice(..supers.max(1), module.iter().take(base).cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let module = ["crate", "store", "embedded"].map(str::to_owned);
        of(text, &module)
            .into_iter()
            .map(|used| used.segments.join("::"))
            .filter(|path| path.contains("::"))
            .collect()
    }

    #[test]
    fn unfolds_and_resolves_paths() {
        let found = paths(
            "use crate::{domain::{Id, Time as T}, rpc}; use super::Put; use super::super::web::*;",
        );
        assert!(
            !found
                .iter()
                .any(|path| path.ends_with("::T") || path.ends_with("::as")),
            "{found:?}"
        );
        let expected = [
            "crate::domain::Id",
            "crate::domain::Time",
            "crate::rpc",
            "crate::store::Put",
            "crate::web::*",
        ];
        assert!(
            expected
                .iter()
                .all(|path| found.contains(&(*path).to_owned())),
            "{found:?}"
        );
    }

    #[test]
    fn sees_macros_and_not_comments_strings_or_tests() {
        let text = r#"
            /// tonic::Status
            fn f() { select! { _ = tokio::time::sleep(span) => {} } let s = "redb::x"; } // fred::y
            #[cfg(test)]
            mod tests { use tonic::Status; }
            fn g() { Vec::<u8>::new(); }
        "#;
        assert_eq!(paths(text), ["tokio::time::sleep"]);
    }

    #[test]
    fn matches_whole_segments_anywhere() {
        let used = Use {
            line: 1,
            segments: ["tonic", "Status", "new"].map(str::to_owned).to_vec(),
        };
        assert!(used.matches("Status::*") && used.matches("tonic::*") && used.matches("Status"));
        assert!(used.matches("::tonic::*") && !used.matches("::Status::*"));
        assert!(!used.matches("new::*") && !used.matches("Stat::*") && !used.matches("tonic::new"));
    }
}
