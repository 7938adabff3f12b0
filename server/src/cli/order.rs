//! `livedrop order show` and `livedrop order settle`.

use std::sync::Arc;

use nix::unistd::{Uid, User};

use super::{
    Error,
    args::{OutcomeArgs, SettleArgs, ShowOrderArgs, StoreArgs},
    ledger_source::Place,
    order_sheet, print,
    signal::interruptible,
};
use crate::{
    app::{admin::client::RemoteLedgers, stores},
    domain::{DropId, OrderId, ProcessId},
    env::{SharedEnv, SystemEnv},
    events::Sinks,
    ledger::Registry,
    projectors,
    service::{
        Operator,
        operator::{OrderSheet, SettleOrder, Settled, Settlement},
    },
    store::StoreError,
};

pub(super) async fn show(args: ShowOrderArgs) -> Result<(), Error> {
    let desk = Desk::open(&args.store).await?;
    let shown = interruptible(desk.show(args.drop, args.order)).await;
    desk.close().await;
    print(&order_sheet::render(&shown??))
}

pub(super) async fn settle(args: SettleArgs) -> Result<(), Error> {
    let wish = SettleOrder {
        drop_id: args.drop,
        order_id: args.order,
        attempt: args.attempt,
        settlement: settlement(&args.outcome),
        note: args.note,
        actor: os_user(),
    };
    let desk = Desk::open(&args.store).await?;
    if let Desk::Own(operator) = &desk {
        stores::check_whole(&*operator.store).await?;
    }
    let settled = interruptible(desk.settle(wish)).await;
    desk.close().await;
    let Settled { before, after } = settled??;
    print(&format!(
        "before:\n{}\nafter:\n{}",
        order_sheet::render(&before),
        order_sheet::render(&after)
    ))
}

/// One of them is given.
const fn settlement(outcome: &OutcomeArgs) -> Settlement {
    match outcome {
        OutcomeArgs { captured: true, .. } => Settlement::Captured,
        OutcomeArgs { refunded: true, .. } => Settlement::Refunded,
        OutcomeArgs { .. } => Settlement::Failed,
    }
}

/// Who runs this: the name and number of the process' user, and whoever became that by sudo.
fn os_user() -> String {
    let uid = Uid::current();
    let name = match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => "unknown".to_owned(),
    };
    let by = std::env::var("SUDO_USER").ok();
    let by = by.filter(|by| uid.is_root() && by.chars().all(|it| !it.is_control()));
    let by = by.map(|by| format!(", sudo of {by}")).unwrap_or_default();
    format!("{name} (uid {uid}{by})")
}

/// Where orders are settled: in the server that has an embedded store open, or on the store itself.
enum Desk {
    Running(RemoteLedgers),
    Own(Operator),
}

impl Desk {
    async fn open(args: &StoreArgs) -> Result<Self, Error> {
        let store = match Place::find(args).await? {
            Place::Directory(data) => {
                let unreachable = format!("can't ask the server that has {} open", data.display());
                let remote = RemoteLedgers::connect(&data).await;
                if let Some(remote) = remote.map_err(Error::io(unreachable))? {
                    return Ok(Self::Running(remote));
                }
                Place::Directory(data).open_alone().await?
            }
            // Beside the servers, as one more process.
            Place::Shared(store) => store,
        };
        let env: SharedEnv = Arc::new(SystemEnv);
        let consumers = projectors::consumers(&env, &store, &Sinks::default());
        let process_id = ProcessId::new(env.uuid());
        let ledgers = Registry::new(env.clone(), store.clone(), process_id, consumers);
        Ok(Self::Own(Operator {
            env,
            store,
            ledgers,
        }))
    }

    async fn show(&self, drop_id: DropId, order_id: OrderId) -> Result<OrderSheet, Error> {
        match self {
            Self::Running(remote) => remote.show_order(drop_id, order_id).await.map_err(asked),
            Self::Own(operator) => Ok(operator.show_order(drop_id, order_id).await?),
        }
    }

    async fn settle(&self, wish: SettleOrder) -> Result<Settled, Error> {
        match self {
            Self::Running(remote) => remote.settle_order(wish).await.map_err(asked),
            Self::Own(operator) => Ok(operator.settle_order(&wish).await?),
        }
    }

    /// Ends this process' writers of ledgers; their rows are written before this returns. The next server finds them noted as open,
    /// and goes on.
    async fn close(self) {
        match self {
            Self::Running(_) => {}
            Self::Own(operator) => operator.ledgers.shutdown().await,
        }
    }
}

/// The server's words, without ours about stores.
fn asked(error: StoreError) -> Error {
    let (StoreError::Determinate(words) | StoreError::Indeterminate(words)) = error;
    Error::Asked(words)
}
