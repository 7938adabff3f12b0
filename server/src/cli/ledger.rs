//! `livedrop ledger show` and `livedrop ledger verify`.

use super::{
    Error,
    args::{ShowArgs, VerifyArgs},
    ledger_source::LedgerSource,
    ledger_table::{self, Row},
    print,
    signal::interruptible,
};
use crate::{
    domain::DropId,
    ledger::verify::{self, Problem, Report},
    store::{LedgerStore, StoreError},
};

pub(super) async fn show(args: ShowArgs) -> Result<(), Error> {
    let source = LedgerSource::open(&args.store).await?;
    let ledgers = source.ledgers();
    let head = interruptible(head(ledgers, args.drop)).await??;
    let mut rows: Vec<Row> = Vec::new();
    let mut seq = head.saturating_sub(u64::from(args.limit)) + 1;
    // What is written meanwhile is not shown.
    while seq <= head {
        let left = usize::try_from(head - seq + 1).unwrap_or(usize::MAX);
        let limit = left.min(verify::PAGE);
        let page = interruptible(ledgers.read_from(args.drop, seq, limit)).await??;
        let Some(last) = page.last() else { break };
        seq = last.seq + 1;
        rows.extend(page.iter().map(|record| Row::of(record, args.entries)));
    }
    if rows.is_empty() {
        return Err(Error::NoLedger(args.drop));
    }
    print(&ledger_table::render(&rows))
}

/// The newest record's position, 0 if there is none: doubled steps up to the first empty slot, halved ones back.
async fn head(ledgers: &dyn LedgerStore, drop_id: DropId) -> Result<u64, StoreError> {
    let is_filled = async |seq| -> Result<bool, StoreError> {
        Ok(!ledgers.read_from(drop_id, seq, 1).await?.is_empty())
    };
    let (mut head, mut step) = (0, 1);
    while is_filled(head + step).await? {
        head += step;
        step *= 2;
    }
    while step > 1 {
        step /= 2;
        if is_filled(head + step).await? {
            head += step;
        }
    }
    Ok(head)
}

pub(super) async fn verify(args: VerifyArgs) -> Result<(), Error> {
    let source = LedgerSource::open(&args.store).await?;
    if let Some(damage) = source.damage() {
        print(&format!("{damage}\nwhat can be read:\n"))?;
    }
    let mut tally = Tally::default();
    if let Some(drop_id) = args.drop {
        if interruptible(tally.check(&source, drop_id)).await?? == Finding::None {
            return Err(Error::NoLedger(drop_id));
        }
    } else {
        source.must_be_imported().await?;
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
            "{} checked, {} wrong\n",
            count(tally.checked, "ledger", "ledgers"),
            tally.wrong
        ))?;
    }
    match tally.wrong {
        0 => source.damage().map_or(Ok(()), |_| Err(Error::Damaged)),
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
    checked: u64,
    wrong: u64,
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
    let state = &report.state;
    let (available, held, sold) = state.totals();
    let hash = ledger_table::hash_prefix(&state.head_hash());
    let records = count(state.seq(), "record", "records");
    let entries = count(report.entry_count, "entry", "entries");
    let orders = count(state.order_count() as u64, "order", "orders");
    format!(
        "{drop_id} ok: {records}, {entries}, {orders}; available {available}, held {held}, sold {sold}; head {hash}\n"
    )
}

/// As in `1 record`, `2 records`.
fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
