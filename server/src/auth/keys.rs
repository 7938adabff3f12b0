//! The server's secrets in memory: the key that signs access tokens and the key that authenticates what clients carry for us.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{DecodingKey, EncodingKey};
use secrecy::{ExposeSecret as _, SecretBox};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::SetupError;

/// Length of an Ed25519 public key, in bytes.
pub const PUBLIC_KEY_BYTES: usize = 32;

/// Signing key, verification keys and MAC key. Prints key ids only.
pub struct Keys {
    pkcs8: SecretBox<Vec<u8>>,
    signing: EncodingKey,
    /// The signing key's public half comes first, then older ones whose tokens are still good.
    verifying: Vec<VerifyingKey>,
    mac: SecretBox<[u8; 32]>,
}

struct VerifyingKey {
    key_id: String,
    public: [u8; PUBLIC_KEY_BYTES],
    key: DecodingKey,
}

impl Keys {
    /// New random keys.
    ///
    /// # Errors
    /// If the crypto library fails.
    pub fn generate() -> Result<Self, SetupError> {
        let pkcs8 = Ed25519KeyPair::generate()
            .and_then(|pair| pair.to_pkcs8())
            .map_err(SetupError::crypto)?;
        let mut mac = [0; 32];
        getrandom::fill(&mut mac).map_err(SetupError::crypto)?;
        Self::new(pkcs8.as_ref().to_vec(), mac, &[])
    }

    /// Keys from their parts: an Ed25519 key in PKCS#8, the MAC key, and public keys whose tokens are still accepted.
    ///
    /// # Errors
    /// If `pkcs8` is not an Ed25519 key.
    pub fn new(
        pkcs8: Vec<u8>,
        mac: [u8; 32],
        older: &[[u8; PUBLIC_KEY_BYTES]],
    ) -> Result<Self, SetupError> {
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(SetupError::crypto)?;
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(SetupError::crypto)?;
        let signing = EncodingKey::from_ed_der(&pkcs8);
        let verifying = std::iter::once(&public)
            .chain(older)
            .map(|public| VerifyingKey::new(*public))
            .collect();
        Ok(Self {
            pkcs8: SecretBox::new(Box::new(pkcs8)),
            signing,
            verifying,
            mac: SecretBox::new(Box::new(mac)),
        })
    }

    /// Authenticates `bytes`: HMAC-SHA-256. A MAC for one purpose says nothing about any other.
    #[must_use]
    pub fn mac(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.mac.expose_secret()).expect("32 bytes are a key");
        // The length keeps (`ab`, `c`) and (`a`, `bc`) apart.
        mac.update(&(purpose.len() as u64).to_be_bytes());
        mac.update(purpose.as_bytes());
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Names these keys without telling anything of them: what one process signs and seals, others of the same fingerprint accept.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(self.mac("fingerprint", self.key_id().as_bytes()))
    }

    /// The public keys as a JSON Web Key Set, for `/.well-known/jwks.json`.
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        let keys: Vec<_> = self.verifying.iter().map(VerifyingKey::jwk).collect();
        json!({ "keys": keys })
    }

    /// Id of the key that signs.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.verifying.first().map_or("", |key| &key.key_id)
    }

    pub(super) fn signing(&self) -> &EncodingKey {
        &self.signing
    }

    pub(super) fn verifying(&self, key_id: &str) -> Option<&DecodingKey> {
        self.verifying
            .iter()
            .find(|key| key.key_id == key_id)
            .map(|key| &key.key)
    }

    /// The secrets, for writing them to the key file: the PKCS#8 form of the signing key and the MAC key.
    pub(super) fn expose(&self) -> (&[u8], &[u8; 32]) {
        (self.pkcs8.expose_secret(), self.mac.expose_secret())
    }
}

impl VerifyingKey {
    fn new(public: [u8; PUBLIC_KEY_BYTES]) -> Self {
        // RFC 7638: the id follows from the key, so the two can't disagree.
        let canonical = format!(
            r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
            URL_SAFE_NO_PAD.encode(public)
        );
        let key_id = URL_SAFE_NO_PAD.encode(Sha256::digest(canonical));
        Self {
            key_id,
            public,
            key: DecodingKey::from_ed_der(&public),
        }
    }

    fn jwk(&self) -> serde_json::Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": self.key_id,
            "x": URL_SAFE_NO_PAD.encode(self.public),
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key_ids: Vec<_> = self.verifying.iter().map(|key| &key.key_id).collect();
        f.debug_struct("Keys")
            .field("key_ids", &key_ids)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_differ_by_purpose_content_and_key() {
        let (keys, other) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        let mac = keys.mac("ab", b"c");
        assert_eq!(mac, keys.mac("ab", b"c"));
        assert_ne!(mac, keys.mac("a", b"bc"));
        assert_ne!(mac, keys.mac("ab", b"d"));
        assert_ne!(mac, other.mac("ab", b"c"));
    }

    #[test]
    fn the_key_set_is_public() {
        let older = [7; 32];
        let keys = Keys::generate().unwrap();
        let (pkcs8, mac) = keys.expose();
        let rotated = Keys::new(pkcs8.to_vec(), *mac, &[older]).unwrap();
        let set = rotated.jwks();
        assert_eq!(set["keys"][0]["kid"], rotated.key_id());
        assert_eq!(set["keys"][1]["x"], URL_SAFE_NO_PAD.encode(older));
        assert_eq!(set["keys"].as_array().unwrap().len(), 2);
        assert!(set["keys"][0].get("d").is_none());
        assert!(!format!("{rotated:?}").contains(&URL_SAFE_NO_PAD.encode(mac)));
    }

    /// The example of RFC 8037, appendix A.3.
    #[test]
    fn key_ids_are_thumbprints() {
        let public = URL_SAFE_NO_PAD
            .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
            .unwrap();
        let key = VerifyingKey::new(public.try_into().unwrap());
        assert_eq!(key.key_id, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
