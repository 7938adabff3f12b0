//! What people type about themselves: addresses, handles, names, passwords. Each type has one fallible constructor.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use super::text::is_forbidden;

/// The rule that a text breaks, in words that follow a field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokenRule(&'static str);

fn ensure(is_kept: bool, rule: &'static str) -> Result<(), BrokenRule> {
    if is_kept {
        Ok(())
    } else {
        Err(BrokenRule(rule))
    }
}

/// An e-mail address. Prints as nothing, so that it reaches no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    typed: String,
    folded: String,
}

impl Email {
    /// Longest address, in characters (RFC 5321 leaves no room for more).
    pub const CHARS_MAX: usize = 254;

    /// Reads an address; blanks around it are dropped.
    ///
    /// ASCII only, as mail servers everywhere take it: a domain in another script is given in its `xn--` form. So no two
    /// addresses look alike but differ.
    ///
    /// # Errors
    /// If it is not an address of the form `local@domain.tld`, or too long.
    pub fn parse(text: &str) -> Result<Self, BrokenRule> {
        let typed = text.trim();
        ensure(!typed.is_empty(), "must be given")?;
        ensure(
            typed.len() <= Self::CHARS_MAX,
            "must have at most 254 characters",
        )?;
        let is_address = typed
            .rsplit_once('@')
            .is_some_and(|(local, domain)| is_local_part(local) && is_domain(domain));
        ensure(is_address, "must be an e-mail address in ASCII letters")?;
        Ok(Self {
            typed: typed.to_owned(),
            folded: typed.to_ascii_lowercase(),
        })
    }

    /// The address as typed: where mail goes.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// The address in lower case: what is unique.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(..)")
    }
}

fn is_local_part(local: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    local.len() <= 64 && local.split('.').all(is_atom)
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

/// A creator's unique name in links: 3 to 30 of `a` to `z`, `0` to `9` and `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(String);

impl Handle {
    /// Reads a handle.
    ///
    /// # Errors
    /// If it has other characters, or too few or many.
    pub fn parse(text: &str) -> Result<Self, BrokenRule> {
        let is_handle = (3..=30).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        ensure(is_handle, "must be 3 to 30 of a to z, 0 to 9 and _")?;
        Ok(Self(text.to_owned()))
    }

    /// The handle.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name shown to others: 1 to 64 characters, not all blank, none forbidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Reads a name.
    ///
    /// # Errors
    /// If it is blank, too long, or has a control or invisible character.
    pub fn parse(text: &str) -> Result<Self, BrokenRule> {
        ensure(
            !text.trim().is_empty() && has_at_most(text, 64),
            "must have 1 to 64 characters, not all blank",
        )?;
        ensure(
            !text.chars().any(|c| is_forbidden(c, false)),
            "must not have control or invisible characters",
        )?;
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What creators say about themselves: at most 500 characters, none forbidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bio(String);

impl Bio {
    /// Reads a bio; it may be empty.
    ///
    /// # Errors
    /// If it is too long, or has a control or invisible character.
    pub fn parse(text: &str) -> Result<Self, BrokenRule> {
        ensure(has_at_most(text, 500), "must have at most 500 characters")?;
        ensure(
            !text.chars().any(|c| is_forbidden(c, false)),
            "must not have control or invisible characters",
        )?;
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password. Prints as nothing and is wiped when dropped.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// Longest password, in bytes: more would only cost time to hash.
    pub const BYTES_MAX: usize = 1024;

    /// Reads a password for a new account: 8 to 128 characters and at most 1,024 bytes.
    ///
    /// # Errors
    /// If it has fewer or more.
    pub fn parse_new(text: SecretString) -> Result<Self, BrokenRule> {
        let password = Self::parse(text)?;
        let typed = password.0.expose_secret();
        ensure(
            typed.chars().nth(7).is_some() && has_at_most(typed, 128),
            "must have 8 to 128 characters",
        )?;
        Ok(password)
    }

    /// Reads a password to be checked. The rules for new ones may have changed since it was chosen, so only its size counts.
    ///
    /// # Errors
    /// If it is empty or has more than 1,024 bytes.
    pub fn parse(text: SecretString) -> Result<Self, BrokenRule> {
        let length = text.expose_secret().len();
        ensure(length > 0, "must be given")?;
        ensure(length <= Self::BYTES_MAX, "must have at most 1024 bytes")?;
        Ok(Self(text))
    }

    /// The password's bytes, for hashing.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

/// Looks at no more characters than needed, however long the text is.
fn has_at_most(text: &str, chars_max: usize) -> bool {
    text.chars().nth(chars_max).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_one_whatever_their_case() {
        let email = Email::parse(" Ann.B+x@Example.COM ").unwrap();
        assert_eq!(email.as_typed(), "Ann.B+x@Example.COM");
        assert_eq!(email.folded(), "ann.b+x@example.com");
        assert_eq!(format!("{email:?}"), "Email(..)");
    }

    #[test]
    fn what_is_no_address() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}com", "b23456789.".repeat(25));
        assert_eq!(long.len(), 255);
        for bad in [
            "",
            " ",
            "@",
            "ann",
            "ann@",
            "@example.com",
            "ann@localhost",
            "ann@@example.com",
            "a b@example.com",
            "ann@example..com",
            "ann@-example.com",
            "ann@example-.com",
            ".ann@example.com",
            "ann.@example.com",
            "a..b@example.com",
            "ann@exa mple.com",
            "ann@example.com\r\nbcc:x",
            "ann\0@example.com",
            "jörg@example.com",
            "ann@exämple.com",
            "ａnn@example.com",
            "\"ann\"@example.com",
            "ann@example.com.",
            "<ann@example.com>",
            &long_local,
            &long,
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        assert!(
            Email::parse(long.get(1..).unwrap()).is_err(),
            "no local part"
        );
        assert!(
            Email::parse(&long.replacen("b2", "b", 1)).is_ok(),
            "254 characters"
        );
    }

    #[test]
    fn handles_are_plain() {
        for good in ["abc", "a_1", "___", &"z".repeat(30)] {
            assert_eq!(Handle::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "ab",
            "Abc",
            "a-b",
            "a b",
            "abc ",
            "абв",
            "a\0bc",
            &"z".repeat(31),
        ] {
            assert!(Handle::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_and_bios_are_counted_in_characters() {
        assert!(DisplayName::parse(&"é".repeat(64)).is_ok());
        assert!(DisplayName::parse(&"é".repeat(65)).is_err());
        for bad in [
            "",
            "   ",
            "\u{3000}",
            "a\nb",
            "a\u{202E}b",
            "a\u{200B}",
            "\u{FEFF}a",
            "a\0",
        ] {
            assert!(DisplayName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Bio::parse("").is_ok());
        assert!(Bio::parse(&"é".repeat(500)).is_ok());
        assert!(Bio::parse(&"é".repeat(501)).is_err());
        assert!(Bio::parse("a\u{7}").is_err());
    }

    #[test]
    fn passwords_are_bounded_in_characters_and_bytes() {
        for (text, is_new, is_old) in [
            (String::new(), false, false),
            ("1234567".into(), false, true),
            ("12345678".into(), true, true),
            ("é".repeat(8), true, true),
            ("x".repeat(128), true, true),
            ("x".repeat(129), false, true),
            ("x".repeat(1024), false, true),
            ("x".repeat(1025), false, false),
        ] {
            let length = text.len();
            assert_eq!(
                Password::parse_new(text.clone().into()).is_ok(),
                is_new,
                "{length}"
            );
            assert_eq!(Password::parse(text.into()).is_ok(), is_old, "{length}");
        }
        assert!(!format!("{:?}", Password::parse("hunter22".into())).contains("hunter"));
    }
}
