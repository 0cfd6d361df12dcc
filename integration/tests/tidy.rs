//! The house rules that a compiler does not keep: sizes, names, import walls, words.
//!
//! Each test gathers every finding before it fails. A finding that must be borne for a while stands in
//! `tidy-allowed.txt` as `rule subject`; an entry that is no longer needed fails too, so the list only
//! shrinks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it measured"
)]

mod tidy {
    pub(crate) mod allowed;
    pub(crate) mod budget;
    pub(crate) mod house;
    pub(crate) mod reading;
    pub(crate) mod size;
    pub(crate) mod walls;
    pub(crate) mod words;
    pub(crate) mod workspace;
}

use tidy::{allowed, budget, house::house, size, walls, words, workspace};

#[test]
fn files_and_functions_are_short() {
    allowed::settle(&["file-length", "function-length"], size::lengths(house()));
}

#[test]
fn files_are_named_and_opened_properly() {
    allowed::settle(&["file-name", "module-doc"], size::names(house()));
}

#[test]
fn allowances_are_expectations() {
    allowed::settle(&["allow"], size::allowances(house()));
}

#[test]
fn rooms_keep_their_walls() {
    allowed::settle(&["wall", "pure-model"], walls::imports(house()));
}

#[test]
fn crates_keep_their_walls() {
    allowed::settle(&["lints", "dependency", "chain"], workspace::findings(house()));
}

#[test]
fn crates_stay_within_their_budgets() {
    allowed::settle(&["budget"], budget::findings(house()));
}

#[test]
fn no_machine_paths_are_committed() {
    allowed::settle(&["machine-path"], words::machine_paths(house()));
}

#[test]
fn log_messages_are_lower_case_and_bare() {
    allowed::settle(&["log-message"], words::log_messages(house()));
}

#[test]
fn tests_do_not_sleep() {
    allowed::settle(&["sleep"], words::sleeps(house()));
}

#[test]
fn the_list_of_exceptions_names_known_rules() {
    allowed::check_rules();
}
