//! How messages are put on the wire: protobuf, with buffers of the size that our messages have.

#[cfg(feature = "server")]
mod shared;

use prost::Message;
#[cfg(feature = "server")]
pub use shared::Shared;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// tonic's default takes 8 KiB for each request and each answer; ours have some hundred bytes, and there are thousands at once.
/// Larger messages make their buffer grow.
const BUFFER_BYTES: usize = 1024;
/// tonic's default: a stream is sent on when so much is encoded.
const YIELD_BYTES: usize = 32 * 1024;

/// The codec of the generated clients and servers.
#[derive(Debug)]
pub struct SmallCodec<T, U>(std::marker::PhantomData<(T, U)>);

impl<T, U> Default for SmallCodec<T, U> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<T, U> Codec for SmallCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }
}
