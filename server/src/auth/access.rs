//! Access tokens: JWTs of 15 minutes, signed with Ed25519. Nothing in a token decides how it is checked (RFC 8725).

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, Header, Validation};
use moka::sync::Cache;
use parking_lot::RwLock;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Caller, Keys, SetupError};
use crate::domain::{AccountId, Timestamp};

/// How long a token lives: what a stolen one is good for, and how long one outlives its session.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// No longer text is looked at. Ours have about 400 bytes.
const TOKEN_BYTES_MAX: usize = 2048;

/// Verified tokens kept: about 50 MB when full. An uncached check costs 31 µs, a cached one less than 1 µs.
const VERIFIED_MAX: u64 = 100_000;

const ISSUER: &str = "https://livedrop.dev";
const AUDIENCE: &str = "livedrop.v1";
/// RFC 9068: no other kind of token passes for an access token.
const TYPE: &str = "at+jwt";

#[derive(Serialize)]
struct Issued {
    iss: &'static str,
    aud: &'static str,
    #[serde(flatten)]
    claims: Claims,
}

/// `iss` and `aud` are checked by the library.
#[derive(Serialize, Deserialize)]
struct Claims {
    sub: AccountId,
    sid: Uuid,
    exp: i64,
    iat: i64,
}

/// Issues and checks access tokens.
pub struct AccessTokens {
    keys: Arc<Keys>,
    validation: Validation,
    verified: Cache<Box<str>, Caller>,
    /// Accounts whose tokens are no longer good.
    ended: RwLock<HashSet<AccountId>>,
}

impl AccessTokens {
    /// Tokens signed with `keys`; signs and checks one to see that the crypto works.
    ///
    /// # Errors
    /// If it does not.
    pub fn new(keys: Arc<Keys>) -> Result<Self, SetupError> {
        // An error says that a provider is there already: with one backend compiled in, it is this one.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // Checked here, against the clock we are given.
        validation.validate_exp = false;
        let verified = Cache::builder()
            .max_capacity(VERIFIED_MAX)
            .time_to_live(ACCESS_TOKEN_LIFETIME)
            .build();
        let tokens = Self {
            keys,
            validation,
            verified,
            ended: RwLock::default(),
        };
        tokens.test()?;
        Ok(tokens)
    }

    fn test(&self) -> Result<(), SetupError> {
        let id = Uuid::from_u128(1);
        let (token, _) = self.issue(AccountId::new(id), id, Timestamp::default())?;
        let is_good = self
            .check(token.expose_secret())
            .is_some_and(|caller| caller.session_id == id);
        if is_good {
            Ok(())
        } else {
            Err(SetupError::crypto("a token just signed is not accepted"))
        }
    }

    /// A token for the session, and when it ends.
    ///
    /// # Errors
    /// If the crypto library fails, which [`AccessTokens::new`] has ruled out.
    pub fn issue(
        &self,
        account_id: AccountId,
        session_id: Uuid,
        now: Timestamp,
    ) -> Result<(SecretString, Timestamp), SetupError> {
        let iat = now.seconds();
        let exp = (now + ACCESS_TOKEN_LIFETIME).seconds();
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.keys.key_id().to_owned());
        let issued = Issued {
            iss: ISSUER,
            aud: AUDIENCE,
            claims: Claims {
                sub: account_id,
                sid: session_id,
                exp,
                iat,
            },
        };
        let token = jsonwebtoken::encode(&header, &issued, self.keys.signing())
            .map_err(SetupError::crypto)?;
        let expires_at = from_seconds(exp);
        // Its first use is soon, perhaps in a rush, and a check costs as much as placing the order.
        let caller = Caller {
            account_id,
            session_id,
            expires_at,
        };
        self.verified.insert(token.as_str().into(), caller);
        Ok((token.into(), expires_at))
    }

    /// Whose token it is; `None` if it is not a good one at `now`. Takes any text.
    #[must_use]
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Caller> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let is_good = |caller: &Caller| {
            now < caller.expires_at && !self.ended.read().contains(&caller.account_id)
        };
        if let Some(caller) = self.verified.get(token) {
            return Some(caller).filter(is_good);
        }
        let caller = self.check(token).filter(is_good)?;
        self.verified.insert(token.into(), caller);
        Some(caller)
    }

    /// From now on no token of this account is good.
    pub fn end(&self, account_id: AccountId) {
        self.ended.write().insert(account_id);
    }

    /// As [`Self::end`], of these accounts and no others: tokens of those that are missing have ended by themselves.
    pub fn end_only(&self, accounts: HashSet<AccountId>) {
        *self.ended.write() = accounts;
    }

    /// All but the clock.
    fn check(&self, token: &str) -> Option<Caller> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.alg != Algorithm::EdDSA
            || header.typ.as_deref() != Some(TYPE)
            || header.crit.is_some()
        {
            return None;
        }
        let key = self.keys.verifying(header.kid.as_deref()?)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .ok()?
            .claims;
        Some(Caller {
            account_id: claims.sub,
            session_id: claims.sid,
            expires_at: from_seconds(claims.exp),
        })
    }
}

fn from_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.saturating_mul(1_000_000))
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
