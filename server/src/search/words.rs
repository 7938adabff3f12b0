//! Text to words, the same way for what is searched and for what is searched for. No character is an operator.

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// Characters of a word that count: nobody types more.
const WORD_CHARS_MAX: usize = 40;

/// The words of a text, each once, in their order: in lower case and without the accents of Latin letters; by the rules of Unicode, so that
/// Chinese, of no spaces, gives a word a character; and each emoji is a word.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let folded: String = text
        .nfkd()
        .filter(|it| !is_accent(*it))
        .nfkc()
        .flat_map(char::to_lowercase)
        .collect();
    let mut words: Vec<String> = Vec::new();
    let segments = folded.split_word_bounds().flat_map(parts);
    for word in segments.filter(|it| is_word(it)) {
        let word: String = word.chars().take(WORD_CHARS_MAX).collect();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// Unicode keeps `a:b`, `a_b` and `a.b` together; people look for either half. Numbers stay whole.
fn parts(segment: &str) -> impl Iterator<Item = &str> {
    let is_number = segment.chars().any(char::is_numeric);
    segment.split(move |it| matches!(it, ':' | '_') || (it == '.' && !is_number))
}

const fn is_accent(it: char) -> bool {
    matches!(it, '\u{300}'..='\u{36f}')
}

/// Not spaces and not punctuation; signs beyond ASCII are words, such as emoji.
fn is_word(segment: &str) -> bool {
    let is_sign = |it: char| {
        let is_general_punctuation =
            matches!(it, '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}');
        it > '\u{ff}' && !it.is_whitespace() && !it.is_control() && !is_general_punctuation
    };
    segment
        .chars()
        .any(|it| it.is_alphanumeric() || is_sign(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_come_once() {
        for (text, expected) in [
            ("Black  Hoodie, black!", &["black", "hoodie"][..]),
            ("Caf\u{e9} CAFE\u{301} \u{dc}ber", &["cafe", "uber"]),
            ("don't 3.5 A-1", &["don't", "3.5", "a", "1"]),
            ("\u{6771}\u{4eac}", &["\u{6771}", "\u{4eac}"]),
            ("\u{1f525}\u{1f525} drop \u{1f525}", &["\u{1f525}", "drop"]),
            (
                "\u{41c}\u{43e}\u{441}\u{43a}\u{432}\u{430}",
                &["\u{43c}\u{43e}\u{441}\u{43a}\u{432}\u{430}"],
            ),
            (
                "title:x AND (y OR \"z\")^2 -w*",
                &["title", "x", "and", "y", "or", "z", "2", "w"],
            ),
            ("a_b.c:d v1.2", &["a", "b", "c", "d", "v1.2"]),
            (" \u{2013} !? \u{3002} \t\n", &[]),
            ("", &[]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn words_have_a_bound() {
        let long = "x".repeat(10_000);
        assert_eq!(words(&long), [&long[..WORD_CHARS_MAX]]);
    }
}
