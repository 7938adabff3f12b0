//! Names of pictures in a folder or bucket.

use object_store::path::Path;

use crate::domain::{AccountId, ImageId, image::ImageType};

/// What was sent, and no product has taken.
pub(super) const UPLOADS: &str = "uploads";
/// What products have taken.
const IMAGES: &str = "images";

/// A picture of a creator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) creator_id: AccountId,
    pub(super) image_id: ImageId,
    pub(super) content_type: ImageType,
}

impl Key {
    pub(super) const fn new(
        creator_id: AccountId,
        image_id: ImageId,
        content_type: ImageType,
    ) -> Self {
        Self {
            creator_id,
            image_id,
            content_type,
        }
    }

    /// Of the type that the id was declared as; `None` if it is none of ours.
    pub(super) fn declared(creator_id: AccountId, image_id: ImageId) -> Option<Self> {
        let content_type = ImageType::declared_by(image_id)?;
        Some(Self::new(creator_id, image_id, content_type))
    }

    /// Reads the last two parts of a URL. Only ids pass, so no part of a URL becomes part of a path.
    pub(super) fn read(creator: &str, file: &str) -> Option<Self> {
        let (image, extension) = file.split_once('.')?;
        let key = Self::declared(creator.parse().ok()?, image.parse().ok()?)?;
        (key.content_type.extension() == extension).then_some(key)
    }

    /// Where it is sent.
    pub(super) fn upload(&self) -> Path {
        self.within(UPLOADS)
    }

    /// Where it stays.
    pub(super) fn image(&self) -> Path {
        self.within(IMAGES)
    }

    fn within(&self, folder: &str) -> Path {
        let extension = self.content_type.extension();
        Path::from_iter([
            folder.to_owned(),
            self.creator_id.to_string(),
            format!("{}.{extension}", self.image_id),
        ])
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_names_of_ours_are_read() {
        let creator_id = AccountId::new(Uuid::now_v7());
        for content_type in ImageType::ALL {
            let image_id = content_type.declare(Uuid::now_v7());
            let key = Key::new(creator_id, image_id, content_type);
            let path = key.image();
            let parts: Vec<_> = path.parts().map(|it| it.as_ref().to_owned()).collect();
            let [folder, creator, file] = &parts[..] else {
                panic!("{path}");
            };
            assert_eq!(folder, "images");
            assert_eq!(Key::read(creator, file), Some(key));
            assert!(
                key.upload()
                    .to_string()
                    .ends_with(&format!("/{creator}/{file}"))
            );
            let stem = image_id.to_string();
            for (creator, file) in [
                (creator.as_str(), "../keys.toml"),
                (creator, stem.as_str()),
                (creator, &format!("{stem}.gif")),
                (creator, &format!("{stem}.png.html")),
                (creator, &format!("{stem}.png#1")),
                ("..", file),
                (".", file),
                ("", file),
            ] {
                assert_eq!(Key::read(creator, file), None, "{creator}/{file}");
            }
        }
    }
}
