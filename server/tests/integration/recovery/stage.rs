//! What a scenario plays on: a server in a process of its own that dies and comes back, the people who use it, and what must come of them.

use std::{
    collections::BTreeSet,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::ExitStatus,
    time::{Duration, Instant},
};

use livedrop::{Client, Error, RetryPolicy, v1};
use livedrop_server::{
    domain::{AccountId, DropId, order::OrderState},
    store::projections::DropState,
};
use tokio::{process::Command, time::timeout};

use super::ends;
use crate::harness::{
    eventually,
    home::{Home, Left},
    open_drop, order_request,
    process::Process,
    profile_request, request_id, sign_up_request,
};

/// Everything is to end right so soon after a restart.
pub(super) const TEN_SECONDS: Duration = Duration::from_secs(10);
/// A server that does not die at its point in this time does not come by it.
const DIES_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What must come of somebody's only order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// There is none.
    NoOrder,
    /// It is in this state.
    Is(OrderState),
    /// It is in this state, if there is one: the server may have died before.
    IsIfAny(OrderState),
    /// It is held, and says why it could not be paid.
    Declined,
}

/// Somebody with an account.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) account_id: AccountId,
    tokens: v1::Tokens,
    pub(super) end: End,
}

/// How all drops of a scenario must end.
#[derive(Debug, Clone, Copy)]
pub(super) struct DropEnd {
    pub(super) count: usize,
    pub(super) state: DropState,
    /// Version of the row that was announced last.
    pub(super) version: i64,
}

/// A scenario's server, people and expectations.
pub(super) struct Stage {
    pub(super) name: String,
    crash: String,
    home: Home,
    server: Option<Process>,
    restarted_at: Instant,
    pub(super) people: Vec<Person>,
    pub(super) drops: DropEnd,
    /// Those that a dead server left.
    pub(super) drop_ids: BTreeSet<DropId>,
    /// Changes of accounts that were announced and died before they were made: their intents stay for ten minutes.
    pub(super) lost_changes: usize,
    /// How long it took until all had ended right.
    pub(super) right_after: Duration,
}

impl Stage {
    pub(super) async fn begin(name: String, crash: String) -> Self {
        let drops = DropEnd {
            count: 1,
            state: DropState::Live,
            version: 1,
        };
        let mut stage = Self {
            name,
            crash,
            home: Home::new().await,
            server: None,
            restarted_at: Instant::now(),
            people: Vec::new(),
            drops,
            drop_ids: BTreeSet::new(),
            lost_changes: 0,
            right_after: Duration::ZERO,
        };
        stage.start(true).await;
        stage
    }

    async fn start(&mut self, dies: bool) {
        let command = self.command(dies);
        self.server = Some(Process::start(command).await);
        self.restarted_at = Instant::now();
    }

    fn command(&self, dies: bool) -> Command {
        let dev = ["dev", "--empty", "--listen", "127.0.0.1:0"];
        let mut command = self.home.tool(&dev);
        if dies && !self.crash.is_empty() {
            command.env("LIVEDROP_CRASH_AT", &self.crash);
        }
        command
    }

    pub(super) fn data(&self) -> &Path {
        self.home.data()
    }

    /// The store of the server that is dead.
    pub(super) async fn left(&self) -> Left {
        self.home.left().await
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.server.as_ref().expect("it runs").endpoint
    }

    /// Nobody signed in. Calls are tried again: a database that is busy answers some too late, and a server may not die of those.
    pub(super) fn stranger(&self) -> Client {
        let again = RetryPolicy::default().attempts(10).without_budget();
        Client::builder(self.endpoint())
            .retry(again)
            .build()
            .unwrap()
    }

    pub(super) fn client(&self, person: &Person) -> Client {
        self.stranger().with_tokens(person.tokens.clone())
    }

    /// Somebody new, of whose order this is to come.
    pub(super) async fn person(&mut self, end: End) -> Client {
        self.signs_up(sign_up_request(), end).await
    }

    /// As [`Self::person`], by this call.
    pub(super) async fn signs_up(&mut self, request: v1::SignUpRequest, end: End) -> Client {
        let client = self.stranger();
        let answer = client.sign_up(request).await.unwrap();
        self.people.push(Person {
            account_id: answer.account.unwrap().account_id.parse().unwrap(),
            tokens: client.tokens().unwrap(),
            end,
        });
        client
    }

    pub(super) async fn creator(&mut self) -> Client {
        let client = self.person(End::NoOrder).await;
        client.become_creator(profile_request()).await.unwrap();
        client
    }

    /// A creator with a drop that sells a hundred units.
    pub(super) async fn drop_of_a_creator(&mut self) -> (Client, v1::Drop) {
        let creator = self.creator().await;
        let drop = open_drop(&creator, &[(1_250, 100)]).await;
        (creator, drop)
    }

    /// Does `calls` until the server dies at its point; their answers don't matter.
    pub(super) async fn dies(&mut self, calls: impl Future<Output = Result<(), Error>>) {
        let mut server = self.server.take().expect("it runs");
        let calls = async {
            // What is done in the background goes on.
            let _ = calls.await;
            std::future::pending::<()>().await;
        };
        let died = async {
            tokio::select! {
                status = server.child.wait() => status.unwrap(),
                () = calls => unreachable!("calls pend"),
            }
        };
        self.died(timeout(DIES_WITHIN, died).await.ok());
    }

    fn died(&self, status: Option<ExitStatus>) {
        let status = status.unwrap_or_else(|| panic!("{}: did not die", self.name));
        assert_eq!(status.signal(), Some(6), "{}: {status}", self.name);
    }

    /// Kills the server as it is.
    pub(super) async fn kill(&mut self) {
        let server = self.server.take().expect("it runs");
        assert_eq!(server.end("KILL").await.0, -1, "{}", self.name);
    }

    /// The server comes back, and does not die any more.
    pub(super) async fn restarts(&mut self) {
        let left = self.left().await;
        self.drop_ids.extend(ends::drop_ids(&left.store).await);
        drop(left);
        self.start(false).await;
    }

    /// The server comes back and dies at the same point again, by what it goes on with.
    pub(super) async fn restarts_and_dies(&mut self) {
        // Perhaps before it listens.
        let server = self.command(true).spawn().unwrap();
        let ended = timeout(DIES_WITHIN, server.wait_with_output()).await;
        self.died(ended.ok().map(|output| output.unwrap().status));
    }

    /// From now on the ten seconds count: somebody has done something.
    pub(super) fn begins_anew(&mut self) {
        self.restarted_at = Instant::now();
    }

    /// Looks, without disturbing anything, until all has ended as expected. Then nothing may be missing in the store either, and every
    /// read must say the same.
    pub(super) async fn ends_right(&mut self) {
        self.ends_right_within(TEN_SECONDS).await;
    }

    /// As [`Self::ends_right`], so long after the restart.
    pub(super) async fn ends_right_within(&mut self, within: Duration) {
        self.seen_right_within(within).await;
        self.finishes().await;
        // Not in order: a server that stops in order makes up for what it has not done.
        self.kill().await;
        let left = self.left().await;
        if let Err(why) = ends::stored(self, &left.store).await {
            panic!("{}: in the store: {why}", self.name);
        }
        drop(left);
        self.restarts().await;
        ends::readable(self).await;
        let server = self.server.take().expect("it runs");
        let (status, _, told) = server.end("TERM").await;
        assert_eq!(status, 0, "{}: {told}", self.name);
    }

    /// Gives what no client can see as much time as all else; where it can be seen in the store, until then, and longer if need be.
    async fn finishes(&self) {
        let taken_up_at = self.restarted_at + self.home.taken_up_within();
        let store = self.home.shared().await;
        // The relay's first pass alone is hundreds of reads, on a database that all tests share.
        let until = taken_up_at + TEN_SECONDS * if store.is_some() { 4 } else { 1 };
        while Instant::now() < until {
            if let Some(store) = &store
                && Instant::now() > taken_up_at
                && ends::stored(self, store).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Looks until all orders have ended as expected.
    pub(super) async fn seen_right_within(&mut self, within: Duration) {
        let within = within + self.home.taken_up_within();
        let remote = ends::remote(self).await;
        while let Err(why) = ends::seen(self, &remote).await {
            let waited = self.restarted_at.elapsed();
            assert!(waited < within, "{}: after {waited:?}: {why}", self.name);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.right_after = self.right_after.max(self.restarted_at.elapsed());
    }
}

/// Places an order of one unit, and pays in the same call unless `token` is empty.
pub(super) async fn buy(buyer: &Client, drop: &v1::Drop, token: &str) -> Result<v1::Order, Error> {
    let request = v1::PlaceOrderRequest {
        payment_method: token.into(),
        ..order_request(drop, &[(0, 1)])
    };
    Ok(Box::pin(buyer.place_order(request)).await?.order.unwrap())
}

/// Buys by something that takes its time; returns when the order is there, not when it is answered.
pub(super) async fn begins_to_buy(buyer: &Client, drop: &v1::Drop, token: &'static str) {
    let (client, drop) = (buyer.clone(), drop.clone());
    tokio::spawn(async move { buy(&client, &drop, token).await });
    let listed = || async {
        let answer = buyer.list_orders(v1::ListOrdersRequest::default()).await;
        (!answer.unwrap().orders.is_empty()).then_some(())
    };
    eventually(listed).await;
}

pub(super) async fn pay(buyer: &Client, order: &v1::Order, token: &str) -> Result<(), Error> {
    let request = v1::PayOrderRequest {
        request_id: request_id(),
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
        payment_method: token.into(),
        retry_count: 0,
    };
    Box::pin(buyer.pay_order(request)).await.map(drop)
}

pub(super) async fn refund(creator: &Client, order: &v1::Order) -> Result<(), Error> {
    let request = v1::RefundOrderRequest {
        request_id: request_id(),
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
        reason: "wrong size".into(),
        restock: false,
    };
    Box::pin(creator.refund_order(request)).await.map(drop)
}

pub(super) async fn cancel_drop(creator: &Client, drop: &v1::Drop) -> Result<(), Error> {
    let request = v1::CancelDropRequest {
        request_id: request_id(),
        drop_id: drop.drop_id.clone(),
    };
    let cancelled = Box::pin(creator.cancel_drop(request));
    cancelled.await.map(std::mem::drop)
}
