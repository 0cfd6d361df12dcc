//! One key and what it seals: AES-256-GCM under a random nonce, bound to where the text stands.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest,
};
use souk_types::Random;
use zeroize::Zeroizing;

/// How long a key is, in bytes.
pub(super) const KEY: usize = 32;
/// How long the name of a root key is, in bytes.
pub(super) const ID: usize = 8;

/// A key of 256 bits; wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key(Zeroizing<[u8; KEY]>);

/// Sealing failed, or what was sealed is not this under this key and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

impl Key {
    pub(super) fn fresh(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0_u8; KEY]);
        random.fill(bytes.as_mut());
        Self(bytes)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        <[u8; KEY]>::try_from(bytes).ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// Names the key without telling it.
    pub(super) fn id(&self) -> [u8; ID] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"souk root key id\0");
        context.update(self.bytes());
        let mut id = [0_u8; ID];
        for (own, byte) in id.iter_mut().zip(context.finish().as_ref()) {
            *own = *byte;
        }
        id
    }

    /// Nonce and sealed text, one after the other.
    pub(super) fn seal(&self, place: &[u8], text: &[u8]) -> Result<Vec<u8>, Refused> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, self.bytes()).map_err(|_| Refused)?;
        let mut sealed = Zeroizing::new(text.to_vec());
        // Room for the tag beforehand: a text that moves leaves a copy behind.
        let mut grown = Zeroizing::new(Vec::with_capacity(sealed.len() + 16));
        grown.append(&mut sealed);
        let nonce = key.seal_in_place_append_tag(Aad::from(place), &mut *grown).map_err(|_| Refused)?;
        let mut out = nonce.as_ref().to_vec();
        out.extend_from_slice(&grown);
        Ok(out)
    }

    pub(super) fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, self.bytes()).map_err(|_| Refused)?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Refused)?;
        let mut text = Zeroizing::new(sealed.to_vec());
        let length = key.open_in_place(nonce, Aad::from(place), &mut text).map_err(|_| Refused)?.len();
        text.truncate(length);
        Ok(text)
    }
}
