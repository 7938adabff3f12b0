//! Something breaks half-way: a command of the caller's does it, such as one that stops a node of the database.

use std::{
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use super::{
    fleet::{Fleet, Restart},
    options::Options,
    shop::Shop,
};

/// Between two looks whether the command has ended, or a server.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The command comes this long after half of the buyers at the latest, so that a rush that stalls is hit too.
const LATEST: Duration = Duration::from_secs(5);
/// Sales go on within this time after the end of a fault, or the verdict is not clean: a process is found dead after 5 s, a call may take
/// 10 s, and buyers whose try was in vain come back a second later.
const RESUME_WITHIN: Duration = Duration::from_secs(30);

/// What was broken, and what the buyers saw of it. Times are since the opening.
#[derive(Debug)]
pub(crate) struct Fault {
    /// When the command began.
    pub(crate) began: Duration,
    /// When it had ended.
    pub(crate) ended: Duration,
    /// Orders answered in between.
    pub(crate) placed: u64,
    /// Tries in between that were not answered, or with UNAVAILABLE.
    pub(crate) unanswered: u64,
    /// Servers that were killed, and started again.
    pub(crate) restarted: usize,
}

/// How long nothing was sold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    /// The longest time without a sale, of those that the fault touches.
    pub(crate) gap: Duration,
    /// From the fault's end to the next sale; `None`: there was none.
    pub(crate) resumed_after: Option<Duration>,
}

impl Fault {
    /// Waits for half of the orders, or of the buyers, and lets the command do its worst.
    pub(crate) async fn at_half(
        command: &str,
        options: &Options,
        shop: &Shop,
        fleet: &mut Fleet,
    ) -> anyhow::Result<Self> {
        let buyers = u64::from(options.buyers);
        let latest = shop.opens_at + shop.arrive_within / 2 + LATEST;
        while shop.tally.placed.load(Relaxed) < options.expected_orders() / 2
            && shop.tally.finished.load(Relaxed) < buyers / 2
            && Instant::now() < latest
        {
            sleep(Duration::from_millis(1)).await;
        }
        let began = shop.opens_at.elapsed();
        let counts = || {
            let tally = &shop.tally;
            (tally.placed.load(Relaxed), tally.unanswered.load(Relaxed))
        };
        let before = counts();
        let ((at, after), restarted) = run(command, fleet, Restart::All, counts).await?;
        Ok(Self {
            began,
            ended: at.saturating_duration_since(shop.opens_at),
            placed: after.0 - before.0,
            unanswered: after.1 - before.1,
            restarted,
        })
    }

    /// What it meant for sales, whose times ascend.
    pub(crate) fn outage(&self, sales: &[Duration]) -> Outage {
        let next = sales.iter().find(|at| **at > self.ended);
        let pairs = sales.iter().zip(sales.iter().skip(1));
        let touched = pairs.filter(|(from, to)| **to > self.began && **from < self.ended);
        let gaps = touched.map(|(from, to)| *to - *from);
        Outage {
            gap: gaps.max().unwrap_or_default(),
            resumed_after: next.map(|at| *at - self.ended),
        }
    }
}

impl Outage {
    /// What is wrong with it.
    pub(crate) fn complaint(&self) -> Option<String> {
        match self.resumed_after {
            None => Some("nothing was sold after the fault".to_owned()),
            Some(after) if after > RESUME_WITHIN => Some(format!(
                "sales went on {:.1} s after the fault, {} s are allowed",
                after.as_secs_f64(),
                RESUME_WITHIN.as_secs()
            )),
            Some(_) => None,
        }
    }
}

/// Runs a command of the caller's to its end. The first server is started again if it is killed; the others later, once all is settled.
pub(crate) async fn at_end(command: &str, fleet: &mut Fleet) -> anyhow::Result<()> {
    run(command, fleet, Restart::First, || ()).await?;
    Ok(())
}

/// Answers when the command ended with what `look` saw then, and how many servers were started again.
async fn run<T>(
    command: &str,
    fleet: &mut Fleet,
    who: Restart,
    look: impl Fn() -> T,
) -> anyhow::Result<((Instant, T), usize)> {
    let texts = |texts: Vec<String>| texts.join(" ");
    let ids = fleet.process_ids().iter().map(u32::to_string).collect();
    let logs = fleet.logs();
    let logs = logs.iter().map(|log| log.display().to_string()).collect();
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("RUSH_SERVER_PIDS", texts(ids))
        .env("RUSH_SERVER_LOGS", texts(logs))
        .stdin(Stdio::null())
        // The table alone goes to standard output.
        .stdout(std::io::stderr())
        .kill_on_drop(true)
        .spawn()
        .context("can't start the command that breaks something")?;
    let is_over = AtomicBool::new(false);
    let command = async {
        let status = child.wait().await;
        is_over.store(true, Relaxed);
        anyhow::Ok((status?, (Instant::now(), look())))
    };
    let restarts = async {
        let mut restarted = 0;
        loop {
            let was_over = is_over.load(Relaxed);
            restarted += fleet.restart_killed(who).await?;
            if was_over {
                return anyhow::Ok(restarted);
            }
            sleep(LOOK_EVERY).await;
        }
    };
    let ((status, ended), restarted) = tokio::try_join!(command, restarts)?;
    ensure!(
        status.success(),
        "the command that breaks something ended with {status}"
    );
    Ok((ended, restarted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: &[u64]) -> Vec<Duration> {
        seconds.iter().map(|it| Duration::from_secs(*it)).collect()
    }

    fn fault(began: u64, ended: u64) -> Fault {
        Fault {
            began: Duration::from_secs(began),
            ended: Duration::from_secs(ended),
            placed: 0,
            unanswered: 0,
            restarted: 0,
        }
    }

    #[test]
    fn an_outage_is_the_gap_that_the_fault_touches() {
        // Slow at first and sold out at the end: neither is the fault's.
        let sales = at(&[0, 9, 10, 11, 17, 18, 40]);
        let outage = fault(12, 16).outage(&sales);
        let seconds = Duration::from_secs;
        assert_eq!(
            (outage.gap, outage.resumed_after),
            (seconds(6), Some(seconds(1)))
        );
        assert_eq!(outage.complaint(), None);
        // Sales that went on meanwhile do not end the fault.
        let outage = fault(9, 10).outage(&sales);
        assert_eq!(
            (outage.gap, outage.resumed_after),
            (seconds(1), Some(seconds(1)))
        );
    }

    #[test]
    fn sales_that_do_not_go_on_are_told() {
        assert!(fault(12, 16).outage(&at(&[1, 2, 13])).complaint().is_some());
        assert!(fault(12, 16).outage(&at(&[1, 2, 50])).complaint().is_some());
        assert!(fault(12, 16).outage(&at(&[1, 2, 45])).complaint().is_none());
    }
}
