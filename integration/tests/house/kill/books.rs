//! Billing's own tables, which no command shows whole: the platform's books too.

use std::path::Path;

use crate::tables;

/// What must be zero.
const ZERO: [(&str, &str); 6] = [
    ("the sum of all entries", "SELECT COALESCE(SUM(amount_micros), 0) FROM entries"),
    (
        "postings that do not balance",
        "SELECT COUNT(*) FROM (SELECT ledger_entry_id FROM entries GROUP BY ledger_entry_id
         HAVING SUM(amount_micros) <> 0) AS unbalanced",
    ),
    ("open reservations", "SELECT COUNT(*) FROM reservations WHERE state = 'OPEN'"),
    ("what is reserved", "SELECT COALESCE(SUM(reserved_micros), 0) FROM wallets"),
    (
        "wallets that are not their lots",
        "SELECT COUNT(*) FROM wallets w WHERE w.available_micros + w.reserved_micros <>
         (SELECT COALESCE(SUM(available_micros + reserved_micros), 0) FROM lots l
          WHERE l.wallet_id = w.wallet_id)",
    ),
    (
        "wallets that are not their entries",
        "SELECT COUNT(*) FROM wallets w WHERE w.available_micros + w.reserved_micros <>
         (SELECT COALESCE(SUM(amount_micros), 0) FROM entries e WHERE e.book = w.wallet_id)",
    ),
];

/// Holds billing's tables to what must be zero.
pub(crate) fn check(data: &Path) {
    let questions: Vec<&str> = ZERO.iter().map(|(_, sql)| *sql).collect();
    for ((what, _), found) in ZERO.iter().zip(tables::numbers(data, "billing", &questions)) {
        assert_eq!(found, 0, "{what}");
    }
    let entries = tables::numbers(data, "billing", &["SELECT COUNT(*) FROM entries"]);
    assert!(entries[0] > 0, "the right file was read");
}
