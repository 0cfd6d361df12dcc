//! The nouns of the runs and how they change: a run, its events, what it used, what its instance may do.
//!
//! Pure: no I/O, no clock, nothing of the wire or the tables. Time is handed in.

mod entitlements;
mod prices;
mod run;
mod transition;
mod usage;

pub(crate) use self::{
    entitlements::{Entitlements, InstanceState, Limits, NotServing},
    prices::{Meter, Need, Price, Prices},
    run::{
        Bill, Cancel, CancelRun, CreateRun, Delta, Error, Event, Happening, Origin, Output, Run, State, What,
    },
    transition::{Illegal, Next, Progress},
    usage::Usage,
};
