//! An environment whose clock is moved by hand.

use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    domain::Timestamp,
    env::{BoxFuture, Env, SystemEnv},
};

/// Nothing happens by itself until the clock is moved.
#[derive(Debug)]
pub(crate) struct HandEnv(watch::Sender<Timestamp>);

impl HandEnv {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Timestamp::from_micros(
            1_800_000_000_000_000,
        )))
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.0.send_modify(|now| *now = *now + span);
    }
}

impl Env for HandEnv {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<()> {
        let until = self.now() + span;
        let mut clock = self.0.subscribe();
        Box::pin(async move { drop(clock.wait_for(|now| *now >= until).await) })
    }

    fn spawn(&self, name: &'static str, task: BoxFuture<()>) {
        SystemEnv.spawn(name, task);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        SystemEnv.fill_random(bytes);
    }

    fn uuid(&self) -> Uuid {
        SystemEnv.uuid()
    }
}
