//! Who lives in the demo world.

use futures::future::{try_join, try_join_all};
use secrecy::ExposeSecret as _;

use super::shop::Shop;
use crate::{
    auth::Caller,
    domain::{AccountId, reason::Reason},
    service::{
        Context, Error, Result,
        accounts::{self, BecomeCreator, SignUp},
        follows,
        sessions::{self, SignIn},
    },
    store::accounts::Creator,
};

/// Somebody whose password everyone knows.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli::dev) struct Login {
    /// What it is for.
    pub(in crate::cli::dev) role: &'static str,
    pub(in crate::cli::dev) email: &'static str,
    pub(in crate::cli::dev) password: &'static str,
    name: &'static str,
}

const CARLA: Login = Login {
    role: "creator",
    email: "carla@demo.example",
    password: "carla-sells-here",
    name: "Carla Creator",
};
const BEN: Login = Login {
    role: "buyer",
    email: "ben@demo.example",
    password: "ben-buys-here",
    name: "Ben Buyer",
};
const BEA: Login = Login {
    role: "buyer",
    email: "bea@demo.example",
    password: "bea-buys-here",
    name: "Bea Buyer",
};

/// Those that the greeting shows; they buy and sell nothing by themselves, but for what Carla has on sale.
pub(in crate::cli::dev) static LOGINS: [Login; 3] = [CARLA, BEN, BEA];

/// Password of everyone else.
const PASSWORD: &str = "demo-demo-demo";

/// A creator to be.
struct Profile {
    login: Login,
    handle: &'static str,
    bio: &'static str,
}

impl Profile {
    const fn new(
        handle: &'static str,
        email: &'static str,
        name: &'static str,
        bio: &'static str,
    ) -> Self {
        let login = Login {
            role: "creator",
            email,
            password: PASSWORD,
            name,
        };
        Self { login, handle, bio }
    }
}

/// In the order of [`super::shop::RANGES`].
static CREATORS: [Profile; 5] = [
    Profile {
        login: CARLA,
        handle: "carla",
        bio: "Prints things. Sells them out.",
    },
    Profile::new(
        "dario",
        "dario@demo.example",
        "Dario Runs",
        "Shoes in small numbers.",
    ),
    Profile::new(
        "emi",
        "emi@demo.example",
        "Emi Clay",
        "Cups and bowls, fired twice a month.",
    ),
    Profile::new(
        "finn",
        "finn@demo.example",
        "Finn Vinyl",
        "Records that nobody else presses.",
    ),
    Profile::new(
        "gwen",
        "gwen@demo.example",
        "Gwen Grows",
        "Cuttings of rare plants.",
    ),
];

/// Seconds to wait for the address of somebody who was deleted just before the server stopped: it is free after a minute, mostly sooner.
const WAITS_MAX: usize = 70;

/// Buyers that move the stock.
const BUYERS: usize = 8;

/// The creators, each made if it is not there.
pub(super) async fn creators(ctx: &Context) -> Result<Vec<Creator>> {
    let made = CREATORS.iter().map(async |profile| {
        let caller = enter(ctx, profile.login).await?;
        become_creator(ctx, caller, profile).await
    });
    try_join_all(made).await
}

/// Those of [`LOGINS`] who are buyers, each made if it is not there.
pub(super) async fn guests(ctx: &Context) -> Result<(Caller, Caller)> {
    try_join(enter(ctx, BEN), enter(ctx, BEA)).await
}

/// Those who move the stock, each made if it is not there, and following some of the creators.
pub(super) async fn buyers(ctx: &Context, shops: &[Shop]) -> Result<Vec<AccountId>> {
    let made = (0..BUYERS).map(async |number| {
        let (email, name) = (
            format!("buyer{number}@demo.example"),
            format!("Buyer {number}"),
        );
        let buyer_id = enter_as(ctx, &email, PASSWORD, &name).await?.account_id;
        // Two in three, so that no two creators have the same followers.
        let liked = shops.iter().enumerate();
        let liked = liked.filter(|(at, _)| (number + at) % 3 != 0);
        try_join_all(liked.map(|(_, shop)| follows::follow(ctx, buyer_id, shop.creator_id)))
            .await?;
        Ok(buyer_id)
    });
    try_join_all(made).await
}

async fn enter(ctx: &Context, login: Login) -> Result<Caller> {
    enter_as(ctx, login.email, login.password, login.name).await
}

/// Signs in, or up the first time, and out again.
async fn enter_as(ctx: &Context, email: &str, password: &str, name: &str) -> Result<Caller> {
    for _ in 0..WAITS_MAX {
        match sign_in_or_up(ctx, email, password, name).await {
            Err(Error::Unavailable { retry_after, .. }) => ctx.env.sleep(retry_after).await,
            answer => return answer,
        }
    }
    sign_in_or_up(ctx, email, password, name).await
}

async fn sign_in_or_up(ctx: &Context, email: &str, password: &str, name: &str) -> Result<Caller> {
    let known = SignIn {
        email: email.to_owned(),
        password: password.into(),
    };
    let session = match sessions::sign_in(ctx, known).await {
        Err(Error::Unauthenticated) => {
            let new = SignUp {
                request_id: ctx.env.uuid().to_string(),
                email: email.to_owned(),
                password: password.into(),
                display_name: name.to_owned(),
            };
            accounts::sign_up(ctx, new).await?
        }
        answer => answer?,
    };
    let token = session.tokens.access_token.expose_secret();
    let caller = ctx.tokens.verify(token, ctx.env.now());
    sessions::sign_out(ctx, &session.tokens.refresh_token).await?;
    caller.ok_or(Error::Unauthenticated)
}

/// Unless they are one, perhaps by another handle: somebody may have played with them.
async fn become_creator(ctx: &Context, caller: Caller, profile: &Profile) -> Result<Creator> {
    if let Some(creator) = ctx.creator(caller.account_id).await? {
        return Ok(creator);
    }
    let wish = |handle: String| BecomeCreator {
        handle,
        display_name: profile.login.name.to_owned(),
        bio: profile.bio.to_owned(),
    };
    match accounts::become_creator(ctx, caller, wish(profile.handle.to_owned())).await {
        // The handle of an account that was deleted stays taken.
        Err(Error::Refused {
            reason: Reason::HandleTaken,
            ..
        }) => {
            let other = format!("{}_{}", profile.handle, ctx.env.now().seconds());
            accounts::become_creator(ctx, caller, wish(other)).await
        }
        answer => answer,
    }
}
