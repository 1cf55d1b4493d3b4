//! Messages between a gateway and its worker: kind, number, length, and then so many bytes.

use std::io::{self, Read, Write};

use tokio::io::{AsyncRead, AsyncReadExt};

/// No message is longer: what a call may give, and room for its envelope.
const MOST: usize = 64 << 20;
const HEAD: usize = 13;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To a worker, first: within which bounds.
    Start,
    /// To a worker: a call.
    Call,
    /// To a worker, last: no call comes any more.
    Quiesce,
    /// Of a worker: calls may come.
    Ready,
    /// Of a worker, last: why none may.
    Unfit,
    /// Of a worker: a line for the log.
    Line,
    /// Of a worker: what came of a call.
    Answer,
}

const KINDS: [Kind; 7] = [Kind::Start, Kind::Call, Kind::Quiesce, Kind::Ready, Kind::Unfit, Kind::Line, Kind::Answer];

/// A message as it came.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// The call's number; 0 where it is of none.
    pub(super) call: u64,
    pub(super) body: Vec<u8>,
}

/// A message as it goes; nothing where it is longer than any may be.
pub(super) fn encoded(kind: Kind, call: u64, body: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= MOST)?;
    let number = KINDS.iter().position(|known| *known == kind).and_then(|number| u8::try_from(number).ok())?;
    let mut frame = Vec::with_capacity(HEAD + body.len());
    frame.push(number);
    frame.extend_from_slice(&call.to_le_bytes());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(body);
    Some(frame)
}

/// Sends a message, in one piece where the system can.
pub(super) fn write(to: &mut impl Write, kind: Kind, call: u64, body: &[u8]) -> io::Result<()> {
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
    let (mut frame, length) = begun(&head)?;
    frame.body.resize(length, 0);
    from.read_exact(&mut frame.body)?;
    Ok(Some(frame))
}

/// As [`read`], for who has other things to do.
pub(super) async fn next(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
    let mut head = [0; HEAD];
    match from.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let (mut frame, length) = begun(&head)?;
    // Memory is taken as bytes come: a length alone costs nothing.
    let taken = from.take(length as u64).read_to_end(&mut frame.body).await?;
    if taken == length { Ok(Some(frame)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A message of which only the head is there, and how long it is.
fn begun(head: &[u8; HEAD]) -> io::Result<(Frame, usize)> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let (kind, rest) = head.split_first().ok_or_else(wrong)?;
    let (call, length) = rest.split_at(8);
    let kind = *KINDS.get(usize::from(*kind)).ok_or_else(wrong)?;
    let call = u64::from_le_bytes(call.try_into().map_err(|_| wrong())?);
    let length = u32::from_le_bytes(length.try_into().map_err(|_| wrong())?);
    let length = usize::try_from(length).ok().filter(|length| *length <= MOST).ok_or_else(wrong)?;
    Ok((Frame { kind, call, body: Vec::new() }, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_as_it_went() {
        let mut pipe = Vec::new();
        write(&mut pipe, Kind::Answer, 1 << 40, b"body").unwrap();
        write(&mut pipe, Kind::Quiesce, 0, b"").unwrap();
        let mut pipe = &pipe[..];
        let first = read(&mut pipe).unwrap().unwrap();
        assert_eq!((first.kind, first.call, &first.body[..]), (Kind::Answer, 1 << 40, &b"body"[..]));
        assert_eq!(read(&mut pipe).unwrap().unwrap().kind, Kind::Quiesce);
        assert!(read(&mut pipe).unwrap().is_none());
    }

    #[test]
    fn what_is_no_message_is_refused_before_it_takes_memory() {
        let head = |kind: u8, length: u32| [&[kind][..], &[0; 8], &length.to_le_bytes()].concat();
        for wrong in [head(99, 0), head(0, u32::MAX), head(0, 1)] {
            assert!(read(&mut &wrong[..]).is_err(), "{wrong:?}");
            assert!(pollster::block_on(next(&mut &wrong[..])).is_err(), "{wrong:?}");
        }
        assert!(encoded(Kind::Call, 0, &vec![0; MOST + 1]).is_none());
    }
}
