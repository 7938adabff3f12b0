//! What a file may not hold: too many lines, unfinished work, paths of someone's machine.

use crate::{Finding, source::Source};

/// Longest file: what one reads in a sitting, tests included. Prose, data and configuration are free.
const LINES_MAX: usize = 500;
const LIMITED: &[&str] = &["rs", "proto", "ts", "sh", "cql", ""];

/// Free of limits: it is the text of the licence, not code.
const LICENSE: &str = "LICENSE";

/// Put together here, so that this file passes its own test.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("to", "do!"), "not finished"),
    (concat!("unimpl", "emented!"), "not finished"),
    (concat!("db", "g!"), "left from debugging"),
    (
        concat!("TO", "DO"),
        "what is to be done belongs into an issue",
    ),
    (
        concat!("FIX", "ME"),
        "what is to be done belongs into an issue",
    ),
    (
        concat!("X", "XX:"),
        "what is to be done belongs into an issue",
    ),
    (concat!("/wo", "rk/"), "exists on one machine only"),
    (concat!("/ho", "me/"), "exists on one machine only"),
    (concat!("/ro", "ot/"), "exists on one machine only"),
];

/// The file, if it is longer than allowed.
pub(crate) fn too_long(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    let limited = LIMITED.contains(&source.extension()) && source.path != LICENSE;
    if !limited || lines <= LINES_MAX {
        return Vec::new();
    }
    let what = format!("{lines} lines, at most {LINES_MAX}: split it by what it is about");
    vec![Finding {
        path: source.path.clone(),
        line: LINES_MAX + 1,
        what,
    }]
}

/// Each forbidden word.
pub(crate) fn forbidden(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for (word, why) in FORBIDDEN
            .iter()
            .filter(|(word, _)| contains_word(line, word))
        {
            findings.push(Finding {
                path: source.path.clone(),
                line: index + 1,
                what: format!("`{word}`: {why}"),
            });
        }
    }
    findings
}

/// Whether `word` stands in the line with no letter, digit, `_`, `.` or `-` before it, nor a letter, digit or `_` right after it.
fn contains_word(line: &str, word: &str) -> bool {
    let alone = |(at, _): (usize, &str)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line
            .get(at + word.len()..)
            .and_then(|after| after.chars().next());
        let goes_on = |next: char| next.is_alphanumeric() || next == '_';
        !before.is_some_and(|last| goes_on(last) || last == '.' || last == '-')
            && (word.ends_with('/') || !after.is_some_and(goes_on))
    };
    line.match_indices(word).any(alone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let lines = |count| "line\n".repeat(count);
        assert!(too_long(&Source::new("a.rs", &lines(LINES_MAX))).is_empty());
        assert_eq!(
            too_long(&Source::new("a.rs", &lines(LINES_MAX + 1))).len(),
            1
        );
        assert_eq!(
            too_long(&Source::new("scripts/x", &lines(LINES_MAX + 1))).len(),
            1
        );
        assert!(too_long(&Source::new("package-lock.json", &lines(LINES_MAX + 1))).is_empty());
    }

    #[test]
    fn each_forbidden_word_is_found() {
        for (word, _) in FORBIDDEN {
            let found = forbidden(&Source::new("a.rs", &format!("fine\nlet x = ({word} );\n")));
            assert_eq!(found.first().map(|finding| finding.line), Some(2), "{word}");
        }
    }

    #[test]
    fn a_part_of_another_word_is_not() {
        for fine in [
            concat!("X", "XX, the currency"),
            "https://example.com/ho\u{6d}e/",
            "todo",
            "TODOS",
            "tests/work/x",
        ] {
            assert_eq!(forbidden(&Source::new("a.md", fine)), [], "{fine}");
        }
    }
}
