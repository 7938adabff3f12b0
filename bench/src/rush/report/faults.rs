//! What was broken, what the servers counted of it, and how long nothing was sold.

use std::time::Duration;

use super::Report;
use crate::rush::{
    meters::{CONFLICTS, Meters, UNKNOWN_APPENDS, UNKNOWN_STATEMENTS},
    options::StoreKind,
};

impl Report<'_> {
    /// Unknown outcomes, and the outage. Nothing where the store is a file and nothing was broken.
    pub(super) fn faults(&mut self, meters: &Meters) {
        let (measured, options) = (self.measured, self.options);
        if options.store == StoreKind::Embedded && measured.fault.is_none() {
            return;
        }
        self.section("Faults", "");
        let note = "appends tried again until settled";
        self.row("unknown outcomes", meters.total(UNKNOWN_APPENDS), note);
        let note = "tries of LWTs on all tables; a killed server's last ones are lost";
        self.row("  of the store", meters.total(UNKNOWN_STATEMENTS), note);
        for (labels, count) in meters.by_labels(UNKNOWN_STATEMENTS) {
            let table = labels.split('"').nth(1).unwrap_or_default();
            self.row(format!("    {table}"), count, "");
        }
        let note = "slots that another writer had";
        self.row("  conflicts", meters.total(CONFLICTS), note);
        let seconds = |span: Duration| format!("{:.1} s", span.as_secs_f64());
        if let Some(fault) = &measured.fault {
            let note = format!("from {} after the opening", seconds(fault.began));
            self.row("fault", seconds(fault.ended - fault.began), note);
            self.row("  orders placed", fault.placed, "meanwhile");
            let note = "meanwhile: UNAVAILABLE or no answer";
            self.row("  calls in vain", fault.unanswered, note);
            let note = "killed, and started again";
            self.row("  servers", fault.restarted, note);
        }
        if let Some(outage) = &measured.outage {
            self.row(
                "longest gap",
                seconds(outage.gap),
                "without a new order, around the fault",
            );
            let after = outage.resumed_after.map_or("never".to_owned(), seconds);
            self.row("sales went on", after, "after the end of the fault");
        }
    }
}
