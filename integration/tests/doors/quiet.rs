//! When the platform is at rest: nothing that was begun is still on its way, and every event that means
//! something to somebody was taken. Looked up in the tables, so nobody has to guess how long it takes.

use std::time::Duration;

use crate::{tables::Tables, world::World};

/// How often one looks, and how many times before the test gives up.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: usize = 5_000;

/// What must be zero at rest: what it is, whose table, how it is counted.
const AT_REST: [(&str, &str, &str); 12] = [
    (
        "instances on their way",
        "instances",
        "SELECT COUNT(*) FROM instance WHERE state IN ('REQUESTED', 'PROVISIONING', 'TERMINATING')",
    ),
    ("steps of instances", "instances", "SELECT COUNT(*) FROM instance WHERE deadline_time IS NOT NULL"),
    ("sweeps to make", "instances", "SELECT COUNT(*) FROM sweep"),
    ("commits to make", "delivery", "SELECT COUNT(*) FROM desired WHERE state = 'PENDING'"),
    ("commits to apply", "delivery", "SELECT COUNT(*) FROM desired WHERE applied_revision <> revision"),
    ("commits waited for", "delivery", "SELECT COUNT(*) FROM waiting_request"),
    ("deliveries to read", "commerce", "SELECT COUNT(*) FROM inbox WHERE state = 'RECEIVED'"),
    ("orders to judge", "commerce", "SELECT COUNT(*) FROM shop_order WHERE judge_time IS NOT NULL"),
    ("lines at work", "commerce", "SELECT COUNT(*) FROM order_line WHERE state = 'WORKING'"),
    ("workspaces to make", "tenancy", "SELECT COUNT(*) FROM workspaces WHERE next_attempt_time IS NOT NULL"),
    ("mails to send", "tenancy", "SELECT COUNT(*) FROM mails WHERE next_attempt_time IS NOT NULL"),
    (
        "runs at work",
        "runs",
        "SELECT COUNT(*) FROM run WHERE state IN ('QUEUED', 'RUNNING', 'SETTLING')
         AND NOT (input LIKE 'hang%' AND cancel = '')",
    ),
];

/// What of another part's log means something to whom.
const FOLLOWED: [(&str, &str, &str); 3] = [
    ("instances", "delivery", "'souk.delivery.v1.InstanceApplied'"),
    ("instances", "billing", "'souk.billing.v1.WalletDepleted', 'souk.billing.v1.WalletReplenished'"),
    (
        "instances",
        "catalog",
        "'souk.catalog.v1.OfferingPaused', 'souk.catalog.v1.OfferingResumed',
         'souk.catalog.v1.OfferingEnding', 'souk.catalog.v1.OfferingEnded'",
    ),
];
/// What every part tells the audit trail.
const AUDITED: &str = "'souk.audit.v1.RequestAnswered'";

impl World {
    /// Waits until the platform is at rest.
    pub(crate) fn rest(&self) {
        let mut left = None;
        for _ in 0..LOOKS {
            left = busy(&self.tables);
            if left.is_none() {
                return;
            }
            self.look_away();
        }
        panic!("the platform does not come to rest: {}", left.unwrap());
    }

    /// Waits until there is what one looks for.
    pub(crate) fn wait_for<T>(&self, look: impl Fn(&Self) -> Option<T>) -> T {
        for _ in 0..LOOKS {
            if let Some(found) = look(self) {
                return found;
            }
            self.look_away();
        }
        panic!("what is waited for does not come");
    }

    /// Gives the platform time for its work between two looks.
    pub(crate) fn look_away(&self) {
        let nothing = std::future::pending::<()>();
        self.wire.runtime.block_on(async { tokio::time::timeout(LOOK, nothing).await }).ok();
    }
}

/// What is still on its way, if anything is.
fn busy(tables: &Tables) -> Option<String> {
    for part in crate::tables::PARTS {
        let count = tables.number(part, "SELECT COUNT(*) FROM outbox WHERE position IS NULL");
        if count > 0 {
            return Some(format!("{count} events of {part} to number"));
        }
    }
    for (what, part, question) in AT_REST {
        let count = tables.number(part, question);
        if count > 0 {
            return Some(format!("{count} {what}"));
        }
    }
    let followed = FOLLOWED.iter().find_map(|(who, whom, kinds)| behind(tables, (who, whom), whom, kinds));
    followed.or_else(|| {
        let audit = |part: &&str| behind(tables, ("tenancy", part), &format!("{part}/audit"), AUDITED);
        crate::tables::PARTS.iter().find_map(audit)
    })
}

/// The events of `whom` that `who` has still to take.
fn behind(tables: &Tables, (who, whom): (&str, &str), cursor: &str, kinds: &str) -> Option<String> {
    let question = format!("SELECT position FROM event_cursor WHERE source = '{cursor}'");
    let at = tables.number(who, &question);
    let question = format!("SELECT COUNT(*) FROM outbox WHERE position > {at} AND kind IN ({kinds})");
    let count = tables.number(whom, &question);
    (count > 0).then(|| format!("{count} events of {whom} for {who}"))
}
