//! What bytes are, by their first ones and by whether their end is there. Nothing is decoded: a decoder is where hostile pictures do harm,
//! and whoever shows them has one that browsers keep safe.

use imagesize::ImageType as Found;

use crate::domain::image::{IMAGE_SIDE_MAX, ImageType};

/// Why bytes are not the picture that they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// They are no PNG, JPEG or WebP, or not all of one.
    NoPicture,
    /// They are a picture of another type.
    OtherType(ImageType),
    /// They are a picture of too many pixels, or none.
    Sides {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
}

/// Width and height of a picture that is declared as `declared`.
pub(super) fn look_at(bytes: &[u8], declared: ImageType) -> Result<(i32, i32), Flaw> {
    let found = type_of(bytes).ok_or(Flaw::NoPicture)?;
    if found != declared {
        return Err(Flaw::OtherType(found));
    }
    let size = imagesize::blob_size(bytes).map_err(|_| Flaw::NoPicture)?;
    if !is_whole(bytes, found) {
        return Err(Flaw::NoPicture);
    }
    let (width, height) = (size.width, size.height);
    let side = |pixels: usize| {
        let pixels = i32::try_from(pixels).ok();
        pixels.filter(|pixels| (1..=IMAGE_SIDE_MAX).contains(pixels))
    };
    (side(width).zip(side(height))).ok_or(Flaw::Sides { width, height })
}

fn type_of(bytes: &[u8]) -> Option<ImageType> {
    let found = imagesize::image_type(bytes).ok()?;
    let ours = [
        (Found::Png, ImageType::Png),
        (Found::Jpeg, ImageType::Jpeg),
        (Found::Webp, ImageType::Webp),
    ];
    let same = ours.into_iter().find(|(it, _)| *it == found);
    same.map(|(_, it)| it)
}

/// Whether its end is there. Bytes behind it are no harm: cameras put things there.
fn is_whole(bytes: &[u8], found: ImageType) -> bool {
    match found {
        ImageType::Png => has_last_chunk(bytes).is_some(),
        ImageType::Jpeg => bytes.windows(2).rev().any(|pair| pair == [0xff, 0xd9]),
        ImageType::Webp => {
            // `RIFF`, the length of the rest, the rest.
            let length = bytes.get(4..8).and_then(|it| it.try_into().ok());
            length.is_some_and(|it| u32::from_le_bytes(it) as usize <= bytes.len() - 8)
        }
    }
}

/// Walks a PNG's chunks (length, type, data, checksum) to `IEND`.
fn has_last_chunk(bytes: &[u8]) -> Option<()> {
    let mut rest = bytes.get(8..)?;
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        rest = after.get(length.checked_add(4)?..)?;
        if kind == b"IEND" {
            return Some(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::samples::{jpeg, png, webp};

    #[test]
    fn pictures_are_known_by_their_bytes() {
        let all = [
            (png(3, 2), ImageType::Png),
            (jpeg(3, 2), ImageType::Jpeg),
            (webp(3, 2), ImageType::Webp),
        ];
        for (bytes, content_type) in &all {
            assert_eq!(
                look_at(bytes, *content_type),
                Ok((3, 2)),
                "{content_type:?}"
            );
            for other in ImageType::ALL.iter().filter(|it| *it != content_type) {
                let flaw = Flaw::OtherType(*content_type);
                assert_eq!(look_at(bytes, *other), Err(flaw));
            }
            let behind = [bytes, &b"something behind"[..]].concat();
            assert_eq!(look_at(&behind, *content_type), Ok((3, 2)));
            for end in 0..bytes.len() {
                let cut = look_at(&bytes[..end], *content_type);
                assert_eq!(cut, Err(Flaw::NoPicture), "{content_type:?} cut at {end}");
            }
        }
    }

    #[test]
    fn pixels_are_bounded() {
        assert_eq!(
            look_at(&png(8_192, 8_192), ImageType::Png),
            Ok((8_192, 8_192))
        );
        for (width, height) in [(8_193, 1), (1, 8_193), (0, 1), (1, 0), (u32::MAX, u32::MAX)] {
            let flaw = look_at(&png(width, height), ImageType::Png).unwrap_err();
            let (width, height) = (width as usize, height as usize);
            assert_eq!(flaw, Flaw::Sides { width, height });
        }
    }

    #[test]
    fn what_is_no_picture_is_refused_and_nothing_panics() {
        let html = b"<html><script>alert(1)</script></html>";
        for bytes in [
            &b""[..],
            html,
            b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
            b"\x89PNG\r\n\x1a\n",
        ] {
            assert_eq!(look_at(bytes, ImageType::Png), Err(Flaw::NoPicture));
        }
        // Every byte of each, changed to whatever: an answer, not a panic.
        for (bytes, content_type) in [
            (png(3, 2), ImageType::Png),
            (jpeg(3, 2), ImageType::Jpeg),
            (webp(3, 2), ImageType::Webp),
        ] {
            for at in 0..bytes.len() {
                for byte in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut changed = bytes.clone();
                    changed[at] = byte;
                    let _ = look_at(&changed, content_type);
                }
            }
        }
    }
}
