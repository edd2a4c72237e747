//! Interned texts.

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;

/// A text of a [`Texts`]; equal texts have equal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TextId(u32);

impl TextId {
    /// Texts are numbered from 0, in the order in which they were first seen.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Texts, each stored once: a strategy file repeats the same few hundred names
/// thousands of times.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    characters: String,
    /// Where in `characters` each text ends; it begins where the one before
    /// ends.
    ends: Vec<u32>,
    known: HashTable<TextId>,
}

impl Texts {
    /// The number of a text. All texts come from a file of limited size, so
    /// neither their number nor their length can leave the range.
    pub(crate) fn intern(&mut self, text: &str) -> TextId {
        let hash = FxBuildHasher.hash_one(text);
        let known = self.known.find(hash, |&id| self.get(id) == text);
        if let Some(&id) = known {
            return id;
        }
        let id = TextId(self.ends.len() as u32);
        self.characters.push_str(text);
        self.ends.push(self.characters.len() as u32);
        let (characters, ends) = (&self.characters, &self.ends);
        self.known.insert_unique(hash, id, |&id| {
            FxBuildHasher.hash_one(slice(characters, ends, id))
        });
        id
    }

    pub(crate) fn get(&self, id: TextId) -> &str {
        slice(&self.characters, &self.ends, id)
    }

    /// All texts by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|index| self.get(TextId(index as u32)))
    }
}

fn slice<'a>(characters: &'a str, ends: &[u32], id: TextId) -> &'a str {
    let begin = match id.index() {
        0 => 0,
        index => ends[index - 1] as usize,
    };
    &characters[begin..ends[id.index()] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_a_number() {
        let mut texts = Texts::default();
        let (a, empty, b) = (texts.intern("a"), texts.intern(""), texts.intern("b"));
        assert_eq!(texts.intern("a"), a);
        assert_eq!(texts.intern(""), empty);
        assert_eq!([a, empty, b].map(|id| texts.get(id)), ["a", "", "b"]);
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["a", "", "b"]);
    }
}
