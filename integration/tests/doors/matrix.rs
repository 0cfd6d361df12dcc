//! Every method × everybody. Who may not is told why by the right code, and nothing is written down. Who may
//! is answered, and what the method is for has happened.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde_json::Value;
use souk_types::PartName;
use tonic::Code;

use crate::{
    cases::{self, By, Case, Done, Proof},
    expected::{self, Line},
    tables::Dump,
    world::{Acting, PEOPLE, Who, World},
};

/// Operator's methods after which some wallet may hold more than before.
const MINT: [&str; 2] = ["billing.AdjustWallet", "commerce.ReplayOrder"];
/// The one method by which a tenant gets credits without buying: the trial, once a person.
const TRIAL: &str = "tenancy.AutoCreateWorkspace";
/// Methods that answer without any credential.
const OPEN: [&str; 4] =
    ["catalog.GetOffering", "catalog.ListCapabilities", "catalog.ListOfferings", "gateway.SignIn"];

/// Everybody there is.
pub(crate) fn everybody() -> Vec<Who> {
    let acting = [Acting::Home, Acting::Away, Acting::Platform];
    let parts = PartName::ALL.iter().flat_map(|part| acting.map(|acting| Who::Part(*part, acting)));
    PEOPLE.into_iter().chain(parts).collect()
}

/// Who a request is made for, newly come where the method is about the caller.
pub(crate) fn by(world: &mut World, who: Who, line: &Line) -> By {
    world.regulars();
    let person = match who {
        Who::Part(..) | Who::Anonymous => Default::default(),
        Who::Operator => world.person(who),
        _ if !line.is_own() => world.person(who),
        Who::Viewer => world.newcomer(Some("ROLE_VIEWER")),
        Who::Member => world.newcomer(Some("ROLE_MEMBER")),
        Who::Admin | Who::Foreign => world.newcomer(None),
    };
    if !matches!(who, Who::Part(..)) {
        world.stand_in(who, person.clone());
    }
    By { who, person }
}

/// Makes a fresh request, on a stage that is home again.
pub(crate) fn make(world: &mut World, case: &Case, by: &By) -> Value {
    world.stage = world.home.clone();
    let ask = (case.make)(world, by);
    world.rest();
    ask
}

struct Cell<'a> {
    case: &'a Case,
    line: &'a Line,
    by: &'a By,
    ask: &'a Value,
}

#[test]
fn everybody_may_what_is_written_down_and_nothing_else() {
    let mut world = World::new();
    let lines = expected::read();
    let cases: BTreeMap<_, _> = cases::all().into_iter().map(|case| (case.rpc, case)).collect();
    complete(&world, &lines, &cases);
    let only = std::env::var_os("DOORS_ONLY").map(|only| only.into_string().unwrap());
    let (mut wrong, mut cells) = (Vec::new(), 0);
    for (rpc, case) in &cases {
        if only.as_ref().is_some_and(|only| !rpc.contains(only.as_str())) {
            continue;
        }
        let line = &lines[*rpc];
        // One case that breaks must not hide the others.
        let tried = catch_unwind(AssertUnwindSafe(|| method(&mut world, case, line, &mut wrong)));
        match tried {
            Ok(count) => cells += count,
            Err(_) => wrong.push(format!("{rpc}: its case broke, see above")),
        }
    }
    println!("{cells} cells of {} methods", cases.len());
    assert!(wrong.is_empty(), "{} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A method without a case or without a line is a gap in the proof.
fn complete(world: &World, lines: &BTreeMap<String, Line>, cases: &BTreeMap<&str, Case>) {
    let methods: BTreeSet<_> = world.wire.methods().into_iter().collect();
    let full = |names: &mut dyn Iterator<Item = &str>| names.map(World::rpc).collect::<BTreeSet<_>>();
    let (known, written) = (full(&mut cases.keys().copied()), full(&mut lines.keys().map(String::as_str)));
    let help = "add a case in integration/tests/doors/cases/ (its first comment says how) and a line in \
                integration/tests/doors/expected.txt";
    assert_eq!(methods.difference(&known).collect::<Vec<_>>(), [""; 0].each_ref(), "without a case; {help}");
    assert_eq!(
        methods.difference(&written).collect::<Vec<_>>(),
        [""; 0].each_ref(),
        "without a line; {help}"
    );
    assert_eq!(known.union(&written).cloned().collect::<BTreeSet<_>>(), methods, "of no method");
    let open = lines.iter().filter(|(_, line)| line.is_open()).map(|(rpc, _)| rpc.as_str());
    assert_eq!(open.collect::<Vec<_>>(), OPEN, "what answers without any credential is listed by name");
}

/// Every cell of one method: first who may not, all with one good request; then, with the same, who may.
/// What people ask and what parts ask can differ, so each kind has its own good request where both may.
fn method(world: &mut World, case: &Case, line: &Line, wrong: &mut Vec<String>) -> usize {
    let is_part = |who: &Who| matches!(who, Who::Part(..));
    let (may, may_not): (Vec<_>, Vec<_>) =
        everybody().into_iter().partition(|who| line.code(*who) == Code::Ok);
    let (parts, people): (Vec<_>, Vec<_>) = may.iter().copied().partition(is_part);
    let (no_parts, no_people): (Vec<_>, Vec<_>) = may_not.iter().copied().partition(is_part);
    for (may, may_not, others) in [(&people, &no_people, &parts), (&parts, &no_parts, &people)] {
        let Some(first) = may.first().or_else(|| others.first()) else { panic!("nobody may {}", case.rpc) };
        let first_by = by(world, *first, line);
        let ask = make(world, case, &first_by);
        denied(world, &Cell { case, line, by: &first_by, ask: &ask }, may_not, wrong);
        if may.is_empty() {
            continue;
        }
        world.rest();
        allowed(world, &Cell { case, line, by: &first_by, ask: &ask }, wrong);
        for who in &may[1..] {
            let by = by(world, *who, line);
            let ask = make(world, case, &by);
            allowed(world, &Cell { case, line, by: &by, ask: &ask }, wrong);
        }
    }
    may.len() + may_not.len()
}

fn denied(world: &mut World, cell: &Cell<'_>, may_not: &[Who], wrong: &mut Vec<String>) {
    let Cell { case, line, ask, .. } = cell;
    let mut before = world.tables.dump();
    for who in may_not {
        let told = match world.call(*who, case.rpc, (*ask).clone()) {
            Ok(_) => Code::Ok,
            Err(no) => no.code,
        };
        let wanted = line.code(*who);
        if told != wanted {
            wrong.push(format!("{} {who:?}: {told:?}, not {wanted:?}", case.rpc));
        }
        let after = world.tables.dump();
        let changed = before.differences(&after);
        if !changed.is_empty() {
            wrong.push(format!("{} {who:?} was told {told:?}, but {}", case.rpc, changed.join("\n    ")));
            world.rest();
            before = world.tables.dump();
        }
    }
    world.rest();
    let changed = before.differences(&world.tables.dump());
    if !changed.is_empty() {
        wrong.push(format!("{}: somebody who may not, but {}", case.rpc, changed.join("\n    ")));
    }
}

fn allowed(world: &mut World, cell: &Cell<'_>, wrong: &mut Vec<String>) {
    let Cell { case, line, by, ask } = cell;
    let wallets = "SELECT COALESCE(SUM(available_micros + reserved_micros), 0) FROM wallets";
    let held = world.tables.number("billing", wallets);
    let before = world.tables.dump();
    let answer = match world.call(by.who, case.rpc, (*ask).clone()) {
        Ok(answer) => answer,
        Err(no) => {
            wrong.push(format!("{} {:?} {ask}: {no:?}", case.rpc, by.who));
            return;
        }
    };
    world.rest();
    let after = world.tables.dump();
    let holds = world.tables.number("billing", wallets);
    let mut say = |text: String| wrong.push(format!("{} {:?}: {text}", case.rpc, by.who));
    if let Some(problem) = minted(case.rpc, by.who, holds - held) {
        say(problem);
    }
    if let Some(problem) = unlike_its_kind(world, cell, &before, &after) {
        say(problem);
    }
    if !line.is_platforms(by.who) {
        let told = answer.to_string();
        for word in world.foreign.iter().filter(|word| told.contains(word.as_str())) {
            say(format!("the answer holds {word} of another org: {told}"));
        }
    }
    match case.proof {
        Proof::Holds(words) => {
            let (words, text) = (words(world, by, ask), answer.to_string());
            if words.is_empty() {
                say("the case names no word that the answer holds".to_owned());
            }
            for word in words.iter().filter(|word| !text.contains(word.as_str())) {
                say(format!("the answer does not name {word}: {text}"));
            }
        }
        Proof::Did(did) => {
            if !did(world, &Done { by, ask, answer: &answer }) {
                say(format!("it was answered, but it did not happen: {ask} {answer}"));
            }
        }
    }
}

/// Credits come from shops and from the operator's named methods; a tenant has the trial, once.
fn minted(rpc: &str, who: Who, grown: i64) -> Option<String> {
    let may = match who {
        Who::Part(..) => true,
        Who::Operator => MINT.contains(&rpc) || rpc == TRIAL,
        _ => rpc == TRIAL,
    };
    (grown > 0 && !may).then(|| format!("wallets hold {grown} more"))
}

/// A read writes nothing, a change something; and a viewer nothing of the org they view.
fn unlike_its_kind(world: &World, cell: &Cell<'_>, before: &Dump, after: &Dump) -> Option<String> {
    let changed = before.differences(after);
    if cell.case.changes() == changed.is_empty() {
        return Some(format!("a change must write something, a read nothing: {}", changed.join("\n    ")));
    }
    let org = &world.home.org;
    if cell.by.who == Who::Viewer && changed.iter().any(|row| row.contains(org.as_str())) {
        return Some(format!("a viewer changed something of the org: {}", changed.join("\n    ")));
    }
    None
}
