//! Accounts and creators.

use std::fmt;

use secrecy::SecretString;

use super::{
    Context, Error, Result, Violations,
    claims::{self, Name, Taken},
    requests::{self, Fingerprint},
    sessions::{self, SignedIn},
};
use crate::{
    auth::Caller,
    domain::{
        AccountId, RequestId,
        account::{Bio, DisplayName, Email, Handle, Password},
        reason::Reason,
    },
    store::{
        Put,
        accounts::{Account, Claim, Creator},
        outbox::{Entity, EntityKind},
        requests::RequestKey,
    },
};

/// An account with its creator's profile, if it has one.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The account.
    pub account: Account,
    /// The public profile.
    pub creator: Option<Creator>,
}

/// The account to make, as typed.
pub struct SignUp {
    /// Key of idempotency.
    pub request_id: String,
    /// E-mail address.
    pub email: String,
    /// Password.
    pub password: SecretString,
    /// Name shown to others.
    pub display_name: String,
}

impl fmt::Debug for SignUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignUp")
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

/// Makes an account and signs it in. A repeat finds the same account and checks the password.
///
/// # Errors
/// `EMAIL_TAKEN`, `REQUEST_ID_REUSED`; `Unauthenticated` if a repeat has another password.
pub async fn sign_up(ctx: &Context, command: SignUp) -> Result<SignedIn> {
    let mut violations = Violations::default();
    let request_id = violations.check("request_id", command.request_id.parse::<RequestId>());
    let email = violations.check("email", Email::parse(&command.email));
    let password = violations.check("password", Password::parse_new(command.password));
    let display_name = violations.check("display_name", DisplayName::parse(&command.display_name));
    let (Some(request_id), Some(email), Some(password), Some(display_name)) =
        (request_id, email, password, display_name)
    else {
        return Err(violations.into());
    };

    let fingerprint = Fingerprint::new("SignUp")
        .text(email.folded())
        .text(display_name.as_str())
        .finish();
    let key = RequestKey {
        caller_id: None,
        method: "SignUp",
        request_id,
    };
    // A refused first try claims nothing: the same id may come again with another address. The account is looked for first: if a twin
    // of this call made it meanwhile, the twin's claim is found after it.
    if has_account(ctx, &email).await? && ctx.store.get_request(&key).await?.is_none() {
        return Err(email_taken());
    }
    let claimed = requests::claim(ctx, key, fingerprint, || ctx.env.uuid()).await?;
    let account_id = AccountId::new(claimed.entity_id);
    if claimed.is_replay
        && let Some(made) = ctx.store.get_account(account_id).await?
        && made.is_deleted()
    {
        return Err(Error::refused(
            Reason::RequestIdReused,
            "the account that this request made was deleted: take a new request id",
        ));
    }

    let name = Name::Email(&email);
    let claim = owned(claims::take(ctx, name, account_id).await?, email_taken)?;
    let account = put_account(ctx, account_id, &email, &display_name, &password).await?;
    owned(claims::confirm(ctx, name, claim).await?, email_taken)?;

    let creator = ctx.creator(account_id).await?;
    let tokens = sessions::start(ctx, account_id).await?;
    Ok(SignedIn {
        profile: Profile { account, creator },
        tokens,
    })
}

async fn has_account(ctx: &Context, email: &Email) -> Result<bool> {
    Ok(match ctx.store.get_email_claim(email.folded()).await? {
        Some(claim) => ctx.account(claim.owner_id).await?.is_some(),
        None => false,
    })
}

/// The account's row, new or there already. One that is there opens to its password only: whoever has seen a request id must
/// not get an account by it.
async fn put_account(
    ctx: &Context,
    account_id: AccountId,
    email: &Email,
    display_name: &DisplayName,
    password: &Password,
) -> Result<Account> {
    let mut found = ctx.account(account_id).await?;
    if found.is_none() {
        let (op_id, kind) = (ctx.env.uuid(), EntityKind::Account);
        let id = account_id.uuid();
        // Hashing takes longer than the disk.
        let (begun, password_hash) = futures::future::try_join(
            async { Ok::<_, Error>(ctx.outbox.begin(Entity { kind, id }, op_id).await?) },
            async { Ok(ctx.passwords.hash(password).await?) },
        )
        .await?;
        let account = Account {
            account_id,
            version: 1,
            op_id,
            email: email.as_typed().to_owned(),
            display_name: display_name.as_str().to_owned(),
            password_hash,
            created_at: ctx.env.now(),
        };
        match begun.run(ctx.store.insert_account(&account)).await? {
            Put::Done => return Ok(account),
            // A twin was faster.
            Put::Exists(twin) => found = Some(twin),
        }
    }
    let hash = found.as_ref().map(|account| account.password_hash.as_str());
    let is_right = ctx.passwords.verify(password, hash).await?;
    found.filter(|_| is_right).ok_or(Error::Unauthenticated)
}

/// The caller's account.
///
/// # Errors
/// `ACCOUNT_NOT_FOUND` if it was deleted while the access token lives.
pub async fn get_me(ctx: &Context, caller: Caller) -> Result<Profile> {
    let account = own_account(ctx, caller).await?;
    let creator = ctx.creator(caller.account_id).await?;
    Ok(Profile { account, creator })
}

pub(super) async fn own_account(ctx: &Context, caller: Caller) -> Result<Account> {
    let id = caller.account_id;
    ctx.account(id)
        .await?
        .ok_or_else(|| Error::not_found(Reason::AccountNotFound, "account", id))
}

/// The profile to make, as typed.
#[derive(Debug)]
pub struct BecomeCreator {
    /// Unique name in links.
    pub handle: String,
    /// Name shown to others.
    pub display_name: String,
    /// About the creator.
    pub bio: String,
}

/// Gives the caller a creator's profile, or finds the one with this handle.
///
/// # Errors
/// `HANDLE_TAKEN`, `ALREADY_CREATOR` with another handle, `ACCOUNT_NOT_FOUND`.
pub async fn become_creator(
    ctx: &Context,
    caller: Caller,
    command: BecomeCreator,
) -> Result<Creator> {
    let mut violations = Violations::default();
    let handle = violations.check("handle", Handle::parse(&command.handle));
    let display_name = violations.check("display_name", DisplayName::parse(&command.display_name));
    let bio = violations.check("bio", Bio::parse(&command.bio));
    let (Some(handle), Some(display_name), Some(bio)) = (handle, display_name, bio) else {
        return Err(violations.into());
    };

    let creator_id = own_account(ctx, caller).await?.account_id;
    if let Some(creator) = ctx.creator(creator_id).await?
        && creator.handle != handle.as_str()
    {
        return Err(already_creator(creator));
    }
    let name = Name::Handle(&handle);
    let claim = owned(claims::take(ctx, name, creator_id).await?, || {
        handle_taken(&handle)
    })?;
    let creator = Creator {
        creator_id,
        version: 1,
        op_id: ctx.env.uuid(),
        handle: handle.as_str().to_owned(),
        display_name: display_name.as_str().to_owned(),
        bio: bio.as_str().to_owned(),
        created_at: ctx.env.now(),
    };
    let (kind, id) = (EntityKind::Creator, creator_id.uuid());
    let put = ctx.store.insert_creator(&creator);
    let put = ctx.outbox.change(Entity { kind, id }, creator.op_id, put);
    let creator = match put.await? {
        Put::Done => creator,
        Put::Exists(found) if found.handle == creator.handle => found,
        Put::Exists(found) => return Err(already_creator(found)),
    };
    owned(claims::confirm(ctx, name, claim).await?, || {
        handle_taken(&handle)
    })?;
    Ok(creator)
}

/// How a creator is named, as sent.
#[derive(Debug)]
pub enum CreatorKey {
    /// By id.
    Id(String),
    /// By handle.
    Handle(String),
}

/// A creator's public profile. Without a key the request is malformed.
///
/// # Errors
/// `CREATOR_NOT_FOUND`.
pub async fn get_creator(ctx: &Context, key: Option<CreatorKey>) -> Result<Creator> {
    match key {
        None => Err(Error::invalid("key", "must be given: creator_id or handle")),
        Some(CreatorKey::Id(text)) => {
            let id: AccountId = text
                .parse()
                .map_err(|problem| Error::invalid("creator_id", format!("{problem}")))?;
            ctx.creator(id)
                .await?
                .ok_or_else(|| Error::not_found(Reason::CreatorNotFound, "creator", id))
        }
        Some(CreatorKey::Handle(text)) => {
            let handle = Handle::parse(&text)
                .map_err(|problem| Error::invalid("handle", problem.to_string()))?;
            let creator = match ctx.store.get_handle_claim(handle.as_str()).await? {
                Some(claim) => ctx.creator(claim.owner_id).await?,
                None => None,
            };
            // A claim alone makes no creator, nor does one by a creator who has another handle.
            creator
                .filter(|creator| creator.handle == handle.as_str())
                .ok_or_else(|| {
                    Error::not_found(Reason::CreatorNotFound, "creator", handle.as_str())
                })
        }
    }
}

fn owned(taken: Taken, refusal: impl FnOnce() -> Error) -> Result<Claim> {
    match taken {
        Taken::Ours(claim) => Ok(claim),
        Taken::Others => Err(refusal()),
    }
}

fn email_taken() -> Error {
    Error::refused(
        Reason::EmailTaken,
        "an account with this e-mail address exists",
    )
}

fn handle_taken(handle: &Handle) -> Error {
    Error::Refused {
        reason: Reason::HandleTaken,
        message: format!("the handle {} is taken", handle.as_str()),
        metadata: vec![("handle", handle.as_str().to_owned())],
    }
}

fn already_creator(creator: Creator) -> Error {
    Error::Refused {
        reason: Reason::AlreadyCreator,
        message: format!(
            "you are a creator with the handle {} already",
            creator.handle
        ),
        metadata: vec![("handle", creator.handle)],
    }
}

#[cfg(test)]
#[path = "accounts_tests.rs"]
mod tests;
