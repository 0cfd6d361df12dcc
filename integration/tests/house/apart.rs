//! Every part in a process of its own: killing one takes away what needs it and nothing else, and what was
//! taken away comes back with it.

use std::collections::BTreeSet;

use souk_types::PartName::{self, *};

use crate::harness::{Shape, Souk, Told};

/// Looks before a wait is given up; each is a command of its own.
const LOOKS: usize = 300;

/// What a person does, and the parts that it takes besides the gateway and, for a credential, tenancy.
const DEEDS: &[(&[&str], &[PartName])] = &[
    (&["workspace"], &[Billing]),
    (&["offerings", "ls"], &[Catalog]),
    (&["instances", "ls"], &[Instances]),
    (&["wallet"], &[Billing]),
    (&["ledger"], &[Billing]),
    (&["orders", "ls"], &[Commerce]),
    (&["runs", "ls"], &[Runs]),
    (&["model", "ls"], &[Models]),
    (&["run", "support-triage", "hello"], &[Runs, Instances, Billing, Runner]),
];

fn is_away(told: &Told) -> bool {
    !told.ok && told.out.contains("UNAVAILABLE") || told.err.contains("UNAVAILABLE")
}

fn done(souk: &Souk, deed: &[&str]) -> Told {
    souk.cli(&[deed, &["--json"]].concat())
}

/// Repeats a deed until it ends as wanted.
fn until(souk: &Souk, deed: &[&str], wanted: impl Fn(&Told) -> bool, what: &str) {
    let mut last = String::new();
    for _ in 0..LOOKS {
        let told = done(souk, deed);
        if wanted(&told) {
            return;
        }
        last = format!("{}{}", told.out, told.err);
    }
    panic!("{deed:?} {what}: {last}");
}

#[test]
fn a_part_that_dies_takes_away_what_needs_it_and_comes_back() {
    let mut souk = Souk::shaped(Shape::Apart, &[]);
    let pids: BTreeSet<_> = souk.pids().into_values().collect();
    assert_eq!(pids.len(), PartName::ALL.len(), "a process a part");
    assert!(pids.len() >= 9);
    souk.json(&["workspace"]);
    souk.json(&["instances", "activate", "support-triage"]);
    assert!(souk.cli(&["instances", "watch", "support-triage", "--until", "ACTIVE"]).ok);
    for (deed, _) in DEEDS {
        until(&souk, deed, |told| told.ok, "works while everybody is there");
    }
    for part in PartName::ALL {
        souk.kill_part(*part);
        for (deed, needs) in DEEDS {
            // A credential is believed for a few seconds after it was asked for.
            let needed = *part == Gateway || *part == Tenancy || needs.contains(part);
            if needed {
                until(&souk, deed, |told| !told.ok, &format!("needs {part}"));
                let refused = done(&souk, deed);
                let said = format!("{}{}", refused.out, refused.err);
                assert!(*part == Gateway || is_away(&refused), "{deed:?} without {part}: {said}");
            } else {
                until(&souk, deed, |told| told.ok, &format!("does not need {part}"));
            }
        }
        souk.start(&[]);
        for (deed, _) in DEEDS {
            until(&souk, deed, |told| told.ok, &format!("heals when {part} is back"));
        }
    }
    assert!(souk.terminate(), "a clean end of every process");
}
