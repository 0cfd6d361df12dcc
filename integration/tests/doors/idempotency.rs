//! A command takes effect once: repeated, eight at a time, across a kill. The cases are the matrix's; what a
//! repeat does is what the method's rule says (`replay`), so a method cannot be left out.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde_json::{Value, json};
use souk_proto::{Replay, rule};
use tonic::Code;

use crate::{
    cases::{self, By, Case},
    expected::{self, Line},
    matrix::{by, everybody, make},
    wire::{Answer, No, Port, Sent},
    world::{Home, Who, World},
};

/// Copies of one command that are sent at once.
const COPIES: usize = 8;
/// How often a copy that was told to wait is sent again before the test gives up.
const AGAIN: usize = 200;
/// What is no request id.
const MALFORMED: [&str; 3] = ["", "line\nfeed", "\u{fc}mlaut"];

/// Tables of counters: what counts there adds a row or raises one.
const COUNTERS: [&str; 1] = ["tenancy/trial_days"];

/// One method under test.
struct Turn<'a> {
    case: &'a Case,
    line: &'a Line,
    replay: Replay,
    wrong: &'a mut Vec<String>,
}

/// A command that was answered, to be sent again later.
struct Sown {
    case: Case,
    replay: Replay,
    who: Who,
    stage: Home,
    port: Port,
    sent: Sent,
    answer: Value,
}

#[test]
fn a_command_takes_effect_once() {
    let mut world = World::new();
    let lines = expected::read();
    let cases = cases::all();
    let mut wrong = Vec::new();
    let mut sown = Vec::new();
    let mut methods = 0;
    let only = std::env::var_os("DOORS_ONLY").map(|only| only.into_string().unwrap());
    for case in &cases {
        let rpc = World::rpc(case.rpc);
        let rule = rule(&format!("/{rpc}")).unwrap();
        let durable = !matches!(rule.replay, Replay::Read) && case.changes();
        let reads = matches!(rule.replay, Replay::Read | Replay::Once) && !case.changes();
        assert!(durable || reads, "{rpc}: the case and the rule do not agree whether it changes something");
        if reads || only.as_ref().is_some_and(|only| !rpc.contains(only.as_str())) {
            continue;
        }
        methods += 1;
        let mut turn = Turn { case, line: &lines[case.rpc], replay: rule.replay, wrong: &mut wrong };
        match catch_unwind(AssertUnwindSafe(|| turn.whole(&mut world))) {
            Ok(more) => sown.extend(more),
            Err(_) => wrong.push(format!("{rpc}: its case broke, see above")),
        }
    }
    across_a_kill(&mut world, &sown, &mut wrong);
    println!("{methods} commands, {} of them again after a kill", sown.len());
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The caller to whom the method is natural: an admin, else the operator, else a part.
fn natural(line: &Line) -> Who {
    let all = everybody();
    let may = |who: &Who| line.code(*who) == Code::Ok;
    [Who::Admin, Who::Operator].into_iter().find(may).or_else(|| all.into_iter().find(may)).unwrap()
}

/// Another command of the same caller in the same org: mostly the same about another thing.
fn other(world: &mut World, case: &Case, by: &By, ask: &Value) -> Option<Value> {
    match case.rpc {
        // The org is the whole command, and the space of its request ids.
        "billing.OpenWallet" => None,
        "billing.SetWalletState" => {
            let mut other = ask.clone();
            other["state"] = json!("WALLET_STATE_ACTIVE");
            Some(other)
        }
        _ => Some(make(world, case, by)),
    }
}

fn with_id(ask: &Value, id: &str) -> Value {
    let mut ask = ask.clone();
    ask["requestId"] = json!(id);
    ask
}

impl Turn<'_> {
    fn say(&mut self, text: &str) {
        self.wrong.push(format!("{}: {text}", self.case.rpc));
    }

    fn whole(&mut self, world: &mut World) -> Option<Sown> {
        let who = natural(self.line);
        if matches!(self.replay, Replay::Once) {
            self.once(world, who);
            return None;
        }
        self.malformed(world, who);
        let alone = self.repeated(world, who);
        self.in_parallel(world, who, &alone);
        let by = by(world, who, self.line);
        let ask = make(world, self.case, &by);
        let (port, sent) = world.sent(who, self.case.rpc, ask);
        let answer = world.wire.call(port, &sent).unwrap();
        let stage = world.stage.clone();
        Some(Sown { case: *self.case, replay: self.replay, who, stage, port, sent, answer })
    }

    /// A code opens once, whoever sends it again.
    fn once(&mut self, world: &mut World, who: Who) {
        let by = by(world, who, self.line);
        let ask = make(world, self.case, &by);
        let (port, sent) = world.sent(who, self.case.rpc, ask);
        let answers = world.wire.at_once(port, &sent, COPIES);
        let opened = answers.iter().filter(|answer| answer.is_ok()).count();
        if opened != 1 {
            self.say(&format!("of {COPIES} at once {opened} were answered"));
        }
        world.rest();
        let before = world.tables.dump();
        if world.wire.call(port, &sent).is_ok() {
            self.say("it was answered again");
        }
        self.nothing_since(world, &before, "sent again");
    }

    fn nothing_since(&mut self, world: &mut World, before: &crate::tables::Dump, what: &str) {
        world.rest();
        let changed = before.differences(&world.tables.dump());
        if !changed.is_empty() {
            self.say(&format!("{what}, something was written: {}", changed.join("\n    ")));
        }
    }

    fn malformed(&mut self, world: &mut World, who: Who) {
        let by = by(world, who, self.line);
        let ask = make(world, self.case, &by);
        let before = world.tables.dump();
        let long = "x".repeat(256);
        for id in MALFORMED.into_iter().chain([long.as_str()]) {
            match world.call(who, self.case.rpc, with_id(&ask, id)) {
                Err(no) if no.reason == "REQUEST_ID_REQUIRED" && no.code == Code::InvalidArgument => {}
                other => self.say(&format!("request id {id:?}: {other:?}")),
            }
        }
        self.nothing_since(world, &before, "without a request id");
    }

    /// Sends a command, the same again, and another under its id. Gives how many rows it added where.
    fn repeated(&mut self, world: &mut World, who: Who) -> BTreeMap<String, i64> {
        let by = by(world, who, self.line);
        let ask = make(world, self.case, &by);
        let id = world.fresh("twice");
        let (port, sent) = world.sent(who, self.case.rpc, with_id(&ask, &id));
        let start = world.tables.dump();
        let first = world.wire.call(port, &sent).unwrap_or_else(|no| panic!("{}: {no:?}", sent.rpc));
        world.rest();
        let before = world.tables.dump();
        let again = world.wire.call(port, &sent);
        if let Some(problem) =
            unlike(self.case, self.replay, &first, &again).or_else(|| elsewhere(world, self.case, &again))
        {
            self.say(&problem);
        }
        self.nothing_since(world, &before, "repeated");
        let stage = world.stage.clone();
        if let Some(other) = other(world, self.case, &by, &ask) {
            world.stage = stage;
            assert_ne!(other, ask, "another command differs");
            let before = world.tables.dump();
            match world.call(who, self.case.rpc, with_id(&other, &id)) {
                Err(no) if no.reason == "REQUEST_ID_REUSED" && no.code == Code::AlreadyExists => {}
                told => self.say(&format!("another command under the same id: {told:?}")),
            }
            self.nothing_since(world, &before, "with another command under the same id");
        }
        grown(&start, &before)
    }

    fn in_parallel(&mut self, world: &mut World, who: Who, alone: &BTreeMap<String, i64>) {
        let by = by(world, who, self.line);
        let ask = make(world, self.case, &by);
        let (port, sent) = world.sent(who, self.case.rpc, ask);
        let before = world.tables.dump();
        let mut answers = world.wire.at_once(port, &sent, COPIES);
        // This refusal says "again", and when; it did nothing and keeps the id free. No other one will do.
        let waits = |answer: &Answer| matches!(answer, Err(no) if no.is_in_progress());
        for _ in 0..AGAIN {
            let Some(place) = answers.iter().position(waits) else { break };
            answers[place] = world.wire.call(port, &sent);
        }
        world.rest();
        let Some(first) = answers.iter().find_map(|answer| answer.clone().ok()) else {
            return self.say(&format!("of {COPIES} at once none was answered: {:?}", answers[0]));
        };
        let shown = answers.iter().filter(|answer| answer.is_ok()).count();
        if matches!(self.replay, Replay::Identity) && shown != 1 {
            self.say(&format!("the secret was shown {shown} times"));
        }
        for answer in &answers {
            // Of a secret, the one answer that shows it.
            let same = answer.as_ref().is_ok_and(|answer| *answer == first);
            let problem = if same { None } else { unlike(self.case, self.replay, &first, answer) };
            if let Some(problem) = problem {
                self.say(&format!("{COPIES} at once: {problem}"));
            }
        }
        let together = grown(&before, &world.tables.dump());
        if together != *alone {
            self.say(&format!("{COPIES} at once wrote {together:?}, one wrote {alone:?}"));
        }
    }
}

/// How a repeat's answer is not what the rule promises; `None` when it is.
fn unlike(case: &Case, replay: Replay, first: &Value, again: &Answer) -> Option<String> {
    match (replay, again) {
        (Replay::Result, Ok(again)) if lasting(case, again) == lasting(case, first) => None,
        (Replay::Identity, Err(no)) if names(no, first) => None,
        (_, again) => Some(format!("first {first}, then {again:?}")),
    }
}

/// What of an answer every repeat repeats: all of it but the fields that move.
fn lasting(case: &Case, answer: &Value) -> Value {
    let mut answer = answer.clone();
    for field in case.moving.iter().flat_map(|moving| moving.fields) {
        let (place, name) = field.rsplit_once('.').unwrap_or(("", field));
        let at = if place.is_empty() { Some(&mut answer) } else { answer.get_mut(place) };
        if let Some(Value::Object(fields)) = at {
            fields.remove(name);
        }
    }
    answer
}

/// How a repeat, while the platform rests, tells of a thing otherwise than it stands; `None` when it does not.
fn elsewhere(world: &mut World, case: &Case, again: &Answer) -> Option<String> {
    let (moving, again) = (case.moving?, again.as_ref().ok()?);
    let now = (moving.now)(world, again);
    (now != *again).then(|| format!("a repeat answers {again}, but it stands at {now} ({})", moving.why))
}

/// Whether a refusal says that the secret was shown, and names the thing that was made.
fn names(no: &No, first: &Value) -> bool {
    let first = first.to_string();
    let ids: Vec<_> = no.metadata.iter().filter(|(key, _)| key.ends_with("_id")).collect();
    let known = |id: &str| first.contains(id) || id.starts_with("usr_");
    no.reason == "SECRET_ALREADY_SHOWN" && !ids.is_empty() && ids.iter().all(|(_, id)| known(id))
}

/// How many rows each table has more.
fn grown(before: &crate::tables::Dump, after: &crate::tables::Dump) -> BTreeMap<String, i64> {
    let was = before.counts();
    let more = after.counts().into_iter().map(|(table, count)| {
        let grown = count - was.get(&table).copied().unwrap_or(0);
        (table, grown)
    });
    more.filter(|(table, grown)| *grown != 0 && !COUNTERS.contains(&table.as_str())).collect()
}

/// Every command again, from a process that knows of the first only what is written down.
fn across_a_kill(world: &mut World, sown: &[Sown], wrong: &mut Vec<String>) {
    world.souk.kill_9();
    world.souk.start();
    world.moved();
    world.rest();
    let before = world.tables.dump();
    for Sown { case, replay, who, stage, port, sent, answer } in sown {
        let mut sent = sent.clone();
        if *port == Port::Socket {
            // A part's token lasts a minute.
            world.stage = stage.clone();
            sent = world.sent(*who, case.rpc, sent.body).1;
        }
        let again = world.wire.call(*port, &sent);
        let problem = unlike(case, *replay, answer, &again).or_else(|| elsewhere(world, case, &again));
        if let Some(problem) = problem {
            wrong.push(format!("{} across a kill: {problem}", case.rpc));
        }
    }
    world.rest();
    let changed = before.differences(&world.tables.dump());
    if !changed.is_empty() {
        wrong.push(format!("repeats after a kill wrote something: {}", changed.join("\n    ")));
    }
}
