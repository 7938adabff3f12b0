//! Rules for text that people type.

/// Characters that may not stand in any text: controls, and marks that reorder or hide what is read
/// (bidirectional overrides, zero-width characters, byte order marks). New lines are for `multiline` only.
#[must_use]
pub fn is_forbidden(c: char, multiline: bool) -> bool {
    if multiline && c == '\n' {
        return false;
    }
    // U+200D joins emoji, so it stays allowed.
    c.is_control()
        || matches!(c, '\u{200B}' | '\u{200C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}')
}
