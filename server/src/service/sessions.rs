//! Sessions: families of refresh tokens, one for each sign-in.
//!
//! Invariant: a family has at most one live token. Its text follows from the row, so a client that lost an answer gets the same again.

use std::{fmt, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};

use super::{Context, Error, Result, Violations, accounts::Profile};
use crate::{
    auth::RefreshToken,
    domain::{
        AccountId, Timestamp,
        account::{Email, Password},
    },
    env,
    store::{Cas, Put, sessions::Session},
};

/// How long a refresh token is good: who stays away longer signs in again.
const REFRESH_TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// Within this time after its exchange a token gets the same successor once more: phones lose answers.
const REPEAT_WITHIN: Duration = Duration::from_secs(10);

/// Lost races before a caller is sent away. Each lost race means that the family moved on, which soon decides the call.
const TRIES_MAX: usize = 5;

/// No refresh token is longer; no longer text is looked at.
const TOKEN_BYTES_MAX: usize = 1024;

/// A pair of tokens. Prints without them.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// For the header `authorization`.
    pub access_token: SecretString,
    /// When it ends.
    pub access_token_expires_at: Timestamp,
    /// For [`refresh`].
    pub refresh_token: SecretString,
    /// When it ends.
    pub refresh_token_expires_at: Timestamp,
}

/// An account, signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The account.
    pub profile: Profile,
    /// The first tokens of a new family.
    pub tokens: Tokens,
}

/// Credentials as typed.
pub struct SignIn {
    /// E-mail address.
    pub email: String,
    /// Password.
    pub password: SecretString,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignIn(..)")
    }
}

/// Checks the credentials and starts a session.
///
/// # Errors
/// `Unauthenticated` for an unknown address as for a wrong password, after equal work.
pub async fn sign_in(ctx: &Context, command: SignIn) -> Result<SignedIn> {
    let mut violations = Violations::default();
    let email = violations.check("email", Email::parse(&command.email));
    let password = violations.check("password", Password::parse(command.password));
    let (Some(email), Some(password)) = (email, password) else {
        return Err(violations.into());
    };

    let claim = ctx.store.get_email_claim(email.folded()).await?;
    // An unknown address costs as many reads and hashes as a known one.
    let account_id = claim.map_or_else(|| AccountId::new(ctx.env.uuid()), |claim| claim.owner_id);
    let account = ctx.account(account_id).await?;
    let hash = account
        .as_ref()
        .map(|account| account.password_hash.as_str());
    let is_right = ctx.passwords.verify(&password, hash).await?;
    let account = account.filter(|_| is_right).ok_or(Error::Unauthenticated)?;
    let creator = ctx.creator(account_id).await?;
    let tokens = start(ctx, account_id).await?;
    Ok(SignedIn {
        profile: Profile { account, creator },
        tokens,
    })
}

/// Starts a session of an account whose password was checked.
pub(super) async fn start(ctx: &Context, account_id: AccountId) -> Result<Tokens> {
    let now = ctx.env.now();
    let session = Session {
        session_id: ctx.env.uuid(),
        account_id,
        version: 1,
        op_id: ctx.env.uuid(),
        generation: 1,
        salt: env::random(&*ctx.env),
        rotated_at: now,
        expires_at: now + REFRESH_TOKEN_LIFETIME,
        is_ended: false,
    };
    match ctx.store.insert_session(&session).await? {
        Put::Done => tokens(ctx, &session, now),
        Put::Exists(found) if found.op_id == session.op_id => tokens(ctx, &session, now),
        Put::Exists(_) => Err(Error::Internal("a new session's id is in use".into())),
    }
}

/// Exchanges a refresh token for the next pair. A token used up before ends its family, for someone has copied it; but the last
/// one used is answered with the same successor for ten seconds more.
///
/// # Errors
/// `Unauthenticated` if the token is unknown, expired, used up or ended.
pub async fn refresh(ctx: &Context, refresh_token: &SecretString) -> Result<Tokens> {
    let token = parse(refresh_token)?.ok_or(Error::Unauthenticated)?;
    for _ in 0..TRIES_MAX {
        let now = ctx.env.now();
        let session = find(ctx, &token, now)
            .await?
            .ok_or(Error::Unauthenticated)?;
        let account = ctx.store.get_account(session.account_id).await?;
        if account.is_some_and(|account| account.is_deleted()) {
            return Err(Error::Unauthenticated);
        }
        let (next, is_refused) = match successor(&session, token.generation, now) {
            Successor::Present => return tokens(ctx, &session, now),
            Successor::Unknown => return Err(Error::Unauthenticated),
            Successor::Next => (rotated(ctx, &session, now), false),
            Successor::Never => (ended(ctx, &session), true),
        };
        match ctx.store.update_session(&next).await? {
            Cas::Done if is_refused => {
                tracing::warn!(account_id = %session.account_id, session_id = %session.session_id, "refresh token reused, session ended");
                return Err(Error::Unauthenticated);
            }
            Cas::Done => return tokens(ctx, &next, now),
            Cas::Stale(_) => {}
        }
    }
    Err(Error::outrun("session"))
}

/// Ends the session of a refresh token, whichever of the family it is. A token that is not good is fine: there is nothing to end.
///
/// # Errors
/// If the store gives no answer.
pub async fn sign_out(ctx: &Context, refresh_token: &SecretString) -> Result<()> {
    let Some(token) = parse(refresh_token)? else {
        return Ok(());
    };
    for _ in 0..TRIES_MAX {
        let Some(session) = find(ctx, &token, ctx.env.now()).await? else {
            return Ok(());
        };
        match ctx.store.update_session(&ended(ctx, &session)).await? {
            Cas::Done => return Ok(()),
            Cas::Stale(_) => {}
        }
    }
    Err(Error::outrun("session"))
}

fn parse(text: &SecretString) -> Result<Option<RefreshToken>> {
    let text = text.expose_secret();
    if text.is_empty() {
        return Err(Error::invalid("refresh_token", "must be given"));
    }
    if text.len() > TOKEN_BYTES_MAX {
        return Err(Error::invalid(
            "refresh_token",
            "must have at most 1024 bytes",
        ));
    }
    Ok(RefreshToken::parse(text))
}

/// The live session that an authentic token belongs to.
async fn find(ctx: &Context, token: &RefreshToken, now: Timestamp) -> Result<Option<Session>> {
    let session = ctx.store.get_session(token.session_id).await?;
    Ok(session.filter(|session| {
        token.is_authentic(&ctx.keys, &session.salt)
            && !session.is_ended
            && now < session.expires_at
    }))
}

/// What comes after a token of a live session.
#[derive(Debug, PartialEq, Eq)]
enum Successor {
    /// It is the newest: the next one is to be made.
    Next,
    /// Its successor is the session's newest, made a moment ago.
    Present,
    /// It was used up.
    Never,
    /// It is newer than the row, as after the restore of a backup.
    Unknown,
}

fn successor(session: &Session, generation: i64, now: Timestamp) -> Successor {
    let behind = session.generation.saturating_sub(generation);
    if behind < 0 {
        Successor::Unknown
    } else if behind == 0 {
        Successor::Next
    } else if behind == 1 && now.since(session.rotated_at) <= REPEAT_WITHIN {
        Successor::Present
    } else {
        Successor::Never
    }
}

fn rotated(ctx: &Context, session: &Session, now: Timestamp) -> Session {
    Session {
        version: session.version + 1,
        op_id: ctx.env.uuid(),
        generation: session.generation + 1,
        rotated_at: now,
        expires_at: now + REFRESH_TOKEN_LIFETIME,
        ..session.clone()
    }
}

fn ended(ctx: &Context, session: &Session) -> Session {
    Session {
        version: session.version + 1,
        op_id: ctx.env.uuid(),
        is_ended: true,
        ..session.clone()
    }
}

/// The pair of a session's newest generation.
fn tokens(ctx: &Context, session: &Session, now: Timestamp) -> Result<Tokens> {
    let (access_token, access_token_expires_at) =
        ctx.tokens
            .issue(session.account_id, session.session_id, now)?;
    let refresh_token = RefreshToken::new(
        &ctx.keys,
        session.session_id,
        session.generation,
        &session.salt,
    );
    Ok(Tokens {
        access_token,
        access_token_expires_at,
        refresh_token: refresh_token.to_text(),
        refresh_token_expires_at: session.expires_at,
    })
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
