//! The adapter against a fake Stripe: the suite of all providers, and what only Stripe does.

mod faults;
mod messages;
mod money;
mod settings;
mod stage;

mod conformance {
    crate::payments_conformance!(super::stage::Stage::start());
}
