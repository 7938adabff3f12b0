//! Pictures of products.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ImageId;

/// The largest picture, in bytes.
pub const IMAGE_BYTES_MAX: i32 = 10 << 20;

/// The longest side of a picture, in pixels: 256 MiB when it is decoded, which phones still do.
pub const IMAGE_SIDE_MAX: i32 = 8_192;

/// A picture that was looked at, and never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The picture's id.
    pub image_id: ImageId,
    /// What it is.
    pub content_type: ImageType,
    /// Width in pixels.
    pub width: i32,
    /// Height in pixels.
    pub height: i32,
    /// Size in bytes.
    pub size_bytes: i32,
}

/// How a picture is written down. The texts are those of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ImageType {
    /// `image/png`.
    #[serde(rename = "image/png")]
    Png,
    /// `image/jpeg`.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// `image/webp`.
    #[serde(rename = "image/webp")]
    Webp,
}

/// The text names no type that pictures may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be image/png, image/jpeg or image/webp")]
pub struct NoImageType;

impl ImageType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::Webp];

    /// As in `Content-Type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }

    /// How names of its files end.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Webp => "webp",
        }
    }

    /// What an upload of this id was declared as; `None` if it is none of ours.
    ///
    /// Stands in the id's last two bits, so that nothing has to be kept of uploads that no product has taken.
    #[must_use]
    pub const fn declared_by(image_id: ImageId) -> Option<Self> {
        match image_id.as_bytes()[15] & 0b11 {
            0 => Some(Self::Png),
            1 => Some(Self::Jpeg),
            2 => Some(Self::Webp),
            _ => None,
        }
    }

    /// The id for an upload that is declared as this.
    #[must_use]
    pub const fn declare(self, id: Uuid) -> ImageId {
        let mut bytes = *id.as_bytes();
        let bits = match self {
            Self::Png => 0,
            Self::Jpeg => 1,
            Self::Webp => 2,
        };
        bytes[15] = bytes[15] & !0b11 | bits;
        ImageId::new(Uuid::from_bytes(bytes))
    }
}

impl FromStr for ImageType {
    type Err = NoImageType;

    fn from_str(text: &str) -> Result<Self, NoImageType> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.as_str() == text).ok_or(NoImageType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_the_declared_type_and_stays_a_uuid_of_its_kind() {
        for content_type in ImageType::ALL {
            for _ in 0..16 {
                let id = Uuid::now_v7();
                let image_id = content_type.declare(id);
                assert_eq!(ImageType::declared_by(image_id), Some(content_type));
                assert_eq!(image_id.uuid().get_version_num(), 7);
                assert_eq!(image_id.as_bytes()[..15], id.as_bytes()[..15]);
            }
            assert_eq!(content_type.as_str().parse(), Ok(content_type));
            let stored = serde_json::to_value(content_type).unwrap();
            assert_eq!(stored, content_type.as_str());
        }
        assert_eq!(ImageType::declared_by(ImageId::new(Uuid::max())), None);
        for bad in ["", "image/gif", "IMAGE/PNG", "image/svg+xml", "png"] {
            assert_eq!(bad.parse::<ImageType>(), Err(NoImageType), "{bad}");
        }
    }
}
