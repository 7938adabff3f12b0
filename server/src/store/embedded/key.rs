//! Keys as bytes that sort like what they stand for: partition, then clustering, fixed widths, big-endian, signs flipped.

use std::ops::Bound;

use uuid::Uuid;

use super::rows::{Failure, KeyRange};
use crate::{domain::Timestamp, store::Order};

/// A signed number in byte order.
pub(super) const fn ordered_i64(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

/// Back from [`ordered_i64`].
pub(super) const fn from_ordered_i64(bytes: [u8; 8]) -> i64 {
    i64::from_be_bytes(bytes) ^ i64::MIN
}

/// A signed number in byte order.
pub(super) const fn ordered_i32(number: i32) -> [u8; 4] {
    (number ^ i32::MIN).to_be_bytes()
}

/// Back from [`ordered_i32`].
pub(super) const fn from_ordered_i32(bytes: [u8; 4]) -> i32 {
    i32::from_be_bytes(bytes) ^ i32::MIN
}

/// Takes the next `N` bytes off a stored key or row.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Failure> {
    let (head, tail) = bytes
        .split_first_chunk()
        .ok_or_else(|| Failure::Row("a stored row is cut short".to_owned()))?;
    *bytes = tail;
    Ok(*head)
}

/// A place in a list that is ordered by time, then by id.
pub(super) fn time_and_id(time: Timestamp, id: &[u8; 16]) -> [u8; 24] {
    let mut bytes = [0; 24];
    let (head, tail) = bytes.split_at_mut(8);
    head.copy_from_slice(&ordered_i64(time.micros()));
    tail.copy_from_slice(id);
    bytes
}

/// Takes a time off a stored key or row.
pub(super) fn take_time(bytes: &mut &[u8]) -> Result<Timestamp, Failure> {
    Ok(Timestamp::from_micros(from_ordered_i64(take(bytes)?)))
}

/// Takes an id off a stored key or row.
pub(super) fn take_id(bytes: &mut &[u8]) -> Result<Uuid, Failure> {
    Ok(Uuid::from_bytes(take(bytes)?))
}

/// What is left of a stored key, as text.
pub(super) fn text(bytes: &[u8]) -> Result<String, Failure> {
    let text = str::from_utf8(bytes)
        .map_err(|error| Failure::Row(format!("a stored key is no text: {error}")))?;
    Ok(text.to_owned())
}

/// The keys of `partition` that come after the clustering key `after` in `order`.
pub(super) fn range(partition: &[u8], after: Option<&[u8]>, order: Order) -> KeyRange {
    let edge = after.map(|after| Bound::Excluded([partition, after].concat()));
    let (start, end) = (Bound::Included(partition.to_vec()), end_of(partition));
    match order {
        Order::Ascending => (edge.unwrap_or(start), end),
        Order::Descending => (start, edge.unwrap_or(end)),
    }
}

/// The end of all keys that begin with `partition`.
fn end_of(partition: &[u8]) -> Bound<Vec<u8>> {
    let mut end = partition.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_bytes() {
        let numbers = [i64::MIN, -256, -255, -1, 0, 1, 255, 256, i64::MAX];
        assert!(numbers.map(ordered_i64).is_sorted());
        assert_eq!(numbers.map(ordered_i64).map(from_ordered_i64), numbers);
        let numbers = [i32::MIN, -1, 0, 1, i32::MAX];
        assert!(numbers.map(ordered_i32).is_sorted());
        assert_eq!(numbers.map(ordered_i32).map(from_ordered_i32), numbers);
    }

    #[test]
    fn a_partition_ends_before_the_next() {
        assert_eq!(end_of(&[1, 2]), Bound::Excluded(vec![1, 3]));
        assert_eq!(end_of(&[1, 0xff]), Bound::Excluded(vec![2]));
        assert_eq!(end_of(&[0xff, 0xff]), Bound::Unbounded);
    }
}
