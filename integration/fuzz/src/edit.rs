//! Edits that bend bytes: single bits, pieces cut out, doubled or moved, words of the format put in.

use proptest::{collection::vec, prelude::*, sample::Index};

/// The longest that a bent input gets, in bytes: above every limit of what reads it.
const LONGEST: usize = 6 * 1024 * 1024;

/// One change of some bytes. Places are fractions, so that an edit fits whatever it meets.
#[derive(Clone, Debug)]
pub enum Edit {
    /// One bit the other way.
    Flip(Index, u8),
    /// One byte another.
    Set(Index, u8),
    /// Bytes put in.
    Insert(Index, Vec<u8>),
    /// Bytes taken out: from where, how many.
    Cut(Index, usize),
    /// Bytes again, so many times: from where, how many, how often.
    Repeat(Index, usize, usize),
    /// The end comes here.
    End(Index),
    /// A piece of the other seed put in: where, from where, how many.
    Graft(Index, Index, usize),
}

/// Up to `most` edits, by the words of a format.
pub fn edits(words: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<Edit>> + Send + use<> {
    let at = any::<Index>;
    let word = prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec());
    vec(
        prop_oneof![
            (at(), 0_u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
            (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
            (at(), word).prop_map(|(at, word)| Edit::Insert(at, word)),
            (at(), vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
            (at(), 1_usize..64).prop_map(|(at, count)| Edit::Cut(at, count)),
            (at(), 1_usize..256, prop_oneof![9 => 1_usize..4, 1 => 1_usize..20_000])
                .prop_map(|(at, count, times)| Edit::Repeat(at, count, times)),
            at().prop_map(Edit::End),
            (at(), at(), 1_usize..4096).prop_map(|(at, from, count)| Edit::Graft(at, from, count)),
        ],
        0..=most,
    )
}

/// The seed as the edits leave it; `other` is what pieces are taken of.
#[must_use]
pub fn bend(seed: &[u8], other: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for edit in edits {
        // One place behind the last byte is a place too.
        let place = |at: &Index| at.index(bytes.len() + 1);
        match edit {
            Edit::Flip(at, bit) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Edit::Set(at, new) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = *new;
                }
            }
            Edit::Insert(at, new) => {
                let at = place(at);
                bytes.splice(at..at, new.iter().copied());
            }
            Edit::Cut(at, count) => {
                let at = place(at);
                let end = at.saturating_add(*count).min(bytes.len());
                bytes.drain(at..end);
            }
            Edit::Repeat(at, count, times) => {
                let at = place(at);
                let end = at.saturating_add(*count).min(bytes.len());
                let piece = bytes.get(at..end).unwrap_or_default().repeat(*times);
                bytes.splice(at..at, piece);
            }
            Edit::End(at) => bytes.truncate(place(at)),
            Edit::Graft(at, from, count) => {
                let at = place(at);
                let from = from.index(other.len() + 1);
                let end = from.saturating_add(*count).min(other.len());
                let piece = other.get(from..end).unwrap_or_default().to_vec();
                bytes.splice(at..at, piece);
            }
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #[test]
        fn edits_fit_whatever_they_meet(
            seed in vec(any::<u8>(), 0..20),
            other in vec(any::<u8>(), 0..20),
            edits in edits(&["{", ""], 8),
        ) {
            prop_assert!(bend(&seed, &other, &edits).len() <= LONGEST);
        }

        #[test]
        fn no_edit_bends_nothing(seed in vec(any::<u8>(), 0..20)) {
            prop_assert_eq!(bend(&seed, b"", &[]), seed);
        }
    }
}
