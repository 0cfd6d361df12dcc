//! What each method is called with. One case a method: a fresh valid request about things of the stage's
//! org, made for the one who calls, and what shows that the call did what it is for.
//!
//! A new method needs one of two lines in the file of its part:
//! `read("part.Method", |world, by| request, |world, by, request| words that the answer must hold)`
//! `change("part.Method", |world, by| request, |world, done| whether it is so now and was not before)`
//! A repeat gets the first answer, word for word. Where it rightly tells of the thing as it stands by then,
//! `.moving("why", &["field that may differ"], |world, answer| the answer that tells of the thing now)`.

mod billing;
mod catalog;
mod commerce;
mod delivery;
mod fixtures;
mod instances;
mod mesh;
mod models;
mod people;
mod runs;
mod tenancy;

use serde_json::Value;

use crate::world::{Person, Who, World};

/// Who a request is made for.
#[derive(Clone, Debug)]
pub(crate) struct By {
    pub(crate) who: Who,
    /// The person, where it is one.
    pub(crate) person: Person,
}

/// A change that was answered.
pub(crate) struct Done<'a> {
    pub(crate) by: &'a By,
    pub(crate) ask: &'a Value,
    pub(crate) answer: &'a Value,
}

type Make = fn(&mut World, &By) -> Value;

/// What shows that a call did what it is for.
#[derive(Clone, Copy)]
pub(crate) enum Proof {
    /// A read: words that the answer holds.
    Holds(fn(&mut World, &By, &Value) -> Vec<String>),
    /// A change: whether it is so now. The things are fresh, so it was not so before.
    Did(fn(&mut World, &Done<'_>) -> bool),
}

/// What of a repeat's answer is as the thing stands by then, not as it stood at first.
#[derive(Clone, Copy)]
pub(crate) struct Moving {
    /// Why it is.
    pub(crate) why: &'static str,
    /// The fields, as `run.state`.
    pub(crate) fields: &'static [&'static str],
    /// What an answer that names the thing must be while the platform rests.
    pub(crate) now: fn(&mut World, &Value) -> Value,
}

/// One method's case.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) rpc: &'static str,
    pub(crate) make: Make,
    pub(crate) proof: Proof,
    pub(crate) moving: Option<Moving>,
}

impl Case {
    /// The same case, whose repeats tell of these fields as they are by then.
    const fn moving(
        self,
        why: &'static str,
        fields: &'static [&'static str],
        now: fn(&mut World, &Value) -> Value,
    ) -> Self {
        Self { moving: Some(Moving { why, fields, now }), ..self }
    }

    /// Whether it changes something that lasts.
    pub(crate) const fn changes(&self) -> bool {
        matches!(self.proof, Proof::Did(_))
    }
}

const fn read(rpc: &'static str, make: Make, holds: fn(&mut World, &By, &Value) -> Vec<String>) -> Case {
    Case { rpc, make, proof: Proof::Holds(holds), moving: None }
}

const fn change(rpc: &'static str, make: Make, did: fn(&mut World, &Done<'_>) -> bool) -> Case {
    Case { rpc, make, proof: Proof::Did(did), moving: None }
}

/// The words below these keys of the request.
fn words(ask: &Value, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| crate::world::text(ask, key)).collect()
}

/// Every case there is.
pub(crate) fn all() -> Vec<Case> {
    let files = [
        billing::CASES,
        catalog::CASES,
        commerce::CASES,
        delivery::CASES,
        instances::CASES,
        mesh::CASES,
        models::CASES,
        people::CASES,
        runs::CASES,
        tenancy::CASES,
    ];
    files.concat()
}
