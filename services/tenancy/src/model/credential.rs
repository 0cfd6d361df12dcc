//! Credentials of the house: API keys, session secrets, sign-in and invitation codes.
//!
//! A text of three pieces: a prefix that names the kind, 256 random bits in base32, and a checksum of six
//! letters, by which a typo is told from a forgery without asking the database. Only the hash is ever
//! stored: the entropy is whole, so a fast hash suffices.

use sha2::{Digest as _, Sha256};
use souk_types::{Random, Secret};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Letters that hold 256 bits.
const BODY: usize = 52;
/// Letters of the checksum, five bits each.
const SUM: usize = 6;
/// Letters of the body that a hint shows.
const HINT: usize = 4;

/// What a credential is for; one kind never passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An API key.
    ApiKey,
    /// A session's secret, in a cookie.
    SessionSecret,
    /// A sign-in link's code.
    SignInCode,
    /// An invitation's code.
    InvitationCode,
}

impl Kind {
    /// How texts of the kind begin.
    #[must_use]
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "souk_sk_",
            Self::SessionSecret => "souk_ss_",
            Self::SignInCode => "souk_si_",
            Self::InvitationCode => "souk_in_",
        }
    }
}

/// A text is no credential of the kind: mistyped, cut short, or of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a credential of this kind, or mistyped")]
pub(crate) struct Malformed;

/// A well-formed credential. Whether it opens anything is another question.
#[derive(Clone, Debug)]
pub(crate) struct Credential(Secret<String>);

impl Credential {
    /// Makes a new one.
    #[must_use]
    pub(crate) fn mint(kind: Kind, random: &dyn Random) -> Self {
        let mut bytes = [0_u8; 32];
        random.fill(&mut bytes);
        let mut text = kind.prefix().to_owned();
        text.push_str(&letters(&bytes, BODY));
        let sum = checksum(&text);
        text.push_str(&sum);
        Self(Secret::new(text))
    }

    /// Reads one, without asking whether it opens anything.
    ///
    /// # Errors
    /// When it was not minted as it stands.
    pub(crate) fn parse(kind: Kind, text: &str) -> Result<Self, Malformed> {
        let body = text.strip_prefix(kind.prefix()).ok_or(Malformed)?;
        if body.len() != BODY + SUM || !body.bytes().all(|b| ALPHABET.contains(&b)) {
            return Err(Malformed);
        }
        let (head, sum) = text.split_at_checked(text.len().saturating_sub(SUM)).ok_or(Malformed)?;
        if checksum(head) == sum { Ok(Self(Secret::new(text.to_owned()))) } else { Err(Malformed) }
    }

    /// What is stored of it: SHA-256 over the whole text, in hex.
    #[must_use]
    pub(crate) fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.expose().as_bytes()))
    }

    /// The first characters, by which its owner knows it again.
    #[must_use]
    pub(crate) fn hint(&self) -> String {
        let shown = Kind::ApiKey.prefix().len() + HINT;
        self.0.expose().chars().take(shown).collect()
    }

    /// The text, for the one answer that shows it.
    #[must_use]
    pub(crate) fn into_secret(self) -> Secret<String> {
        self.0
    }
}

/// The first `count` letters of the bytes, five bits each, the last one filled up with zeros.
fn letters(bytes: &[u8], count: usize) -> String {
    let bit = |at: usize| {
        let byte = bytes.get(at / 8).copied().unwrap_or(0);
        usize::from((byte >> (7 - at % 8)) & 1)
    };
    let letter = |place: usize| {
        let digit = (0..5).fold(0, |digit, offset| (digit << 1) | bit(place * 5 + offset));
        char::from(ALPHABET.get(digit).copied().unwrap_or(b'0'))
    };
    (0..count).map(letter).collect()
}

fn checksum(head: &str) -> String {
    let mut hash = Sha256::new();
    // Another beginning than that of the stored hash: the checksum tells nothing of what is stored.
    hash.update(b"souk checksum\0");
    hash.update(head.as_bytes());
    letters(&hash.finalize(), SUM)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use souk_testkit::SeededRandom;

    use super::*;

    const KINDS: [Kind; 4] = [Kind::ApiKey, Kind::SessionSecret, Kind::SignInCode, Kind::InvitationCode];

    fn text(kind: Kind, seed: u64) -> String {
        Credential::mint(kind, SeededRandom::new(seed).as_ref()).into_secret().expose().clone()
    }

    #[test]
    fn a_key_reads_back_as_itself_and_as_nothing_else() {
        for kind in KINDS {
            let text = text(kind, 7);
            assert_eq!(text.len(), 8 + BODY + SUM);
            assert!(text.starts_with(kind.prefix()));
            for other in KINDS {
                assert_eq!(Credential::parse(other, &text).is_ok(), other == kind, "{kind:?} {other:?}");
            }
        }
    }

    #[test]
    fn bytes_become_letters_without_loss() {
        assert_eq!(letters(&[0xff; 32], BODY), format!("{}g", "z".repeat(51)));
        assert_eq!(letters(&[0; 32], BODY), "0".repeat(52));
        assert_eq!(letters(&[0b0000_1000, 0b0100_0010], 3), "111");
    }

    #[test]
    fn neither_debug_nor_hint_nor_hash_shows_it() {
        let key = Credential::mint(Kind::ApiKey, SeededRandom::new(3).as_ref());
        let text = key.clone().into_secret().expose().clone();
        assert!(!format!("{key:?}").contains("souk_sk_"));
        assert_eq!((key.hint().len(), text.starts_with(&key.hint())), (12, true));
        assert_eq!(key.hash().len(), 64);
        assert!(!text.contains(&key.hash()));
    }

    #[test]
    fn every_typo_of_one_letter_is_seen() {
        let good = text(Kind::ApiKey, 11);
        for place in 0..good.len() {
            for letter in ALPHABET {
                let mut bent = good.clone().into_bytes();
                bent[place] = *letter;
                let bent = String::from_utf8(bent).unwrap();
                assert_eq!(Credential::parse(Kind::ApiKey, &bent).is_ok(), bent == good, "{place}");
            }
        }
    }

    #[test]
    fn cut_padded_and_foreign_texts_are_refused() {
        let good = text(Kind::ApiKey, 11);
        let upper = good.to_uppercase();
        let cut = good[..good.len() - 1].to_owned();
        for bad in [
            "",
            "souk_sk_",
            "sk_live_1",
            &upper,
            &cut,
            &format!("{good}0"),
            &format!(" {good}"),
            &"é".repeat(33),
        ] {
            assert!(Credential::parse(Kind::ApiKey, bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_was_not_minted_is_refused(text in "(souk_sk_)?.{0,80}", body in "[0-9a-hjkmnp-tv-z]{58}") {
            prop_assert!(Credential::parse(Kind::ApiKey, &text).is_err());
            prop_assert!(Credential::parse(Kind::ApiKey, &["souk_sk_", &body].concat()).is_err());
        }

        #[test]
        fn seeds_give_keys_of_their_own(seeds in proptest::collection::btree_set(any::<u64>(), 2..20)) {
            let keys: BTreeSet<_> = seeds.iter().map(|seed| text(Kind::ApiKey, *seed)).collect();
            prop_assert_eq!(keys.len(), seeds.len());
        }
    }
}
