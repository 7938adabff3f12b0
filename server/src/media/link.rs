//! The part of an upload's URL that lets its owner in: until when, how many bytes, and a MAC over these and the picture's key.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;

use super::key::Key;
use crate::{auth::Keys, domain::Timestamp};

const PURPOSE: &str = "picture upload";
const MAC_BYTES: usize = 32;

/// What a link allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// At most so many bytes.
    pub(super) size_bytes: u32,
    /// Until then.
    pub(super) expires_at: Timestamp,
}

impl Link {
    /// As the query of a URL has it.
    pub(super) fn seal(&self, keys: &Keys, key: &Key) -> String {
        let content = self.content();
        BASE64_URL_SAFE_NO_PAD.encode([&content[..], &mac(keys, key, &content)].concat())
    }

    /// Reads a link; `None` if it was not sealed for this key.
    pub(super) fn open(keys: &Keys, key: &Key, text: &str) -> Option<Self> {
        // Nothing of ours is longer; more is not even looked at.
        let bytes = Some(text).filter(|text| text.len() <= 64)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(bytes).ok()?;
        let (content, sent) = bytes.split_last_chunk::<MAC_BYTES>()?;
        let is_ours = bool::from(mac(keys, key, content).ct_eq(sent));
        let (size, expires) = content.split_first_chunk().filter(|_| is_ours)?;
        Some(Self {
            size_bytes: u32::from_be_bytes(*size),
            expires_at: Timestamp::from_micros(i64::from_be_bytes(expires.try_into().ok()?)),
        })
    }

    fn content(&self) -> [u8; 12] {
        let mut content = [0; 12];
        let (size, expires) = content.split_at_mut(4);
        size.copy_from_slice(&self.size_bytes.to_be_bytes());
        expires.copy_from_slice(&self.expires_at.micros().to_be_bytes());
        content
    }
}

/// All parts but the last have a fixed length, so none needs its own beside it.
fn mac(keys: &Keys, key: &Key, content: &[u8]) -> [u8; MAC_BYTES] {
    let message = [key.creator_id.as_bytes(), key.image_id.as_bytes(), content].concat();
    keys.mac(PURPOSE, &message)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{AccountId, image::ImageType};

    fn key() -> Key {
        let image_id = ImageType::Png.declare(Uuid::now_v7());
        Key::new(AccountId::new(Uuid::now_v7()), image_id, ImageType::Png)
    }

    #[test]
    fn a_link_opens_for_its_picture_only() {
        let (keys, other_keys) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        let (key, other) = (key(), key());
        let link = Link {
            size_bytes: 12_345,
            expires_at: Timestamp::from_micros(1_795_255_200_000_001),
        };
        let text = link.seal(&keys, &key);
        assert_eq!(Link::open(&keys, &key, &text), Some(link));
        assert_eq!(Link::open(&other_keys, &key, &text), None);
        for other in [
            Key {
                creator_id: other.creator_id,
                ..key
            },
            Key {
                image_id: other.image_id,
                ..key
            },
        ] {
            assert_eq!(Link::open(&keys, &other, &text), None);
        }
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(bytes).unwrap();
            assert_eq!(Link::open(&keys, &key, &forged), None, "{at}");
            assert_eq!(Link::open(&keys, &key, &text[..at]), None, "{at}");
        }
        for bad in ["", "ä", &"A".repeat(1_000)] {
            assert_eq!(Link::open(&keys, &key, bad), None, "{bad}");
        }
    }
}
