//! Reads the provider's file.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
};

use super::line::Line;

/// Longest line, many times what a fact takes.
const LINE_BYTES_MAX: u64 = 4096;

/// Why the provider's file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system says no.
    #[error("the test provider's file can't be used")]
    Io(#[from] io::Error),
    /// Another process has it open.
    #[error(
        "the test provider's file is in use by another process: each needs a store.data of its own"
    )]
    Locked,
    /// It holds what this provider never wrote. A last line without its end, as a crash leaves it, is no damage.
    #[error("the test provider's file is damaged at line {number}: {problem}")]
    Damaged {
        /// From 1.
        number: u64,
        /// What is wrong.
        problem: String,
    },
}

/// Hands every whole line to `take`, which says what is wrong with it; answers how many bytes the whole lines have.
pub(super) fn read(
    file: &File,
    mut take: impl FnMut(Line) -> Result<(), String>,
) -> Result<u64, FileError> {
    let mut reader = BufReader::new(file);
    let (mut bytes, mut number, mut whole) = (Vec::new(), 0, 0);
    loop {
        bytes.clear();
        let count = (&mut reader)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut bytes)?;
        number += 1;
        let damaged = |problem| FileError::Damaged { number, problem };
        if bytes.last() != Some(&b'\n') {
            // The end, or a line that a crash tore: nobody was answered.
            return if count as u64 == LINE_BYTES_MAX {
                Err(damaged("the line is too long".to_owned()))
            } else {
                Ok(whole)
            };
        }
        let line = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        take(line).map_err(damaged)?;
        whole += count as u64;
    }
}
