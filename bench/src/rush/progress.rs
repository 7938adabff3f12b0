//! How far a rush is: a bar on a terminal, else a line now and then.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::interval;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows one part of the rush, until the bar is finished or dropped.
pub(crate) fn bar(prefix: &'static str, message: &'static str, length: u64) -> ProgressBar {
    let template = "{prefix:<10} [{elapsed_precise}] {wide_bar} {pos}/{len} {msg}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(length)
        .with_style(style)
        .with_prefix(prefix)
        .with_message(message);
    if bar.is_hidden() {
        let shown = bar.downgrade();
        tokio::spawn(async move {
            let mut ticks = interval(LINE_EVERY);
            loop {
                ticks.tick().await;
                let Some(bar) = shown.upgrade().filter(|bar| !bar.is_finished()) else {
                    break;
                };
                let of = bar.length().filter(|length| *length > 0);
                let count = of.map(|length| format!(" {}/{length}", bar.position()));
                eprintln!(
                    "{prefix:<10} {:>3} s{}  {}",
                    bar.elapsed().as_secs(),
                    count.unwrap_or_default(),
                    bar.message()
                );
            }
        });
    } else {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
    bar
}
