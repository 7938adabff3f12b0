//! A record in the making: as many of the waiting commands as fit, decided and folded, not yet stored.

use std::collections::VecDeque;

use super::{Opening, Queued};
use crate::{
    ledger::{
        codec::{self, EncodedEntry},
        command::Outcome,
        entry::Entry,
        record::{self, Author, BODY_BYTES_MAX, Salts},
        state::{FoldError, Position},
    },
    store::LedgerRecord,
};

/// Room kept for the last command's entries, whatever it is: mostly a reason of 500 characters.
const RESERVE_BYTES: usize = 4 * 1024;
/// And for each item of the drop: a line of the last command, a notice, the record's count.
const RESERVE_BYTES_PER_ITEM: usize = 160;
/// Entries of a record that room is made for at once.
const ENTRIES_EXPECTED: usize = 512;
/// Due entries folded between two looks at the size; an order of 100 lines gives back about 3 KiB.
const DUE_STEP: usize = 4;

/// Entries folded on the state since its mark, and what to answer once they are stored.
pub(super) struct Draft {
    start: Position,
    pub(super) entries: Vec<Entry>,
    encoded: Vec<EncodedEntry>,
    bytes: usize,
    /// So many bytes fill the record: what the last command adds still fits.
    full_at: usize,
    /// Of the first so many waiting commands.
    pub(super) outcomes: Vec<Outcome>,
}

/// Why no record can be drafted. The state has to be rolled back.
pub(super) enum Broken {
    /// What is due can't be folded: the ledger is not understood here.
    Ledger(FoldError),
    /// The command at this place brings entries that the fold refuses: a bug, but of this command alone.
    Command(usize, FoldError),
}

impl From<FoldError> for Broken {
    fn from(error: FoldError) -> Self {
        Self::Ledger(error)
    }
}

impl Draft {
    /// Folds what is due and then commands in their order until the record is full. What is due goes first, so that expired holds
    /// give their units back before anyone is told that there are none.
    pub(super) fn make(opening: &mut Opening, waiting: &VecDeque<Queued>) -> Result<Self, Broken> {
        let state = &mut opening.state;
        let mut at = state.next_position(opening.env.now());
        // Those of the terms: an empty log has none yet.
        let items = opening.terms.items.len();
        let room = (2 * waiting.len()).min(ENTRIES_EXPECTED) + DUE_STEP;
        let mut draft = Self {
            start: at,
            // Growing step by step costs more than deciding. A full record has some hundred entries.
            entries: Vec::with_capacity(room),
            encoded: Vec::with_capacity(room),
            bytes: 0,
            full_at: BODY_BYTES_MAX.saturating_sub(RESERVE_BYTES + items * RESERVE_BYTES_PER_ITEM),
            outcomes: Vec::new(),
        };
        state.begin();
        state.freeze(&opening.terms, &opening.secret, &mut at, &mut draft.entries)?;
        loop {
            let before = draft.entries.len();
            state.advance(&mut at, before + DUE_STEP, &mut draft.entries)?;
            draft.encode_new();
            if draft.entries.len() == before {
                break;
            }
            if draft.is_full() {
                // More may be due; commands come after it.
                return Ok(draft);
            }
        }
        for (at_fault, queued) in waiting.iter().enumerate() {
            let outcome = state
                .execute(&queued.command, &mut at, &mut draft.entries)
                .map_err(|error| Broken::Command(at_fault, error))?;
            draft.outcomes.push(outcome);
            draft.encode_new();
            if draft.is_full() {
                break;
            }
        }
        Ok(draft)
    }

    fn is_full(&self) -> bool {
        self.bytes >= self.full_at
    }

    fn encode_new(&mut self) {
        for entry in self.entries.iter().skip(self.encoded.len()) {
            let encoded = codec::encode(entry);
            // Two tags, three lengths.
            self.bytes += encoded.public.len() + encoded.private.len() + 12;
            self.encoded.push(encoded);
        }
    }

    /// The record of the folded entries, under a batch id that no other bytes will ever have.
    pub(super) fn record(&mut self, opening: &Opening, salts: &Salts) -> LedgerRecord {
        let mut random = [0; 16];
        opening.env.fill_random(&mut random);
        let author = Author {
            writer_id: opening.process_id.uuid(),
            batch_id: uuid::Builder::from_random_bytes(random).into_uuid(),
        };
        let encoded = std::mem::take(&mut self.encoded);
        record::build(
            &opening.state,
            salts,
            author,
            self.start,
            &self.entries,
            encoded,
        )
    }
}
