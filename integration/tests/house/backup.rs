//! A copy of the whole platform while it is at work, and what comes out of it again.

use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::Value;

use crate::{
    harness::{SOUK, Souk},
    shop::{Kind, Line, Shop, post},
    tables,
};

const OFFERING: &str = "support-triage";
/// Looks at the platform before a wait is given up.
const LOOKS: usize = 600;

/// A platform with a shop, whose orders go to the operator's project, and an instance that runs. Its id names it:
/// orders bring more instances of its offering.
fn town() -> (Souk, Shop, String) {
    let souk = Souk::up();
    let project = souk.json(&["workspace"])["projectId"].as_str().unwrap().to_owned();
    let instance = souk.json(&["instances", "activate", OFFERING])["instanceId"].as_str().unwrap().to_owned();
    assert!(souk.cli(&["instances", "watch", &instance, "--until", "ACTIVE"]).ok);
    let shop = Shop::new();
    shop.add(&souk, &project);
    (souk, shop, instance)
}

fn paid(shop: &Shop, souk: &Souk, id: &str) {
    let line = |id: &str, kind| Line { id: id.to_owned(), kind, units: 1 };
    let order = shop.order(id, &[line(&format!("{id}-a"), Kind::Plan), line(&format!("{id}-b"), Kind::Pack)]);
    let delivery = shop.deliver(&order, "order_fully_paid");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(post(&reqwest::Client::new(), &souk.url, &delivery));
}

fn micros(wallet: &Value, key: &str) -> i64 {
    wallet[key].as_i64().unwrap_or_else(|| panic!("{key}: {wallet}"))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Says that it is over when the test is through, also when it fails: those at work beside it end then.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Backs up while runs and orders are going on.
fn backed_up_at_work((souk, shop, instance): (&Souk, &Shop, &str), to: &Path) -> Value {
    let over = &AtomicBool::new(false);
    let runs = || {
        while !over.load(Ordering::SeqCst) {
            souk.cli(&["run", instance, "how are you?"]);
        }
    };
    std::thread::scope(|scope| {
        let _over = Over(over);
        scope.spawn(runs);
        scope.spawn(runs);
        scope.spawn(|| {
            for number in 0.. {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                paid(shop, souk, &format!("order-{number}"));
            }
        });
        for look in 0.. {
            assert!(look < LOOKS, "nothing ran");
            if souk.json(&["runs", "ls"])["runs"].as_array().is_some_and(|runs| runs.len() >= 3) {
                break;
            }
        }
        souk.json(&["backup", "--to", path(to)])
    })
}

#[test]
fn a_backup_taken_at_work_comes_back_as_it_was_at_its_moment() {
    let (mut souk, shop, instance) = town();
    let (dir, tar) = (souk.scratch().join("copy"), souk.scratch().join("copy.tar"));
    let told = backed_up_at_work((&souk, &shop, &instance), &dir);
    let wallets = told["wallets"].as_array().unwrap();
    assert_eq!(wallets.len(), 1, "{told}");
    for wallet in wallets {
        assert_eq!(micros(wallet, "entriesMicros"), micros(wallet, "lotsMicros"), "{wallet}");
    }
    // The platform went on after it: the copy is not of now.
    souk.json(&["run", &instance, "one more"]);
    souk.json(&["backup", "--to", path(&tar)]);
    assert!(souk.terminate());
    if told["postgres"] == true {
        return;
    }
    for from in [&dir, &tar] {
        std::fs::rename(
            souk.data(),
            souk.scratch().join(format!("before-{}", from.file_name().unwrap().display())),
        )
        .unwrap();
        let restored = souk.json(&["restore", "--from", path(from)]);
        if from == &dir {
            assert_eq!(restored["wallets"], told["wallets"]);
        }
        let wallet = &restored["wallets"][0];
        let held = tables::numbers(
            &souk.data(),
            "billing",
            &[
                "SELECT SUM(amount_micros) FROM entries WHERE line = 0",
                "SELECT SUM(reserved_micros) FROM lots",
            ],
        );
        assert_eq!(held, [micros(wallet, "entriesMicros"), micros(wallet, "reservedMicros")]);
        souk.start(&[]);
        let run = souk.json(&["run", &instance, "after the restore"]);
        assert_eq!(run["state"], "STATE_SUCCEEDED", "{run}");
        assert!(souk.terminate());
        let broken = "SELECT COUNT(*) FROM (SELECT 1 FROM entries GROUP BY ledger_entry_id HAVING SUM(amount_micros) <> 0)";
        assert_eq!(tables::numbers(&souk.data(), "billing", &[broken]), [0]);
    }
}

#[test]
fn a_platform_that_is_ended_is_backed_up_by_its_locks() {
    let (mut souk, ..) = town();
    assert!(souk.terminate());
    let to = souk.scratch().join("copy");
    let told = souk.json(&["backup", "--to", path(&to)]);
    assert_eq!(told["wallets"].as_array().unwrap().len(), 1, "{told}");
    let again = souk.cli(&["backup", "--to", path(&to)]);
    assert!(!again.ok && again.err.contains("never written over another"), "{}", again.err);
}

#[test]
fn what_is_odd_is_refused_and_nothing_is_left_of_it() {
    let (souk, ..) = town();
    let copy = souk.scratch().join("copy");
    let told = souk.json(&["backup", "--to", path(&copy)]);
    if told["postgres"] == true {
        return;
    }
    let into = souk.scratch().join("into");
    let restore = || {
        let told =
            Command::new(SOUK).args(["--data", path(&into), "restore", "--from", path(&copy)]).output();
        let told = told.unwrap();
        (told.status.success(), String::from_utf8_lossy(&told.stderr).into_owned())
    };
    let refused = |why: &str| {
        let (restored, said) = restore();
        assert!(!restored && said.contains(why), "{why}: {said}");
        assert!(!into.exists(), "{why}");
    };
    let table = copy.join("billing/billing.db");
    let mut bytes = std::fs::read(&table).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&table, &bytes).unwrap();
    refused("billing/billing.db is not what was backed up");
    bytes[middle] ^= 1;
    std::fs::write(&table, &bytes).unwrap();
    std::fs::write(copy.join("more"), "").unwrap();
    refused("more is not in its manifest");
    std::fs::remove_file(copy.join("more")).unwrap();
    let manifest = std::fs::read_to_string(copy.join("manifest.json")).unwrap();
    std::fs::write(copy.join("manifest.json"), manifest.replacen('1', "2", 1)).unwrap();
    refused("its manifest is not what was written");
    std::fs::write(copy.join("manifest.json"), manifest).unwrap();
    std::fs::rename(copy.join("keyring"), souk.scratch().join("keyring")).unwrap();
    refused("keyring is missing");
    std::fs::rename(souk.scratch().join("keyring"), copy.join("keyring")).unwrap();
    let (restored, said) = restore();
    assert!(restored, "{said}");
    let (over, said) = restore();
    assert!(!over && said.contains("is not empty"), "{said}");
}

#[test]
fn a_disk_that_takes_no_more_leaves_nothing_that_could_pass_for_a_backup() {
    let (souk, _, instance) = town();
    let place = souk.scratch().join("place");
    std::fs::create_dir(&place).unwrap();
    for name in ["copy", "copy.tar"] {
        // No file may grow beyond this: what a full disk says to whoever writes on.
        let told = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 40; exec \"$@\"", "sh", SOUK, "--data", path(&souk.data())])
            .args(["backup", "--to", path(&place.join(name))])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(!told.status.success() && said.contains("nothing was kept of this backup"), "{said}");
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0, "{name}");
    }
    // Writes go on.
    souk.json(&["run", &instance, "still there?"]);
}
