//! The first bytes of a connection, under a deadline: hyper-util would wait for them for ever.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads until it is clear whether the client speaks HTTP/2, then gives the bytes back to be read again. The caller sets the deadline.
///
/// # Errors
/// As the stream, and if it ends before.
pub(super) async fn sniff<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<Sniffed<S>> {
    let mut first = [0; PREFACE.len()];
    let mut read = 0;
    while let Some(rest) = first.get_mut(read..)
        && !rest.is_empty()
    {
        let count = stream.read(rest).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read += count;
        if first.get(..read) != PREFACE.get(..read) {
            break; // HTTP/1, or garbage that its parser refuses
        }
    }
    Ok(Sniffed {
        stream,
        first,
        read,
        given: 0,
    })
}

/// A stream whose first bytes were looked at.
#[derive(Debug)]
pub(super) struct Sniffed<S> {
    stream: S,
    first: [u8; PREFACE.len()],
    read: usize,
    given: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Sniffed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (given, read) = (self.given, self.read);
        if let Some(left) = self.first.get(given..read)
            && !left.is_empty()
        {
            let count = left.len().min(buffer.remaining());
            buffer.put_slice(left.get(..count).unwrap_or_default());
            self.given += count;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sniffed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    // Not vectored: h2 then copies data of up to 1 KiB behind the head, so that an answer leaves in one system call. Vectored it does so
    // up to 256 bytes only, and what is larger takes two: head with data, then trailers. A call costs more than the copy.
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn bytes_looked_at_are_read_again() {
        for sent in [
            &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nabc"[..],
            b"GET / HTTP/1.1\r\n\r\n",
            b"PRI * HTTP/1.1\r\n",
        ] {
            let mut sniffed = sniff(sent).await.unwrap();
            let mut read = Vec::new();
            sniffed.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, sent);
        }
        let error = sniff(&b"PRI * HT"[..]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn answers_leave_in_one_piece() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(PREFACE).await.unwrap();
        let sniffed = sniff(server).await.unwrap();
        assert!(!sniffed.is_write_vectored(), "h2 would write twice");
    }
}
