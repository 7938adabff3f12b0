//! A message of which many readers get the greater part.

use std::marker::PhantomData;

use prost::{
    DecodeError, Message,
    bytes::{Buf, BufMut, Bytes},
    encoding::{DecodeContext, WireType, skip_field},
};

/// An encoded `T` in two parts: what is one reader's, and what all readers get. On the wire it is a `T` like any other, for the fields of
/// a message may come one after the other from anywhere. It is made to be sent; decoding one gives nothing.
#[derive(Debug, Clone)]
pub struct Shared<T> {
    own: Bytes,
    common: Bytes,
    message: PhantomData<fn() -> T>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self::of(Bytes::new(), Bytes::new())
    }
}

impl<T> Shared<T> {
    /// Puts a message together from two encodings of a `T` that have no field in common.
    pub const fn of(own: Bytes, common: Bytes) -> Self {
        Self {
            own,
            common,
            message: PhantomData,
        }
    }
}

impl<T: Message> From<T> for Shared<T> {
    fn from(message: T) -> Self {
        Self::of(message.encode_to_vec().into(), Bytes::new())
    }
}

impl<T> Message for Shared<T> {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.own);
        buf.put_slice(&self.common);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        skip_field(wire_type, tag, buf, ctx)
    }

    fn encoded_len(&self) -> usize {
        self.own.len() + self.common.len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    #[test]
    fn two_parts_are_one_message_on_the_wire() {
        let own = v1::PlaceOrderLine {
            item_id: "an item".into(),
            quantity: 0,
        };
        let common = v1::PlaceOrderLine {
            item_id: String::new(),
            quantity: 7,
        };
        let shared = Shared::<v1::PlaceOrderLine>::of(
            own.encode_to_vec().into(),
            common.encode_to_vec().into(),
        );
        let whole = v1::PlaceOrderLine { quantity: 7, ..own };
        let sent = shared.encode_to_vec();
        assert_eq!(v1::PlaceOrderLine::decode(&*sent).unwrap(), whole);
        assert_eq!(sent.len(), shared.encoded_len());
        assert_eq!(Shared::from(whole).encode_to_vec(), sent);
    }
}
