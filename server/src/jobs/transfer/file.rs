//! The file: JSON lines. First what it is, then the rows as [`TruthRow`] has them, last how many there are of each table and the SHA-256 of
//! all bytes before. Nothing can be cut off or changed without being noticed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _, Seek as _, Write},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Counts;
use crate::{
    domain::Timestamp,
    store::truth::{TruthRow, TruthTable},
};

/// Raise it when a row gets a field, or another meaning: older versions would lose that.
pub const FORMAT: u32 = 3;

/// The longest line; a ledger record takes some 90 KiB.
const LINE_BYTES_MAX: usize = 16 << 20;

/// How the last line begins.
const END: &[u8] = b"{\"end\":";

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system says no.
    #[error("the file can't be read or written")]
    Io(#[from] io::Error),
    /// Something else wrote it.
    #[error("the file is not what `livedrop export` writes")]
    Foreign,
    /// A newer version wrote it.
    #[error(
        "the file was written by a newer version of livedrop (its format is {found}, this version reads {FORMAT}): use that version"
    )]
    Newer {
        /// Its format.
        found: u32,
    },
    /// Its end is missing.
    #[error("the file is cut off after line {lines}: copy it again, or export again")]
    CutOff {
        /// Whole lines that are there.
        lines: u64,
    },
    /// A line is nothing that this program writes.
    #[error("the file is damaged at line {line}: copy it again, or export again")]
    Damaged {
        /// Which, from 1.
        line: u64,
    },
    /// All lines can be read, but they are not what was written.
    #[error(
        "the file was changed: its rows do not fit the checksum at its end; copy it again, or export again"
    )]
    Changed,
    /// A row that must not be in a file, as it could not be read again.
    #[error("the file can't hold the row {key} of {}: it is too large", .table.name())]
    TooLarge {
        /// Of which table.
        table: TruthTable,
        /// Which row.
        key: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    livedrop_export: u32,
    program: String,
    exported_at: String,
}

#[derive(Serialize)]
struct End<'a> {
    end: Sums<'a>,
}

#[derive(Serialize)]
struct Sums<'a> {
    rows: &'a Counts,
    sha256: String,
}

/// Counts and sums up what a file has.
#[derive(Debug)]
struct Tally {
    counts: Counts,
    bytes: Sha256,
}

impl Tally {
    fn new() -> Self {
        Self {
            counts: TruthTable::ALL.map(|table| (table, 0)).into(),
            bytes: Sha256::new(),
        }
    }

    fn count(&mut self, table: TruthTable) {
        *self.counts.entry(table).or_default() += 1;
    }

    /// The only last line that fits.
    fn end(&self) -> io::Result<Vec<u8>> {
        let end = End {
            end: Sums {
                rows: &self.counts,
                sha256: hex::encode(self.bytes.clone().finalize()),
            },
        };
        to_line(&end)
    }
}

fn to_line(content: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(content)?;
    line.push(b'\n');
    Ok(line)
}

/// Writes a file.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    tally: Tally,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// As the system says.
    pub fn new(out: W, exported_at: Timestamp) -> Result<Self, FileError> {
        let mut writer = Self {
            out,
            tally: Tally::new(),
        };
        let head = Head {
            livedrop_export: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            exported_at: exported_at.to_string(),
        };
        writer.line(&to_line(&head)?)?;
        Ok(writer)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// As the system says, or if the row is too large.
    pub fn put(&mut self, row: &TruthRow) -> Result<(), FileError> {
        let line = to_line(row)?;
        if line.len() > LINE_BYTES_MAX {
            return Err(FileError::TooLarge {
                table: row.table(),
                key: row.key(),
            });
        }
        self.line(&line)?;
        self.tally.count(row.table());
        Ok(())
    }

    /// Ends the file, and tells how many rows it has. It is the caller's to have it on disk.
    ///
    /// # Errors
    /// As the system says.
    pub fn finish(mut self) -> Result<Counts, FileError> {
        self.out.write_all(&self.tally.end()?)?;
        self.out.flush()?;
        Ok(self.tally.counts)
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.tally.bytes.update(line);
        self.out.write_all(line)
    }
}

/// Reads a file from its beginning to its end, and believes nothing before it has seen the end.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    tally: Tally,
    /// Whole lines that were read.
    lines: u64,
    line: Vec<u8>,
    is_ended: bool,
}

impl<'f> Reader<BufReader<&'f File>> {
    /// Reads an open file from its beginning.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn of(mut file: &'f File) -> Result<Self, FileError> {
        file.rewind()?;
        Self::new(BufReader::with_capacity(1 << 16, file))
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn new(from: R) -> Result<Self, FileError> {
        let mut reader = Self {
            from,
            tally: Tally::new(),
            lines: 0,
            line: Vec::new(),
            is_ended: false,
        };
        match reader.next_line() {
            Ok(()) => {}
            Err(FileError::CutOff { .. } | FileError::Damaged { .. }) => {
                return Err(FileError::Foreign);
            }
            Err(error) => return Err(error),
        }
        // Whatever else a newer version says in its first line, its format is there.
        let line: serde_json::Value =
            serde_json::from_slice(&reader.line).map_err(|_| FileError::Foreign)?;
        let found = line
            .get("livedrop_export")
            .and_then(serde_json::Value::as_u64);
        let found = found.and_then(|found| u32::try_from(found).ok());
        match found {
            // What an older one lacks has a default.
            Some(1..=FORMAT) => {}
            Some(found) if found > FORMAT => return Err(FileError::Newer { found }),
            Some(_) | None => return Err(FileError::Foreign),
        }
        serde_json::from_value::<Head>(line).map_err(|_| FileError::Damaged { line: 1 })?;
        reader.tally.bytes.update(&reader.line);
        Ok(reader)
    }

    /// The next row; `None` at the end of a file that is whole.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn next_row(&mut self) -> Result<Option<TruthRow>, FileError> {
        if self.is_ended {
            return Ok(None);
        }
        self.next_line()?;
        if self.line.starts_with(END) {
            let is_last = self.from.fill_buf()?.is_empty();
            self.is_ended = is_last && self.line == self.tally.end()?;
            return if self.is_ended {
                Ok(None)
            } else {
                Err(FileError::Changed)
            };
        }
        // The parser's own message would quote what it found.
        let row: TruthRow = serde_json::from_slice(&self.line)
            .map_err(|_| FileError::Damaged { line: self.lines })?;
        self.tally.bytes.update(&self.line);
        self.tally.count(row.table());
        Ok(Some(row))
    }

    /// How much the row takes that was read last.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.line.len()
    }

    /// Rows that were read.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.tally.counts
    }

    fn next_line(&mut self) -> Result<(), FileError> {
        self.line.clear();
        let mut bounded = (&mut self.from).take(LINE_BYTES_MAX as u64);
        bounded.read_until(b'\n', &mut self.line)?;
        let lines = self.lines;
        if self.line.last() == Some(&b'\n') {
            self.lines += 1;
            Ok(())
        } else if self.line.len() >= LINE_BYTES_MAX {
            Err(FileError::Damaged { line: lines + 1 })
        } else {
            Err(FileError::CutOff { lines })
        }
    }
}
