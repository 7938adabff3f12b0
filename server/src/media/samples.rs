//! The smallest pictures of each type, for tests: right in all that is looked at, though no decoder would like them.

/// A PNG: its header, no pixels, its end.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], kind, data, &[0; 4]].concat()
    };
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = [&sides[..], &[8, 6, 0, 0, 0]].concat();
    [
        &b"\x89PNG\r\n\x1a\n"[..],
        &chunk(b"IHDR", &header),
        &chunk(b"IEND", b""),
    ]
    .concat()
}

/// A JPEG: a frame's header, its end.
pub(crate) fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let [height, width] = [height, width].map(u16::to_be_bytes);
    let frame = [
        &[0xff, 0xc0, 0, 11, 8][..],
        &height,
        &width,
        &[1, 1, 0x11, 0],
    ]
    .concat();
    let start = [0xff, 0xd8, 0xff, 0xe0, 0, 16];
    let jfif = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
    [&start[..], jfif, &frame, &[0xff, 0xd9]].concat()
}

/// A WebP without loss.
pub(crate) fn webp(width: u32, height: u32) -> Vec<u8> {
    let sides = ((width - 1) | (height - 1) << 14).to_le_bytes();
    let data = [&[0x2f][..], &sides, &[0; 11]].concat();
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let chunk = [&b"VP8L"[..], &length(&data), &data].concat();
    let body = [&b"WEBP"[..], &chunk].concat();
    [&b"RIFF"[..], &length(&body), &body].concat()
}
