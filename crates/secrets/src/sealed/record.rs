//! All kept versions of one secret, as the one text that its file seals.

use std::{collections::BTreeMap, ops::RangeInclusive};

use zeroize::Zeroizing;

use crate::{KEPT_VERSIONS, Value, Version};

/// A secret: the number of its newest version, and the versions that are kept.
#[derive(Default)]
pub(super) struct Record {
    pub(super) newest: Version,
    kept: BTreeMap<Version, Value>,
}

impl Record {
    /// Adds a version and drops the oldest beyond what is kept; `None` when the numbers are used up.
    pub(super) fn add(&mut self, value: Value) -> Option<Version> {
        self.newest = self.newest.checked_add(1)?;
        self.kept.insert(self.newest, value);
        while self.kept.len() > KEPT_VERSIONS {
            self.kept.pop_first();
        }
        Some(self.newest)
    }

    pub(super) fn get(&self, version: Version) -> Option<&Value> {
        self.kept.get(&version)
    }

    /// Says whether anything was there to destroy.
    pub(super) fn destroy(&mut self, versions: &RangeInclusive<Version>) -> bool {
        let before = self.kept.len();
        self.kept.retain(|version, _| !versions.contains(version));
        self.kept.len() != before
    }

    /// Version, length and text, one after the other.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let length = self.kept.values().map(|value| value.expose().len() + 16).sum();
        let mut out = Zeroizing::new(Vec::with_capacity(length));
        for (version, value) in &self.kept {
            let text = value.expose().as_bytes();
            out.extend_from_slice(&version.to_be_bytes());
            out.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            out.extend_from_slice(text);
        }
        out
    }

    /// `None` when the text is not one that `encode` gave.
    pub(super) fn decode(newest: Version, mut text: &[u8]) -> Option<Self> {
        let mut kept = BTreeMap::new();
        while !text.is_empty() {
            let version = number(&mut text)?;
            let length = usize::try_from(number(&mut text)?).ok()?;
            let (own, rest) = text.split_at_checked(length)?;
            text = rest;
            kept.insert(version, Value::new(std::str::from_utf8(own).ok()?.to_owned()).ok()?);
        }
        Some(Self { newest, kept })
    }
}

/// Takes a number off the front.
pub(super) fn number(text: &mut &[u8]) -> Option<u64> {
    let (own, rest) = text.split_first_chunk::<8>()?;
    *text = rest;
    Some(u64::from_be_bytes(*own))
}
