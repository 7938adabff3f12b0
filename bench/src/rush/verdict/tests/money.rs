//! Wrong money, and wrong orders of those who paid.

use super::*;

/// Prices are 500 cents. Ann paid for 2, with her second card; Dan's 1 was paid and came back; Eve's was released, and captured late.
fn paid() -> Evidence {
    use LedgerEntryKind::{
        Held, PaymentFailed, PaymentStarted, RefundStarted, Refunded, Released, Sold, TermsFrozen,
    };
    let none = |kind| entry(kind, "priced", 0, 0, 0);
    let records = ledger(vec![
        vec![
            entry(TermsFrozen, "priced", 3, 0, 0),
            entry(TermsFrozen, "free", 2, 0, 0),
        ],
        vec![
            entry(Held, "priced", -2, 2, 0),
            none(PaymentStarted),
            entry(Held, "priced", -1, 1, 0),
            none(PaymentStarted),
        ],
        vec![none(PaymentFailed), none(PaymentStarted)],
        vec![
            entry(Sold, "priced", 0, -2, 2),
            entry(Sold, "priced", 0, -1, 1),
        ],
        vec![entry(RefundStarted, "priced", 1, 0, -1), none(Refunded)],
        vec![
            entry(Held, "priced", -1, 1, 0),
            none(PaymentStarted),
            none(PaymentFailed),
            entry(Released, "priced", 1, -1, 0),
            none(RefundStarted),
            none(Refunded),
        ],
    ]);
    let by = |purchase: Purchase, token| Purchase {
        wallet: Wallet {
            at_once: Some(token),
            ..Wallet::EMPTY
        },
        ..purchase
    };
    let ann = purchase("a", (0, 2), OrderState::Held, (2, 0), Cancel::Never);
    let mut ann = by(ann, "pm_test_declined");
    ann.told_paid = true;
    ann.pays.push(Pay {
        token: OK,
        is_open: false,
        refused: None,
    });
    let dan = purchase("d", (0, 1), OrderState::Paid, (4, 1), Cancel::Never);
    let eve = purchase("e", (0, 1), OrderState::Held, (6, 0), Cancel::Done);
    let attempts = |(id, order): (String, Order), attempts| (id, Order { attempts, ..order });
    let orders = HashMap::from([
        attempts(order("a", "ann", (0, 2), OrderState::Paid), 2),
        attempts(order("d", "dan", (0, 1), OrderState::Refunded), 1),
        attempts(order("e", "eve", (0, 1), OrderState::Refunded), 1),
    ]);
    let mut evidence = clean();
    evidence.buyers = vec![
        ("ann".into(), vec![ann]),
        ("dan".into(), vec![by(dan, OK)]),
        ("eve".into(), vec![by(eve, "pm_test_late")]),
    ];
    evidence.records = records;
    evidence.listed = orders.clone();
    evidence.own_lists = Some(own_lists(&orders));
    evidence.orders = orders;
    evidence.sales = HashMap::from([("a".into(), 2), ("d".into(), 1)]);
    evidence.returns = vec![Return {
        order_id: "d".into(),
        restock: true,
        refused: None,
    }];
    let payment = |id: &str, attempt, captures: &[i64], refunds: &[i64]| {
        let payment = Payment {
            currencies: ["EUR".to_owned()].into(),
            captures: captures.to_vec(),
            refunds: refunds.to_vec(),
            ..Payment::default()
        };
        ((id.to_owned(), attempt), payment)
    };
    evidence.payments = Some(BTreeMap::from([
        payment("a", 1, &[], &[]),
        payment("a", 2, &[1000], &[]),
        payment("d", 1, &[500], &[500]),
        payment("e", 1, &[500], &[500]),
    ]));
    for (shown, units) in evidence.drop.items.iter_mut().zip([(1, 0, 2), (2, 0, 0)]) {
        shown.stock = Some(ItemStock {
            available: units.0,
            held: units.1,
            sold: units.2,
            ..Default::default()
        });
    }
    evidence
}

fn judge(change: impl FnOnce(&mut Evidence)) -> Verdict {
    let mut evidence = paid();
    change(&mut evidence);
    Verdict::of_all(&[evidence], None, Some(&Books::default()), true)
}

fn payment<'a>(evidence: &'a mut Evidence, id: &str, attempt: i32) -> &'a mut Payment {
    let payments = evidence.payments.as_mut().unwrap();
    payments.entry((id.to_owned(), attempt)).or_default()
}

#[test]
fn a_paid_rush_is_clean() {
    let verdict = judge(|_| {});
    assert!(verdict.is_clean(), "{verdict:?}");
    let money = verdict.money;
    assert_eq!(money.word(), "equal");
    assert_eq!(
        (money.captured, money.refunded, money.paid),
        (2000, 1000, 1000)
    );
}

#[test]
fn money_that_does_not_match_is_told_with_its_order() {
    type Change = fn(&mut Evidence);
    let wrong: [(&str, &str, Change); 13] = [
        ("a", "a refund of a paid order", |it| {
            payment(it, "a", 2).refunds.push(1000);
        }),
        ("a", "sold, never captured", |it| {
            payment(it, "a", 2).captures.clear();
        }),
        ("a", "sold, unknown to the provider", |it| {
            drop(it.payments.as_mut().unwrap().remove(&("a".into(), 2)));
        }),
        ("a", "a cent less", |it| {
            payment(it, "a", 2).captures[0] -= 1
        }),
        ("a", "captured twice", |it| {
            payment(it, "a", 2).captures.push(1000)
        }),
        ("a", "both cards captured", |it| {
            payment(it, "a", 1).captures.push(1000);
        }),
        ("a", "sold by the card that failed", |it| {
            it.sales.extend([("a".into(), 1)]);
        }),
        ("a", "another currency", |it| {
            payment(it, "a", 2).currencies = ["USD".to_owned()].into();
        }),
        ("d", "a lost refund", |it| {
            payment(it, "d", 1).refunds.clear()
        }),
        ("d", "refunded twice", |it| {
            payment(it, "d", 1).refunds.push(500)
        }),
        ("e", "a late capture is kept", |it| {
            payment(it, "e", 1).refunds.clear()
        }),
        ("e", "refunded, never captured", |it| {
            payment(it, "e", 1).captures.clear()
        }),
        ("x", "a stranger's money", |it| {
            payment(it, "x", 1).captures.push(500)
        }),
    ];
    for (order_id, name, change) in wrong {
        let verdict = judge(change);
        assert_eq!(verdict.money.word(), "NOT EQUAL", "{name}");
        assert!(!verdict.is_clean(), "{name}");
        let told = verdict.money.differences.first().unwrap();
        assert!(
            told.starts_with(&format!("order {order_id}: ")),
            "{name}: {told}"
        );
    }
}

#[test]
fn differences_that_cancel_out_are_told_both() {
    let verdict = judge(|it| {
        payment(it, "a", 2).captures[0] += 500;
        payment(it, "d", 1).captures.clear();
    });
    let (kept, paid) = (
        verdict.money.captured - verdict.money.refunded,
        verdict.money.paid,
    );
    assert_eq!(kept, paid);
    assert!(verdict.money.differences.len() >= 2, "{verdict:?}");
}

#[test]
fn money_is_equal_only_if_it_was_checked() {
    let mut evidence = paid();
    evidence.payments = None;
    let verdict = Verdict::of_all(&[evidence], None, None, true);
    assert_eq!(verdict.money.word(), "not checked");
    assert!(!verdict.is_clean());
    let torn = Books {
        faults: vec!["line 1: not JSON".into()],
        ..Books::default()
    };
    let verdict = Verdict::of_all(&[paid()], None, Some(&torn), true);
    assert!(!verdict.is_clean(), "{verdict:?}");
    let verdict = Verdict::of_all(&[clean()], None, None, false);
    assert!(verdict.is_clean(), "nobody was to pay: {verdict:?}");
}

#[test]
fn what_contradicts_a_buyer_who_paid_is_lost() {
    type Change = fn(&mut Evidence);
    let lost: [(&str, Change); 8] = [
        ("paid, then expired", |it| set(it, "a", OrderState::Expired)),
        ("paid, then cancelled", |it| {
            set(it, "a", OrderState::Cancelled)
        }),
        ("refunded, and nobody asked", |it| it.returns.clear()),
        ("returned, and not refunded", |it| {
            set(it, "d", OrderState::Paid)
        }),
        ("the refund is refused", |it| {
            it.returns[0].refused = Some("ORDER_STATE".into());
        }),
        ("came back, and stays sold", |it| {
            it.returns[0].restock = false
        }),
        ("still open", |it| set(it, "a", OrderState::PaymentUnknown)),
        ("survives its drop", |it| it.fate = Fate::IsCancelled),
    ];
    for (name, change) in lost {
        let verdict = judge(change);
        assert!(
            verdict.lost > 0 && !verdict.is_clean(),
            "{name}: {verdict:?}"
        );
    }
    let asked_once = judge(|it| it.buyers[0].1[0].pays.clear());
    assert_eq!(asked_once.doubled, 1, "{asked_once:?}");
    let waiting = judge(|it| it.buyers[0].1[0].pays[0].is_open = true);
    assert_eq!(waiting.unsettled, 1, "{waiting:?}");
}

fn set(evidence: &mut Evidence, id: &str, state: OrderState) {
    for orders in [&mut evidence.orders, &mut evidence.listed] {
        orders.get_mut(id).unwrap().set_state(state);
    }
    let own = evidence.own_lists.as_mut().unwrap().get_mut(id).unwrap();
    own.1.set_state(state);
}
