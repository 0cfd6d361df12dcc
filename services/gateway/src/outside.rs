//! What comes from outside of souk's own words: tokens in the JOSE form.

pub(crate) mod issuer;
