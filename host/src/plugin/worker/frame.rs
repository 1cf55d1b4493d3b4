//! Messages between a gateway and its worker: kind, number, length, and then so many bytes.

use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What a call may say and what may come of it, with room for its envelope.
const MOST: usize = 64 << 20;
const HEAD: usize = 13;
/// What is read at once.
const PIECE: usize = 64 << 10;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To a worker, first: within which bounds.
    Start,
    /// To a worker: a call.
    Call,
    /// To a worker, last: no call comes any more.
    Quiesce,
    /// Of a worker, once: calls may come.
    Ready,
    /// Of a worker, last: why none may.
    Unfit,
    /// Of a worker: a line for the log.
    Line,
    /// Of a worker: what came of a call.
    Answer,
    /// Of a worker: a call of the system that it may not make; its number is in the place of the call's.
    Refused,
}

const KINDS: [Kind; 8] =
    [Kind::Start, Kind::Call, Kind::Quiesce, Kind::Ready, Kind::Unfit, Kind::Line, Kind::Answer, Kind::Refused];

/// A message as it came.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// The call's number; 0 where it is of none.
    pub(super) call: u64,
    pub(super) body: Bytes,
}

/// What is no message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Wrong {
    #[error("it sent what is no message (kind {0})")]
    Kind(u8),
    #[error("it sent a message of {length} bytes where {most} are the most ({kind:?})")]
    Long { kind: Kind, length: u32, most: usize },
}

impl Kind {
    /// The bytes of one at most.
    fn most(self) -> usize {
        match self {
            Self::Call | Self::Answer => MOST,
            Self::Line => 32 << 10,
            Self::Unfit => 4 << 10,
            Self::Start | Self::Ready | Self::Quiesce | Self::Refused => 64,
        }
    }
}

/// A message as it goes; nothing where it is longer than any of its kind may be.
pub(super) fn encoded(kind: Kind, call: u64, body: &impl Serialize) -> Option<Bytes> {
    let mut frame = postcard::to_io(body, bare(kind, call)?.to_vec()).ok()?;
    let length = frame.len() - HEAD;
    let length = u32::try_from(length).ok().filter(|_| length <= kind.most())?;
    frame[9..HEAD].copy_from_slice(&length.to_le_bytes());
    Some(frame.into())
}

/// A message without a body; takes no memory.
pub(super) fn bare(kind: Kind, call: u64) -> Option<[u8; HEAD]> {
    let mut head = [0; HEAD];
    head[0] = KINDS.iter().position(|known| *known == kind).and_then(|number| u8::try_from(number).ok())?;
    head[1..9].copy_from_slice(&call.to_le_bytes());
    Some(head)
}

/// Sends a message, in one piece where the system can.
pub(super) fn write(to: &mut impl Write, kind: Kind, call: u64, body: &impl Serialize) -> io::Result<()> {
    let frame = encoded(kind, call, body).ok_or(io::ErrorKind::FileTooLarge)?;
    to.write_all(&frame)
}

/// The next message; nothing at the end.
pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut head = [0; HEAD];
    match from.read_exact(&mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let (kind, call, length) = begun(&head).map_err(io::Error::other)?;
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some(Frame { kind, call, body: body.into() }))
}

/// As [`read`], for who has other things to do meanwhile: what came stays here.
#[derive(Default)]
pub(super) struct Reader(BytesMut);

impl Reader {
    /// The next message; nothing at the end, which may be in the middle of one.
    pub(super) async fn next(&mut self, from: &mut (impl AsyncRead + Unpin)) -> Result<Option<Frame>, Wrong> {
        loop {
            let missing = match self.whole()? {
                Ok(frame) => return Ok(Some(frame)),
                Err(missing) => missing,
            };
            // Memory is taken as bytes come: a length alone costs nothing.
            self.0.reserve(missing.clamp(4096, PIECE));
            let Ok(1..) = from.read_buf(&mut self.0).await else { return Ok(None) };
        }
    }

    /// The first message, or how many of its bytes are missing at least.
    fn whole(&mut self) -> Result<Result<Frame, usize>, Wrong> {
        let Some((head, rest)) = self.0.split_first_chunk::<HEAD>() else { return Ok(Err(HEAD - self.0.len())) };
        let (kind, call, length) = begun(head)?;
        if rest.len() < length {
            return Ok(Err(length - rest.len()));
        }
        let body = self.0.split_to(HEAD + length).freeze().slice(HEAD..);
        Ok(Ok(Frame { kind, call, body }))
    }
}

/// What the head of a message says.
fn begun(head: &[u8; HEAD]) -> Result<(Kind, u64, usize), Wrong> {
    let [number, c0, c1, c2, c3, c4, c5, c6, c7, l0, l1, l2, l3] = *head;
    let kind = *KINDS.get(usize::from(number)).ok_or(Wrong::Kind(number))?;
    let (call, length) = (u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7]), u32::from_le_bytes([l0, l1, l2, l3]));
    let most = kind.most();
    let long = Wrong::Long { kind, length, most };
    let length = usize::try_from(length).ok().filter(|length| *length <= most).ok_or(long)?;
    Ok((kind, call, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_as_it_went() {
        let mut pipe = Vec::new();
        write(&mut pipe, Kind::Answer, 1 << 40, &"body").unwrap();
        write(&mut pipe, Kind::Quiesce, 0, &()).unwrap();
        let (mut here, mut there) = (&pipe[..], &pipe[..]);
        let mut reader = Reader::default();
        for (kind, call, body) in [(Kind::Answer, 1 << 40, &b"\x04body"[..]), (Kind::Quiesce, 0, b"")] {
            for frame in [read(&mut here).unwrap(), pollster::block_on(reader.next(&mut there)).unwrap()] {
                let frame = frame.unwrap();
                assert_eq!((frame.kind, frame.call, &frame.body[..]), (kind, call, body));
            }
        }
        assert!(read(&mut here).unwrap().is_none());
        assert!(pollster::block_on(reader.next(&mut there)).unwrap().is_none());
    }

    #[test]
    fn what_is_no_message_is_refused_before_it_takes_memory() {
        let head = |kind: u8, length: u32| [&[kind][..], &[0; 8], &length.to_le_bytes()].concat();
        let long = |kind, length, most| Wrong::Long { kind, length, most };
        for (wrong, why) in [
            (head(99, 0), Wrong::Kind(99)),
            (head(6, u32::MAX), long(Kind::Answer, u32::MAX, MOST)),
            (head(5, 64 << 20), long(Kind::Line, 64 << 20, 32 << 10)),
            (head(3, 65), long(Kind::Ready, 65, 64)),
        ] {
            assert!(read(&mut &wrong[..]).is_err(), "{wrong:?}");
            assert_eq!(pollster::block_on(Reader::default().next(&mut &wrong[..])).unwrap_err(), why);
        }
        assert!(encoded(Kind::Call, 0, &vec![0_u8; MOST + 1]).is_none());
        assert!(encoded(Kind::Line, 0, &"x".repeat(64 << 10)).is_none());
    }

    #[test]
    fn a_message_that_breaks_off_is_an_end() {
        let whole = encoded(Kind::Answer, 1, &"body").unwrap();
        for cut in 0..whole.len() {
            assert!(pollster::block_on(Reader::default().next(&mut &whole[..cut])).unwrap().is_none(), "{cut}");
        }
    }
}
