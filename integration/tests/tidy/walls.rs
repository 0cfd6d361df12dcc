//! Who may name which crate: the walls between the rooms of a service, and around the shared crates.

use super::{allowed::Finding, house::House, reading::is_test};

/// Crates that only some places may name.
struct Wall {
    crates: &'static [&'static str],
    /// Rooms of a service.
    rooms: &'static [&'static str],
    /// Folders outside the services.
    folders: &'static [&'static str],
}

const WALLS: &[Wall] = &[
    Wall {
        crates: &["tonic", "souk_proto", "prost", "prost_types", "tonic_types", "tonic_web"],
        rooms: &["api", "peers", "lib"],
        folders: &["crates/kit/", "crates/testkit/", "services/souk/"],
    },
    Wall { crates: &["sea_orm", "sqlx"], rooms: &["store"], folders: &["crates/db/"] },
    Wall {
        crates: &["gix", "reqwest", "object_store", "aws_lc_rs"],
        rooms: &["outside"],
        folders: &[
            "crates/kit/",
            "crates/objects/",
            "crates/secrets/",
            "crates/db/",
            "crates/testkit/",
            "services/souk/",
        ],
    },
];

/// Rooms that know neither wire, nor table, nor anything outside; beyond the walls above, not these either.
const INNER: &[&str] = &["model", "service", "error"];
const NOT_INNER: &[&str] = &["axum", "hyper", "http"];

/// What a pure model has no use for.
const NOT_MODEL: &[&str] = &["tokio", "tokio_stream", "tokio_util", "futures", "async_trait", "tracing"];

/// Every import through a wall, and every model that waits.
pub(crate) fn imports(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &house.rust {
        // The generator speaks of protos by trade; it ships nothing.
        if is_test(&file.path) || file.path.starts_with("crates/xtask/") {
            continue;
        }
        let reading = &file.reading;
        let room = room(&file.path);
        for root in reading.roots.iter().filter(|root| !root.test) {
            if let Some(why) = refusal(&file.path, room, &root.what) {
                findings.push(Finding::new(
                    "wall",
                    &file.path,
                    format!("line {}: {} {why}", root.line, root.what),
                ));
            }
        }
        if room == Some("model") {
            for wait in reading.waits.iter().filter(|wait| !wait.test) {
                let detail = format!("line {}: a model is pure and waits for nothing", wait.line);
                findings.push(Finding::new("pure-model", &file.path, detail));
            }
        }
    }
    findings
}

/// The room of a service that a file belongs to.
fn room(path: &str) -> Option<&str> {
    let (service, inside) = path.strip_prefix("services/")?.split_once("/src/")?;
    let first = inside.split('/').next().unwrap_or_default();
    (service != "souk").then(|| first.trim_end_matches(".rs"))
}

fn refusal(path: &str, room: Option<&str>, name: &str) -> Option<String> {
    for wall in WALLS.iter().filter(|wall| wall.crates.contains(&name)) {
        let inside = room.is_some_and(|room| wall.rooms.contains(&room));
        if !inside && !wall.folders.iter().any(|folder| path.starts_with(folder)) {
            return Some(format!(
                "belongs to {} and {} only",
                wall.rooms.join(", "),
                wall.folders.join(", ")
            ));
        }
    }
    let room = room?;
    let barred = (INNER.contains(&room) && NOT_INNER.contains(&name))
        || (room == "model" && NOT_MODEL.contains(&name));
    barred.then(|| format!("has no place in {room}"))
}

#[test]
fn the_walls_stand() {
    for (path, name, refused) in [
        ("services/billing/src/service.rs", "tonic", true),
        ("services/billing/src/api/wallet.rs", "tonic", false),
        ("services/billing/src/work.rs", "souk_proto", true),
        ("services/billing/src/store/rows.rs", "sea_orm", false),
        ("services/billing/src/api.rs", "sea_orm", true),
        ("services/billing/src/model/ledger.rs", "tokio", true),
        ("services/billing/src/service.rs", "tokio", false),
        ("services/delivery/src/outside/git.rs", "gix", false),
        ("services/delivery/src/service.rs", "gix", true),
        ("services/souk/src/cli/run.rs", "tonic", false),
        ("services/souk/src/cli/run.rs", "sea_orm", true),
        ("crates/types/src/id.rs", "tonic", true),
        ("crates/kit/src/lib.rs", "sea_orm", true),
    ] {
        assert_eq!(refusal(path, room(path), name).is_some(), refused, "{path} {name}");
    }
}
