//! Amounts as Stripe counts them. It follows ISO 4217 but for the currencies below
//! (<https://docs.stripe.com/currencies#special-cases>).

use crate::domain::Money;

/// The amount in Stripe's unit, or `None` if Stripe can't take it.
pub(super) fn in_stripes_unit(money: Money) -> Option<i64> {
    let minor = money.amount_minor;
    match money.currency.as_str() {
        // No decimals by ISO; Stripe has kept two, always `00`.
        "ISK" | "UGX" => minor.checked_mul(100),
        // Two decimals by ISO, none at Stripe.
        "MGA" => (minor % 100 == 0).then_some(minor / 100),
        // The last of their three decimals must be zero.
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => (minor % 10 == 0).then_some(minor),
        _ => Some(minor),
    }
    .filter(|amount| *amount > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_currencies_are_counted_as_stripe_does() {
        for (code, minor, expected) in [
            ("EUR", 4_999, Some(4_999)),
            ("JPY", 12_000, Some(12_000)),
            ("ISK", 5, Some(500)),
            ("UGX", i64::MAX, None),
            ("MGA", 1_200, Some(12)),
            ("MGA", 1_250, None),
            ("KWD", 5_120, Some(5_120)),
            ("KWD", 5_124, None),
            ("EUR", 0, None),
            ("EUR", -1, None),
        ] {
            let money = Money {
                currency: code.parse().unwrap(),
                amount_minor: minor,
            };
            assert_eq!(in_stripes_unit(money), expected, "{minor} {code}");
        }
    }
}
