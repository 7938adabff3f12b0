//! The order of what is found, as tantivy sorts: by [`Place`], and what stands before a given one comes last, as `None`.

use tantivy::{
    DocId, Score, SegmentReader,
    collector::{SegmentSortKeyComputer, SortKeyComputer, sort_key::NaturalComparator},
    columnar::Column,
};
use uuid::Uuid;

use super::{
    super::Place,
    schema::{AT, ID_HIGH, ID_LOW},
};
use crate::domain::Timestamp;

/// Greatest first, of those that are less than `after`.
pub(super) struct ByPlace {
    pub(super) after: Option<Place>,
}

/// The same in one segment of the index.
pub(super) struct InSegment {
    after: Option<Place>,
    at: Column<i64>,
    id_high: Column<u64>,
    id_low: Column<u64>,
}

impl SortKeyComputer for ByPlace {
    type SortKey = Option<Place>;
    type Child = InSegment;
    type Comparator = NaturalComparator;

    fn requires_scoring(&self) -> bool {
        true
    }

    fn segment_sort_key_computer(&self, segment: &SegmentReader) -> tantivy::Result<InSegment> {
        let columns = segment.fast_fields();
        Ok(InSegment {
            after: self.after,
            at: columns.i64(AT)?,
            id_high: columns.u64(ID_HIGH)?,
            id_low: columns.u64(ID_LOW)?,
        })
    }
}

impl SegmentSortKeyComputer for InSegment {
    type SortKey = Option<Place>;
    type SegmentSortKey = Option<Place>;
    type SegmentComparator = NaturalComparator;

    fn segment_sort_key(&mut self, doc: DocId, score: Score) -> Option<Place> {
        let id = Uuid::from_u64_pair(self.id_high.first(doc)?, self.id_low.first(doc)?);
        let place = Place {
            // One for each part of the query that fits.
            rank: score.round() as u8,
            at: Timestamp::from_micros(self.at.first(doc)?),
            id,
        };
        self.after
            .is_none_or(|after| place < after)
            .then_some(place)
    }

    fn convert_segment_sort_key(&self, place: Option<Place>) -> Option<Place> {
        place
    }
}
