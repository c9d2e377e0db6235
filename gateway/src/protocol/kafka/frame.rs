//! Frames: an `i32` size, big endian, that excludes itself, then that many bytes.

/// Largest frame after login, bytes without the size prefix: the default of the broker's
/// `socket.request.max.bytes`. A TLS hello or an HTTP request line read as a size is larger.
pub const FRAME_BYTES_MAX: usize = 104_857_600;

/// Largest frame before login, bytes without the size prefix: the default of the broker's
/// `sasl.server.max.receive.size`.
pub const LOGIN_FRAME_BYTES_MAX: usize = 524_288;

/// Bytes of the size prefix.
pub const PREFIX_BYTES: usize = 4;

/// Smallest request, bytes without the size prefix: key, version and correlation id.
pub const REQUEST_BYTES_MIN: usize = 8;

/// Smallest response, bytes without the size prefix: the correlation id.
pub const RESPONSE_BYTES_MIN: usize = 4;

/// What the front of a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// The frame is not whole yet.
    NeedMore {
        /// Bytes that the frame has in all, prefix included, once its size is known; checked against the
        /// limit, yet only a claim: allocate for bytes that have come.
        frame_bytes: Option<usize>,
    },
    /// The first `bytes` bytes of the buffer are a frame, prefix included.
    Frame {
        /// Length of the frame, prefix included.
        bytes: usize,
    },
}

/// A size that no frame can have: the connection is closed, as a broker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The size is negative.
    #[error("frame size {claimed_bytes} is negative")]
    Negative {
        /// The size as sent.
        claimed_bytes: i32,
    },
    /// The size is above the limit.
    #[error("frame size {claimed_bytes} is above {frame_bytes_max}")]
    TooLarge {
        /// The size as sent.
        claimed_bytes: i32,
        /// The limit.
        frame_bytes_max: usize,
    },
    /// The size leaves no room for a header.
    #[error("frame size {claimed_bytes} is below {frame_bytes_min}")]
    TooSmall {
        /// The size as sent.
        claimed_bytes: i32,
        /// Bytes of the smallest header.
        frame_bytes_min: usize,
    },
}

/// Finds the frame at the front of `buffer`. The size is judged on its four bytes, before any other byte is waited
/// for. `frame_bytes_min` is [`REQUEST_BYTES_MIN`], [`RESPONSE_BYTES_MIN`], or 0 for a raw SASL token.
///
/// # Errors
///
/// When the size is negative, above `frame_bytes_max`, or below `frame_bytes_min`.
pub fn framed(buffer: &[u8], frame_bytes_min: usize, frame_bytes_max: usize) -> Result<Framed, FrameError> {
    let Some(&prefix) = buffer.first_chunk() else {
        return Ok(Framed::NeedMore { frame_bytes: None });
    };
    let claimed_bytes = i32::from_be_bytes(prefix);
    let size = usize::try_from(claimed_bytes).map_err(|_| FrameError::Negative { claimed_bytes })?;
    if size > frame_bytes_max {
        return Err(FrameError::TooLarge { claimed_bytes, frame_bytes_max });
    }
    if size < frame_bytes_min {
        return Err(FrameError::TooSmall { claimed_bytes, frame_bytes_min });
    }
    let bytes = PREFIX_BYTES + size;
    if buffer.len() < bytes {
        return Ok(Framed::NeedMore { frame_bytes: Some(bytes) });
    }
    Ok(Framed::Frame { bytes })
}

/// Correlation id of a response frame, prefix included; `None` when the frame is shorter than one.
pub fn response_correlation_id(frame: &[u8]) -> Option<i32> {
    frame.get(PREFIX_BYTES..)?.first_chunk().copied().map(i32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_judged_on_the_prefix_alone() {
        let table: [(&str, &[u8], Result<Framed, FrameError>); 9] = [
            ("nothing yet", &[], Ok(Framed::NeedMore { frame_bytes: None })),
            ("three bytes", &[0, 0, 0], Ok(Framed::NeedMore { frame_bytes: None })),
            ("size only", &[0, 0, 0, 8], Ok(Framed::NeedMore { frame_bytes: Some(12) })),
            ("whole", &[0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 9], Ok(Framed::Frame { bytes: 12 })),
            ("negative", &[0xff; 4], Err(FrameError::Negative { claimed_bytes: -1 })),
            (
                "below a header",
                &[0, 0, 0, 7],
                Err(FrameError::TooSmall { claimed_bytes: 7, frame_bytes_min: 8 }),
            ),
            (
                "one above the limit",
                &[0, 0, 0, 101],
                Err(FrameError::TooLarge { claimed_bytes: 101, frame_bytes_max: 100 }),
            ),
            (
                "TLS hello",
                &[0x16, 3, 1, 2],
                Err(FrameError::TooLarge { claimed_bytes: 0x1603_0102, frame_bytes_max: 100 }),
            ),
            (
                "HTTP request",
                b"GET ",
                Err(FrameError::TooLarge { claimed_bytes: 0x4745_5420, frame_bytes_max: 100 }),
            ),
        ];
        for (name, buffer, expected) in table {
            assert_eq!(framed(buffer, REQUEST_BYTES_MIN, 100), expected, "{name}");
        }
    }

    #[test]
    fn every_strict_prefix_waits() {
        let whole = [0, 0, 0, 10, 0, 3, 0, 9, 0, 0, 0, 1, 0, 0];
        for end in 0..whole.len() {
            let found = framed(&whole[..end], REQUEST_BYTES_MIN, FRAME_BYTES_MAX);
            assert!(matches!(found, Ok(Framed::NeedMore { .. })), "{end}");
        }
        assert_eq!(framed(&whole, REQUEST_BYTES_MIN, FRAME_BYTES_MAX), Ok(Framed::Frame { bytes: 14 }));
    }
}
