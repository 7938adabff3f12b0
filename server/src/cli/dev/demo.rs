//! Demo content, made through the use cases like everyone's: three accounts that stay, two drops that are new at each start.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use crate::{
    auth::Caller,
    domain::{Currency, DropId, RequestId, Timestamp},
    service::{
        Context, Error, Result,
        accounts::{self, BecomeCreator, SignUp},
        drops::{self, ScheduleDrop, ScheduleItem},
        sessions::{self, SignIn, SignedIn},
    },
};

/// When the second drop opens.
pub(super) const SOON: Duration = Duration::from_secs(30);

/// Long enough for a day of playing.
const OPEN_FOR: Duration = Duration::from_secs(24 * 3600);

const HOLD: Duration = Duration::from_secs(300);

/// More than any step takes on a machine that works.
const TIME: Duration = Duration::from_secs(10);

/// An account whose password everyone knows.
#[derive(Debug)]
pub(super) struct Login {
    /// What it is for.
    pub(super) role: &'static str,
    pub(super) email: &'static str,
    pub(super) password: &'static str,
    name: &'static str,
}

/// The creator comes first.
pub(super) static LOGINS: [Login; 3] = [
    Login {
        role: "creator",
        email: "carla@demo.example",
        password: "carla-sells-here",
        name: "Carla Creator",
    },
    Login {
        role: "buyer",
        email: "ben@demo.example",
        password: "ben-buys-here",
        name: "Ben Buyer",
    },
    Login {
        role: "buyer",
        email: "bea@demo.example",
        password: "bea-buys-here",
        name: "Bea Buyer",
    },
];

/// What was made.
#[derive(Debug)]
pub(super) struct Demo {
    /// A drop that is open.
    pub(super) open: DropId,
    /// A drop that opens in [`SOON`].
    pub(super) soon: DropId,
}

/// Makes what is not there yet.
pub(super) async fn make(ctx: &Context) -> Result<Demo> {
    let [creator, buyers @ ..] = &LOGINS;
    for buyer in buyers {
        let session = enter(ctx, buyer).await?;
        sessions::sign_out(ctx, &session.tokens.refresh_token).await?;
    }
    let session = enter(ctx, creator).await?;
    let token = session.tokens.access_token.expose_secret();
    let caller = ctx
        .tokens
        .verify(token, ctx.env.now())
        .ok_or(Error::Unauthenticated)?;
    if session.profile.creator.is_none() {
        become_creator(ctx, caller, creator).await?;
    }
    let open = schedule(ctx, caller, "Open: screen prints", None).await?;
    let soon = schedule(
        ctx,
        caller,
        "Soon: screen prints, second edition",
        Some(ctx.env.now() + SOON),
    )
    .await?;
    sessions::sign_out(ctx, &session.tokens.refresh_token).await?;
    Ok(Demo { open, soon })
}

/// Signs in, or up the first time.
async fn enter(ctx: &Context, login: &Login) -> Result<SignedIn> {
    let known = SignIn {
        email: login.email.to_owned(),
        password: login.password.into(),
    };
    match sessions::sign_in(ctx, known).await {
        Err(Error::Unauthenticated) => {
            let new = SignUp {
                request_id: ctx.env.uuid().to_string(),
                email: login.email.to_owned(),
                password: login.password.into(),
                display_name: login.name.to_owned(),
            };
            accounts::sign_up(ctx, new).await
        }
        answer => answer,
    }
}

async fn become_creator(ctx: &Context, caller: Caller, login: &Login) -> Result<()> {
    let profile = BecomeCreator {
        handle: "carla".to_owned(),
        display_name: login.name.to_owned(),
        bio: "Prints things. Sells them out.".to_owned(),
    };
    accounts::become_creator(ctx, caller, profile)
        .await
        .map(|_creator| ())
}

async fn schedule(
    ctx: &Context,
    caller: Caller,
    title: &str,
    opens_at: Option<Timestamp>,
) -> Result<DropId> {
    let item = |title: &str, stock, unit_price_minor, limit_per_buyer| ScheduleItem {
        title: Some(title.to_owned()),
        stock,
        unit_price_minor: Some(unit_price_minor),
        limit_per_buyer,
        product: None,
    };
    let currency = "EUR"
        .parse::<Currency>()
        .map_err(|error| Error::Internal(error.to_string()))?;
    let wish = ScheduleDrop {
        request_id: RequestId::new(ctx.env.uuid()),
        title: title.to_owned(),
        description: "Made by `livedrop dev`.".to_owned(),
        currency: Some(currency),
        // The free one is sold at once, without a payment.
        items: vec![
            item("Print, A3", 100, 2_500, 20),
            item("Print, A2, signed", 10, 9_900, 1),
            item("Sticker, free", 1_000, 0, 0),
        ],
        limit_per_buyer: 0,
        opens_at,
        ends_at: ctx.env.now() + OPEN_FOR,
        hold: HOLD,
        low_stock_threshold: 5,
    };
    Ok(drops::schedule(ctx, caller.account_id, wish, TIME)
        .await?
        .drop
        .drop_id)
}
