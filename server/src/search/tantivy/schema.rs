//! The fields of the index. Nothing is stored that is not searched or sorted by: rows are read from the store.

use tantivy::{
    TantivyDocument,
    schema::{FAST, Field, INDEXED, STRING, Schema},
};

use super::super::{Document, Kind};

/// Names of what places are made of.
pub(super) const AT: &str = "at";
pub(super) const ID_HIGH: &str = "id_high";
pub(super) const ID_LOW: &str = "id_low";

/// The fields by their use.
pub(super) struct Fields {
    schema: Schema,
    pub(super) id: Field,
    id_high: Field,
    id_low: Field,
    at: Field,
    pub(super) kind: Field,
    pub(super) creator: Field,
    pub(super) title: Field,
    pub(super) keywords: Field,
    pub(super) text: Field,
    pub(super) tag: Field,
    pub(super) currency: Field,
    pub(super) price: Field,
    pub(super) state: Field,
    pub(super) is_buyable: Field,
}

impl Fields {
    pub(super) fn new() -> Self {
        let mut all = Schema::builder();
        let mut terms = |name| all.add_text_field(name, STRING);
        let (id, kind, creator) = (terms("id"), terms("kind"), terms("creator"));
        // Words come ready made.
        let (title, keywords, text) = (terms("title"), terms("keywords"), terms("text"));
        let (tag, currency, state) = (terms("tag"), terms("currency"), terms("state"));
        Self {
            id_high: all.add_u64_field(ID_HIGH, FAST),
            id_low: all.add_u64_field(ID_LOW, FAST),
            at: all.add_i64_field(AT, FAST),
            price: all.add_i64_field("price", FAST),
            is_buyable: all.add_bool_field("is_buyable", INDEXED),
            schema: all.build(),
            id,
            kind,
            creator,
            title,
            keywords,
            text,
            tag,
            currency,
            state,
        }
    }

    pub(super) fn schema(&self) -> Schema {
        self.schema.clone()
    }

    pub(super) fn document(&self, it: &Document) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        let (high, low) = it.id.as_u64_pair();
        document.add_text(self.id, it.id.to_string());
        document.add_u64(self.id_high, high);
        document.add_u64(self.id_low, low);
        document.add_i64(self.at, it.at.micros());
        document.add_text(self.kind, kind(it.kind));
        document.add_text(self.creator, it.creator_id.to_string());
        let many = [
            (self.title, &it.title),
            (self.keywords, &it.keywords),
            (self.text, &it.text),
            (self.tag, &it.tags),
        ];
        for (field, values) in many {
            for value in values {
                document.add_text(field, value);
            }
        }
        document.add_text(self.currency, it.currency.to_string());
        for price in &it.prices {
            document.add_i64(self.price, *price);
        }
        document.add_text(self.state, it.state);
        document.add_bool(self.is_buyable, it.is_buyable);
        document
    }
}

pub(super) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Product => "product",
        Kind::Drop => "drop",
    }
}
