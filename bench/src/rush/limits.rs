//! What this process may open.

/// Files that a process has open besides its connections, amply.
const OTHER_FILES: u64 = 64;

/// Tells on stderr if so many connections may not fit. The started server inherits the limit.
pub(crate) fn hint_at_open_files(connections: u16) {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let needed = u64::from(connections) + OTHER_FILES;
    if let Some(limit) = open_files(&limits).filter(|limit| *limit < needed) {
        eprintln!(
            "hint: {connections} connections need about {needed} open files, but `ulimit -n` is {limit}: \
             raise it (`ulimit -n {}`) or use fewer --connections",
            needed.next_power_of_two()
        );
    }
}

/// The soft limit; `None` if there is none.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_first_number() {
        let limits = "Limit            Soft Limit  Hard Limit  Units\n\
                      Max processes    100         200         processes\n\
                      Max open files   1024        524288      files\n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(
            open_files("Max open files   unlimited   unlimited   files"),
            None
        );
    }
}
