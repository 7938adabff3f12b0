//! Pages of a creator's products.

use livedrop_proto::v1;

use super::{
    fields,
    page_token::{opened, page_size},
    seal::{Seal, take},
};
use crate::{
    auth::Keys,
    domain::{AccountId, ProductId, Timestamp, product::ProductStatus},
    service::{Error, product_lists::ProductPlace, violations::Violations},
};

/// Whose products, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListOf {
    /// The creator.
    pub(super) creator_id: AccountId,
    /// Only these.
    pub(super) status: ProductStatus,
}

/// A page of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProductsPage {
    /// Of which list.
    pub(super) list: ListOf,
    /// After which place; `None` = from the newest on.
    pub(super) after: Option<ProductPlace>,
    /// Most products wanted.
    pub(super) size: usize,
}

impl ListOf {
    /// The token that goes on after `place`. It is good for anyone: who may see the list is asked each time.
    pub(super) fn token(self, keys: &Keys, place: ProductPlace) -> String {
        let (created_at, product_id) = place;
        let time = created_at.micros().to_be_bytes();
        let content = [&time[..], product_id.as_bytes()].concat();
        self.seal(keys).seal(&content)
    }

    fn seal(self, keys: &Keys) -> Seal<'_> {
        let purpose = match self.status {
            ProductStatus::Active => "page ListProducts ACTIVE",
            ProductStatus::Archived => "page ListProducts ARCHIVED",
        };
        Seal::new(keys, purpose).of(self.creator_id.as_bytes())
    }
}

/// Reads `ListProducts`.
pub(super) fn read(keys: &Keys, request: &v1::ListProductsRequest) -> Result<ProductsPage, Error> {
    let mut found = Violations::default();
    let creator_id: Option<AccountId> = found.check("creator_id", fields::id(&request.creator_id));
    let status = found.check("status", status(request.status));
    let size = found.check("page_size", page_size(request.page_size));
    let list = creator_id.zip(status);
    let list = list.map(|(creator_id, status)| ListOf { creator_id, status });
    // A token is good for its list: without one there is nothing to hold it against.
    let after = list.and_then(|list| {
        let after = opened(&request.page_token, &list.seal(keys), place);
        found.check("page_token", after)
    });
    let page = (|| {
        Some(ProductsPage {
            list: list?,
            after: after?,
            size: size?,
        })
    })();
    page.ok_or_else(|| found.into())
}

pub(super) fn status(status: i32) -> Result<ProductStatus, &'static str> {
    match v1::ProductStatus::try_from(status) {
        Ok(v1::ProductStatus::Unspecified | v1::ProductStatus::Active) => Ok(ProductStatus::Active),
        Ok(v1::ProductStatus::Archived) => Ok(ProductStatus::Archived),
        Err(_) => Err("must be ACTIVE or ARCHIVED"),
    }
}

fn place(content: &mut &[u8]) -> Option<ProductPlace> {
    let created_at = Timestamp::from_micros(i64::from_be_bytes(take(content)?));
    let product_id = ProductId::from_slice(&take::<16>(content)?).ok()?;
    Some((created_at, product_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_in_its_list_only() {
        let keys = Keys::generate().unwrap();
        let [ann, bob] = [1, 2].map(|number| AccountId::new(uuid::Uuid::from_u128(number)));
        let list = ListOf {
            creator_id: ann,
            status: ProductStatus::Active,
        };
        let product_id = ProductId::new(uuid::Uuid::from_u128(3));
        let place = (Timestamp::from_micros(-5), product_id);
        let page_token = list.token(&keys, place);
        let request = |creator_id: AccountId, status: v1::ProductStatus| v1::ListProductsRequest {
            creator_id: creator_id.to_string(),
            status: status.into(),
            page_size: 500,
            page_token: page_token.clone(),
        };
        for status in [v1::ProductStatus::Unspecified, v1::ProductStatus::Active] {
            let (after, size) = (Some(place), 200);
            let page = read(&keys, &request(ann, status)).unwrap();
            assert_eq!(page, ProductsPage { list, after, size });
        }
        assert!(read(&keys, &request(bob, v1::ProductStatus::Active)).is_err());
        assert!(read(&keys, &request(ann, v1::ProductStatus::Archived)).is_err());
        let others = Keys::generate().unwrap();
        assert!(read(&others, &request(ann, v1::ProductStatus::Active)).is_err());
    }
}
