//! The foreign systems that tenancy acts upon. Only this room knows their wire.

pub(crate) mod notify;
pub(crate) mod smtp;

pub(crate) use notify::{Letter, Notifier};

#[cfg(test)]
pub(crate) mod tests;
