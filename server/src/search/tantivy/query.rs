//! A query in tantivy's terms. What fits is one thing; how well it fits is the score: [`ByPlace`](super::ByPlace) makes the rank of it.

use std::ops::Bound;

use tantivy::{
    Term,
    query::{
        BooleanQuery, ConstScoreQuery, EmptyQuery, FuzzyTermQuery, Occur, Query as Compiled,
        RangeQuery, TermQuery,
    },
    schema::{Field, IndexRecordOption},
};

use super::{
    super::{PriceRange, Query},
    schema::{Fields, kind},
};

/// A shorter word must be there as it is: nearly every document has a word that begins like it.
const PREFIX_CHARS_MIN: usize = 2;

type Part = Box<dyn Compiled>;

impl Fields {
    /// What `it` asks for.
    pub(super) fn query(&self, it: &Query) -> Part {
        let mut filters = vec![term(self.kind, kind(it.kind))];
        if let Some(creator_id) = it.creator_id {
            filters.push(term(self.creator, &creator_id.to_string()));
        }
        filters.extend(it.tag.as_ref().map(|tag| term(self.tag, tag)));
        if let Some(prices) = &it.prices {
            filters.push(term(self.currency, &prices.currency.to_string()));
            filters.push(self.prices(prices));
        }
        if !it.states.is_empty() {
            filters.push(any(it.states.iter().map(|state| term(self.state, state))));
        }
        if it.is_buyable {
            let term = Term::from_field_bool(self.is_buyable, true);
            filters.push(Box::new(TermQuery::new(term, IndexRecordOption::Basic)));
        }
        let Some(words) = &it.words else {
            return scored(all(filters), 1.0);
        };
        if words.is_empty() {
            return Box::new(EmptyQuery);
        }
        let (title, named) = ([self.title], [self.title, self.keywords]);
        let anywhere = [self.title, self.keywords, self.text];
        filters.push(has_all(&anywhere, words));
        Box::new(BooleanQuery::new(vec![
            (Occur::Must, scored(all(filters), 1.0)),
            (Occur::Should, scored(has_all(&named, words), 1.0)),
            (Occur::Should, scored(has_all(&title, words), 1.0)),
        ]))
    }

    fn prices(&self, range: &PriceRange) -> Part {
        let bound = |price| Bound::Included(Term::from_field_i64(self.price, price));
        Box::new(RangeQuery::new(bound(range.from), bound(range.to)))
    }
}

/// Each word is in one of these fields.
fn has_all(fields: &[Field], words: &[String]) -> Part {
    let has = |word: &String| any(fields.iter().map(|field| word_in(*field, word)));
    all(words.iter().map(has).collect())
}

/// The word, or one that begins with it.
fn word_in(field: Field, word: &str) -> Part {
    if word.chars().count() < PREFIX_CHARS_MIN {
        return term(field, word);
    }
    let word = Term::from_field_text(field, word);
    Box::new(FuzzyTermQuery::new_prefix(word, 0, true))
}

fn term(field: Field, text: &str) -> Part {
    let term = Term::from_field_text(field, text);
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

fn all(parts: Vec<Part>) -> Part {
    Box::new(BooleanQuery::intersection(parts))
}

fn any(parts: impl Iterator<Item = Part>) -> Part {
    Box::new(BooleanQuery::union(parts.collect()))
}

fn scored(part: Part, score: f32) -> Part {
    Box::new(ConstScoreQuery::new(part, score))
}
