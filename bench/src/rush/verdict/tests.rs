use livedrop_proto::v1::{
    DropItem, ItemStock, LedgerEntry, LedgerItemCount, LedgerMove, Money, OrderLine,
};
use uuid::Uuid;

use std::collections::{BTreeMap, HashMap};

use livedrop::v1::{Drop, LedgerEntryKind, LedgerRecord, Order, OrderState};

use super::{recount::Units, *};
use crate::rush::{
    notes::{Answer, Cancel, Pay, Placed, Refused},
    shop::Fate,
    wallet::{OK, Wallet},
};

mod money;

/// Item 0 costs something and has 3 units, item 1 is free and has 2.
fn items() -> Vec<Item> {
    let item = |name: &str, stock, price_minor| Item {
        item_id: name.into(),
        stock,
        price_minor,
    };
    vec![item("priced", 3, 500), item("free", 2, 0)]
}

fn entry(kind: LedgerEntryKind, item: &str, available: i64, held: i64, sold: i64) -> LedgerEntry {
    let moves = vec![LedgerMove {
        item_id: item.into(),
        available_delta: available,
        held_delta: held,
        sold_delta: sold,
    }];
    LedgerEntry {
        kind: kind.into(),
        moves,
        ..Default::default()
    }
}

/// A ledger of these records, with the counts that follow.
fn ledger(records: Vec<Vec<LedgerEntry>>) -> Vec<LedgerRecord> {
    let mut counts: BTreeMap<String, Units> = BTreeMap::new();
    let seal = |(seq, entries): (i64, Vec<LedgerEntry>)| {
        for change in entries.iter().flat_map(|entry| &entry.moves) {
            let units = counts.entry(change.item_id.clone()).or_default();
            units.available += change.available_delta;
            units.held += change.held_delta;
            units.sold += change.sold_delta;
        }
        LedgerRecord {
            seq,
            hash: vec![seq as u8; 32].into(),
            available: counts.values().map(|units| units.available).sum(),
            held: counts.values().map(|units| units.held).sum(),
            sold: counts.values().map(|units| units.sold).sum(),
            item_counts: counts
                .iter()
                .map(|(id, units)| LedgerItemCount {
                    item_id: id.clone(),
                    available: units.available,
                    held: units.held,
                    sold: units.sold,
                })
                .collect(),
            entries,
            ..Default::default()
        }
    };
    (1..).zip(records).map(seal).collect()
}

fn order(id: &str, buyer: &str, line: (usize, i32), state: OrderState) -> (String, Order) {
    let money = |amount_minor| {
        Some(Money {
            currency_code: "EUR".into(),
            amount_minor,
        })
    };
    let item = &items()[line.0];
    let line = OrderLine {
        item_id: item.item_id.clone(),
        quantity: line.1,
        unit_price: money(item.price_minor),
    };
    let total = money(item.price_minor * i64::from(line.quantity));
    let order = Order {
        order_id: id.into(),
        buyer_id: buyer.into(),
        lines: vec![line],
        total,
        state: state.into(),
        ..Default::default()
    };
    (id.into(), order)
}

fn purchase(
    id: &str,
    line: (usize, i32),
    state: OrderState,
    (seq, index): (i64, i32),
    cancel: Cancel,
) -> Purchase {
    let placed = Placed {
        order_id: id.into(),
        state,
        seq,
        index,
        record_hash: vec![seq as u8; 32],
        at: std::time::Duration::ZERO,
    };
    Purchase {
        placed: vec![placed],
        cancel,
        told_paid: state == OrderState::Paid,
        ..Purchase::new(Uuid::new_v4(), vec![line], Wallet::EMPTY)
    }
}

/// Ann holds 2 of "priced", Bob bought 1 of "free", Cid held 1 of "priced" and cancelled.
fn clean() -> Evidence {
    use LedgerEntryKind::{Held, Released, Sold, TermsFrozen};
    let records = ledger(vec![
        vec![
            entry(TermsFrozen, "priced", 3, 0, 0),
            entry(TermsFrozen, "free", 2, 0, 0),
        ],
        vec![
            entry(Held, "priced", -2, 2, 0),
            entry(Held, "free", -1, 1, 0),
            entry(Sold, "free", 0, -1, 1),
        ],
        vec![entry(Held, "priced", -1, 1, 0)],
        vec![entry(Released, "priced", 1, -1, 0)],
    ]);
    let shown = |id: &str, available, held, sold| DropItem {
        item_id: id.into(),
        stock: Some(ItemStock {
            available,
            held,
            sold,
            ..Default::default()
        }),
        ..Default::default()
    };
    let orders = HashMap::from([
        order("a", "ann", (0, 2), OrderState::Held),
        order("b", "bob", (1, 1), OrderState::Paid),
        order("c", "cid", (0, 1), OrderState::Cancelled),
    ]);
    Evidence {
        items: items(),
        limit_per_buyer: 2,
        fate: Fate::Sells,
        listed: orders.clone(),
        own_lists: Some(own_lists(&orders)),
        sales: HashMap::new(),
        returns: Vec::new(),
        payments: Some(BTreeMap::new()),
        buyers: vec![
            (
                "ann".into(),
                vec![purchase(
                    "a",
                    (0, 2),
                    OrderState::Held,
                    (2, 0),
                    Cancel::Never,
                )],
            ),
            (
                "bob".into(),
                vec![purchase(
                    "b",
                    (1, 1),
                    OrderState::Paid,
                    (2, 2),
                    Cancel::Never,
                )],
            ),
            (
                "cid".into(),
                vec![purchase(
                    "c",
                    (0, 1),
                    OrderState::Held,
                    (3, 0),
                    Cancel::Done,
                )],
            ),
        ],
        records,
        chain_fault: None,
        orders,
        drop: Drop {
            items: vec![shown("priced", 1, 2, 0), shown("free", 1, 0, 1)],
            ..Default::default()
        },
        receipt_faults: Vec::new(),
    }
}

fn judge(change: impl FnOnce(&mut Evidence)) -> Verdict {
    let mut evidence = clean();
    change(&mut evidence);
    Verdict::of(&evidence)
}

fn own_lists(orders: &HashMap<String, Order>) -> HashMap<String, (String, Order)> {
    let own =
        |(id, order): (&String, &Order)| (id.clone(), (order.buyer_id.clone(), order.clone()));
    orders.iter().map(own).collect()
}

/// As if there had never been such an order, but for the ledger.
fn forget(evidence: &mut Evidence, id: &str) {
    evidence.orders.remove(id);
    evidence.listed.remove(id);
    evidence.own_lists.as_mut().unwrap().remove(id);
}

#[test]
fn a_clean_rush_is_clean() {
    let verdict = judge(|_| {});
    let clean = Verdict {
        rows_checked: true,
        ..Verdict::default()
    };
    assert_eq!(verdict, clean);
    assert!(verdict.is_clean());
}

#[test]
fn units_that_never_were_are_oversold() {
    // Sold and given back later: the end looks well, but for a record there were 5 held of 3.
    let verdict = judge(|evidence| {
        let more = entry(LedgerEntryKind::Held, "priced", -2, 2, 0);
        evidence.records = ledger(
            evidence
                .records
                .iter()
                .map(|record| record.entries.clone())
                .chain([
                    vec![more],
                    vec![entry(LedgerEntryKind::Released, "priced", 2, -2, 0)],
                ])
                .collect(),
        );
    });
    assert_eq!(verdict.oversold, 1, "{verdict:?}");
    // Terms that freeze more than was offered do not make it right.
    let verdict = judge(|evidence| evidence.items[0].stock = 2);
    assert_eq!(verdict.oversold, 1, "{verdict:?}");
}

#[test]
fn a_second_order_is_doubled() {
    let two_answers = judge(|evidence| {
        let other = Placed {
            order_id: "c".into(),
            ..evidence.buyers[0].1[0].placed[0].clone()
        };
        evidence.buyers[0].1[0].placed.push(other);
    });
    assert!(two_answers.doubled > 0, "{two_answers:?}");
    let stranger = judge(|evidence| {
        evidence.buyers.pop();
        forget(evidence, "c");
    });
    assert_eq!(stranger.doubled, 1, "{stranger:?}");
    let listed = judge(|evidence| {
        let other = order("x", "ann", (0, 1), OrderState::Paid);
        evidence.listed.extend([other]);
    });
    assert_eq!(listed.doubled, 1, "{listed:?}");
    let after_a_promise = judge(|evidence| {
        evidence.buyers[1].1[0].refused.push(Refused {
            reason: "SOLD_OUT".into(),
            is_promise: true,
        });
    });
    assert_eq!(after_a_promise.doubled, 1, "{after_a_promise:?}");
}

#[test]
fn more_than_the_limit_is_doubled() {
    assert_eq!(judge(|evidence| evidence.limit_per_buyer = 1).doubled, 1);
    assert!(judge(|evidence| evidence.limit_per_buyer = 0).is_clean());
}

#[test]
fn what_contradicts_an_answer_is_lost() {
    type Change = fn(&mut Evidence);
    let lost: [(&str, Change); 11] = [
        ("unknown to GetOrder", |evidence| {
            drop(evidence.orders.remove("a"))
        }),
        ("cancelled, but held", |evidence| {
            evidence
                .orders
                .extend([order("c", "cid", (0, 1), OrderState::Held)]);
        }),
        ("sold, then expired", |evidence| {
            evidence
                .orders
                .extend([order("b", "bob", (1, 1), OrderState::Expired)])
        }),
        ("someone else's", |evidence| {
            evidence
                .orders
                .extend([order("a", "bob", (0, 2), OrderState::Held)])
        }),
        ("other units", |evidence| {
            evidence
                .orders
                .extend([order("a", "ann", (0, 1), OrderState::Held)])
        }),
        ("history rewritten", |evidence| {
            evidence.records[1].hash = vec![9; 32].into()
        }),
        ("tail cut off", |evidence| drop(evidence.records.drain(2..))),
        ("chain broken", |evidence| {
            evidence.chain_fault = Some("record 2: hash".into())
        }),
        ("denied later", |evidence| {
            let again = Refused {
                reason: "SOLD_OUT".into(),
                is_promise: false,
            };
            evidence.buyers[0].1[0].note_again(Answer::Refused(again));
        }),
        ("unknown to another server", |evidence| {
            evidence.buyers[0].1[0].note_refusal("CancelOrder", "ORDER_NOT_FOUND");
        }),
        ("totals wrong", |evidence| evidence.records[3].sold = 2),
    ];
    for (name, change) in lost {
        let verdict = judge(change);
        assert!(
            verdict.lost > 0 && !verdict.is_clean(),
            "{name}: {verdict:?}"
        );
    }
}

#[test]
fn a_row_that_is_missing_or_old_is_told() {
    type Change = fn(&mut Evidence);
    let wrong: [(&str, Change); 5] = [
        ("not in the drop's list", |it| drop(it.listed.remove("a"))),
        ("old in the drop's list", |it| {
            it.listed.get_mut("a").unwrap().seq = -1;
        }),
        ("not in the buyer's list", |it| {
            drop(it.own_lists.as_mut().unwrap().remove("a"));
        }),
        ("old in the buyer's list", |it| {
            own_row(it).1.set_state(OrderState::Expired);
        }),
        ("in another buyer's list", |it| own_row(it).0 = "bob".into()),
    ];
    for (name, change) in wrong {
        let verdict = judge(change);
        assert_eq!(verdict.rows_wrong, 1, "{name}: {verdict:?}");
        assert_eq!(verdict.rows_word(), "NOT COMPLETE", "{name}");
        assert!(!verdict.is_clean(), "{name}");
    }
    let unread = judge(|it| it.own_lists = None);
    assert_eq!(unread.rows_word(), "not checked");
}

fn own_row(evidence: &mut Evidence) -> &mut (String, Order) {
    evidence.own_lists.as_mut().unwrap().get_mut("a").unwrap()
}

#[test]
fn sales_that_stall_are_not_clean() {
    let mut verdict = judge(|_| {});
    verdict.stalled = Some("nothing was sold after the fault".into());
    assert!(!verdict.is_clean());
}

#[test]
fn a_fault_on_disk_is_lost() {
    let wrong = Some("1 wrong".to_owned());
    let verdict = Verdict::of_all(&[clean()], wrong, Some(&Books::default()), true);
    assert!(verdict.lost == 1 && !verdict.is_clean(), "{verdict:?}");
}

#[test]
fn a_request_without_an_answer_is_not_clean() {
    let verdict = judge(|evidence| evidence.buyers[0].1[0].is_open = true);
    assert_eq!(verdict.unsettled, 1);
    assert!(!verdict.is_clean());
}
