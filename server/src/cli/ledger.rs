//! `livedrop ledger show` and `livedrop ledger verify`.

use std::{collections::VecDeque, io};

use super::{
    Error,
    args::{ShowArgs, VerifyArgs},
    ledger_source::LedgerSource,
    ledger_table::{self, Row},
    print,
};
use crate::{
    domain::DropId,
    ledger::verify::{self, Problem, Report},
};

pub(super) async fn show(args: ShowArgs) -> Result<(), Error> {
    let source = LedgerSource::open(&args.store.data).await?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut newest: VecDeque<Row> = VecDeque::new();
    let mut seq = 1;
    loop {
        let page =
            interruptible(source.ledgers().read_from(args.drop, seq, verify::PAGE)).await??;
        let Some(last) = page.last() else { break };
        seq = last.seq + 1;
        for record in &page {
            newest.push_back(Row::of(record, args.entries));
            if newest.len() > limit {
                newest.pop_front();
            }
        }
    }
    if newest.is_empty() {
        return Err(Error::NoLedger(args.drop));
    }
    print(&ledger_table::render(newest.make_contiguous()))
}

pub(super) async fn verify(args: VerifyArgs) -> Result<(), Error> {
    let source = LedgerSource::open(&args.store.data).await?;
    let mut tally = Tally::default();
    if let Some(drop_id) = args.drop {
        if interruptible(tally.check(&source, drop_id)).await?? == Finding::None {
            return Err(Error::NoLedger(drop_id));
        }
    } else {
        let mut after = None;
        loop {
            let page = interruptible(source.list_drops(after)).await??;
            for drop_id in page.drop_ids {
                interruptible(tally.check(&source, drop_id)).await??;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        print(&format!(
            "{} ledgers checked, {} wrong\n",
            tally.checked, tally.wrong
        ))?;
    }
    match tally.wrong {
        0 => Ok(()),
        wrong => Err(Error::Wrong {
            wrong,
            checked: tally.checked,
        }),
    }
}

/// Whether there is a ledger at all.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    None,
    Some,
}

#[derive(Debug, Default)]
struct Tally {
    checked: usize,
    wrong: usize,
}

impl Tally {
    /// Checks a ledger and says how it is.
    async fn check(&mut self, source: &LedgerSource, drop_id: DropId) -> Result<Finding, Error> {
        let line = match verify::verify(source.ledgers(), drop_id, |_, _| {}).await {
            // A drop that is not frozen yet.
            Ok(report) if report.state.seq() == 0 => return Ok(Finding::None),
            Ok(report) => sound(drop_id, &report),
            Err(problem @ (Problem::Wrong(_) | Problem::Unreadable(_))) => {
                self.wrong += 1;
                format!("{drop_id} WRONG: {problem}\n")
            }
        };
        self.checked += 1;
        print(&line)?;
        Ok(Finding::Some)
    }
}

fn sound(drop_id: DropId, report: &Report) -> String {
    let (state, entries) = (&report.state, report.entry_count);
    let (available, held, sold) = state.totals();
    let (records, hash) = (state.seq(), ledger_table::hash_prefix(&state.head_hash()));
    let orders = state.order_count();
    format!(
        "{drop_id} ok: {records} records, {entries} entries, {orders} orders; available {available}, held {held}, sold {sold}; head {hash}\n"
    )
}

/// Ctrl-C ends a tool in good order: the store it may have opened is closed, as at any other end.
async fn interruptible<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::select! {
        done = work => Ok(done),
        _ = tokio::signal::ctrl_c() => Err(Error::Io { what: "stopped".to_owned(), source: io::ErrorKind::Interrupted.into() }),
    }
}
