//! What clients carry for us, such as where the next page starts: opaque text with a MAC over its use, so that a forged or foreign one
//! is refused.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;

use crate::auth::Keys;

const VERSION: u8 = 1;
const MAC_BYTES: usize = 16;
/// Nothing of ours is longer; more is not even looked at.
const TEXT_BYTES_MAX: usize = 256;

/// Seals and opens the tokens of one use, such as a list, its filter and its caller.
pub(super) struct Seal<'a> {
    keys: &'a Keys,
    purpose: &'static str,
    /// A purpose always binds the same number of ids, so their bytes need no lengths between them.
    bound: Vec<u8>,
}

impl<'a> Seal<'a> {
    /// For `purpose`, and for nothing else.
    pub(super) const fn new(keys: &'a Keys, purpose: &'static str) -> Self {
        Self {
            keys,
            purpose,
            bound: Vec::new(),
        }
    }

    /// Good only together with this id.
    pub(super) fn of(mut self, id: &[u8; 16]) -> Self {
        self.bound.extend_from_slice(id);
        self
    }

    /// The token that holds `content`.
    pub(super) fn seal(&self, content: &[u8]) -> String {
        let token = [&[VERSION], content, &self.mac(content)].concat();
        BASE64_URL_SAFE_NO_PAD.encode(token)
    }

    /// What a token holds; `None` if it was not sealed for this use.
    pub(super) fn open(&self, token: &str) -> Option<Vec<u8>> {
        if token.len() > TEXT_BYTES_MAX {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (content, sent) = rest.split_last_chunk::<MAC_BYTES>()?;
        let is_ours = *version == VERSION && bool::from(self.mac(content).ct_eq(sent));
        is_ours.then(|| content.to_vec())
    }

    fn mac(&self, content: &[u8]) -> [u8; MAC_BYTES] {
        let message = [&self.bound, content].concat();
        let full = self.keys.mac(self.purpose, &message);
        let mut short = [0; MAC_BYTES];
        short.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        short
    }
}

/// Takes bytes of a fixed length off the front of a token's content.
pub(super) fn take<const N: usize>(content: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = content.split_first_chunk::<N>()?;
    *content = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_for_its_use_only() {
        let (keys, other) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        let (ann, bob) = ([1; 16], [2; 16]);
        let token = Seal::new(&keys, "page A").of(&ann).seal(b"here");
        let open = |seal: Seal<'_>| seal.open(&token);
        assert_eq!(
            open(Seal::new(&keys, "page A").of(&ann)).unwrap(),
            b"here".to_vec()
        );
        assert_eq!(open(Seal::new(&keys, "page A").of(&bob)), None);
        assert_eq!(open(Seal::new(&keys, "page B").of(&ann)), None);
        assert_eq!(open(Seal::new(&other, "page A").of(&ann)), None);
        assert_eq!(open(Seal::new(&keys, "page A")), None);
    }

    #[test]
    fn every_changed_letter_and_length_is_noticed() {
        let keys = Keys::generate().unwrap();
        let seal = || Seal::new(&keys, "page A");
        let token = seal().seal(b"here");
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(bytes).unwrap();
            assert_eq!(seal().open(&forged), None, "{at}");
            assert_eq!(seal().open(&token[..at]), None, "{at}");
        }
        for bad in ["", "x", "ä", &"A".repeat(1_000)] {
            assert_eq!(seal().open(bad), None, "{bad}");
        }
    }
}
