//! Refresh tokens: a session's id, the token's number in it, and a MAC. None is stored, so a lost answer can be given again.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::Keys;

const VERSION: u8 = 1;
const MAC_BYTES: usize = 32;
/// Version, session id, generation, MAC.
const TOKEN_BYTES: usize = 1 + 16 + 8 + MAC_BYTES;
/// Its length in base64url: 57 bytes leave no padding and no spare bits, so each token has one spelling.
const TOKEN_CHARS: usize = TOKEN_BYTES / 3 * 4;

/// A refresh token as presented. It proves nothing until [`RefreshToken::is_authentic`].
#[derive(Clone, Copy)]
pub struct RefreshToken {
    /// The family it belongs to.
    pub session_id: Uuid,
    /// Its number in the family, from 1.
    pub generation: i64,
    mac: [u8; MAC_BYTES],
}

impl RefreshToken {
    /// The one token of this number; `salt` is the session's.
    #[must_use]
    pub fn new(keys: &Keys, session_id: Uuid, generation: i64, salt: &[u8; 32]) -> Self {
        let mut content = Vec::with_capacity(16 + 8 + 32);
        content.extend_from_slice(session_id.as_bytes());
        content.extend_from_slice(&generation.to_be_bytes());
        content.extend_from_slice(salt);
        Self {
            session_id,
            generation,
            mac: keys.mac("refresh", &content),
        }
    }

    /// Reads a token; `None` if the text is not of its form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TOKEN_CHARS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (&version, rest) = bytes.split_first()?;
        let (session_id, rest) = rest.split_first_chunk::<16>()?;
        let (generation, mac) = rest.split_first_chunk::<8>()?;
        let generation = i64::from_be_bytes(*generation);
        let token = Self {
            session_id: Uuid::from_bytes(*session_id),
            generation,
            mac: mac.try_into().ok()?,
        };
        (version == VERSION && generation > 0).then_some(token)
    }

    /// Whether we made it, for the session with this salt. Takes the same time whatever is wrong.
    #[must_use]
    pub fn is_authentic(&self, keys: &Keys, salt: &[u8; 32]) -> bool {
        let ours = Self::new(keys, self.session_id, self.generation, salt);
        ours.mac.ct_eq(&self.mac).into()
    }

    /// The token as clients carry it.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(self.session_id.as_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.mac);
        URL_SAFE_NO_PAD.encode(bytes).into()
    }
}

impl std::fmt::Debug for RefreshToken {
    // The MAC is the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshToken")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_token_is_good_for_its_session_number_salt_and_keys() {
        let (keys, other) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        let (id, salt) = (Uuid::now_v7(), [3; 32]);
        let text = RefreshToken::new(&keys, id, 7, &salt).to_text();
        let read = RefreshToken::parse(text.expose_secret()).unwrap();
        assert_eq!((read.session_id, read.generation), (id, 7));
        assert!(read.is_authentic(&keys, &salt));
        assert!(!read.is_authentic(&other, &salt));
        assert!(!read.is_authentic(&keys, &[4; 32]));
        assert!(
            !RefreshToken {
                generation: 8,
                ..read
            }
            .is_authentic(&keys, &salt)
        );
        assert!(
            !RefreshToken {
                session_id: Uuid::now_v7(),
                ..read
            }
            .is_authentic(&keys, &salt)
        );
        assert!(!format!("{read:?}").contains(text.expose_secret()));
    }

    proptest! {
        #[test]
        fn any_change_of_a_character_is_noticed(at in 0..TOKEN_CHARS, by in any::<char>()) {
            let keys = Keys::generate().unwrap();
            let salt = [1; 32];
            let text = RefreshToken::new(&keys, Uuid::from_u128(5), 1, &salt).to_text();
            let mut chars: Vec<char> = text.expose_secret().chars().collect();
            prop_assume!(chars[at] != by);
            chars[at] = by;
            let changed: String = chars.into_iter().collect();
            prop_assert!(!RefreshToken::parse(&changed).is_some_and(|token| token.is_authentic(&keys, &salt)));
        }

        #[test]
        fn any_text_can_be_presented(text in ".{0,100}") {
            prop_assert!(RefreshToken::parse(&text).is_none());
        }
    }
}
