//! A story: what happened when, why it stands as it does, and what to do next. Made of what the parts said; no
//! part is asked here.

use serde_json::{Value, json};
use souk_kit::wire;
use souk_proto::souk::{
    billing::v1::{LedgerEntry, Receipt, Wallet, WalletState},
    commerce::v1::{Order, OrderLine, order_line},
    delivery::v1::Applied,
    instances::v1::{Instance, State as InstanceState, condition::Status},
    runs::v1::{Run, State as RunState},
};
use souk_types::{Credits, Time};

use crate::cli::hints::of_reason;

type Timestamp = prost_types::Timestamp;

/// One thing that happened, or that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    /// When; none for what stands now.
    time: Option<Time>,
    part: &'static str,
    what: String,
}

/// What became of something.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    subject: String,
    state: String,
    cause: String,
    next: String,
    steps: Vec<Step>,
    /// What could not be found out, and why.
    gaps: Vec<String>,
}

fn when(at: Option<Timestamp>) -> Option<Time> {
    at.and_then(wire::time)
}

fn credits(micros: i64) -> Credits {
    Credits::from_micros(micros)
}

/// What follows a word, where there is something to follow it.
fn after(word: &str, what: &str) -> String {
    if what.is_empty() { String::new() } else { format!("{word}{what}") }
}

impl Story {
    pub(super) fn gap(&mut self, part: &'static str, why: &str) {
        self.gaps.push(format!("{part}: {why}"));
    }

    fn step(&mut self, time: Option<Time>, part: &'static str, what: String) {
        let what = what.trim_end().trim_end_matches([':', ';']).to_owned();
        self.steps.push(Step { time, part, what });
    }

    /// The story of a run.
    pub(super) fn of_run(run: &Run) -> Self {
        let state = run.state().as_str_name().trim_start_matches("STATE_").to_owned();
        let (cause, next) = match (&run.error, run.state()) {
            (Some(error), _) => {
                let place = if error.component_id.is_empty() {
                    String::new()
                } else {
                    format!(" at {}", error.component_id)
                };
                (
                    format!("{}: {}{place}", error.reason, error.message),
                    of_reason(&error.reason).unwrap_or_else(|| "start a new run".to_owned()),
                )
            }
            (None, RunState::Succeeded) => (
                format!("it ran to its end; {} credits were charged", credits(run.charged_micros)),
                String::new(),
            ),
            (None, _) => {
                ("it is still at work".to_owned(), format!("follow it: souk runs get {}", run.run_id))
            }
        };
        let mut story =
            Self { subject: format!("run {}", run.run_id), state, cause, next, ..Self::default() };
        story.step(
            when(run.create_time),
            "runs",
            format!("asked for, of {}{}", run.instance_id, after("; trace ", &run.trace_id)),
        );
        if !run.reservation_id.is_empty() {
            story.step(when(run.create_time), "billing", format!("reserved as {}", run.reservation_id));
        }
        if let Some(end) = when(run.end_time) {
            let used = run.usage.iter().map(|usage| format!("{} {}", usage.quantity, usage.dimension));
            let used = after("; used ", &used.collect::<Vec<_>>().join(", "));
            story.step(Some(end), "runs", format!("{}{used}", story.state));
        }
        story
    }

    /// Adds the receipt of a run.
    pub(super) fn receipt(&mut self, receipt: &Receipt) {
        let lines = receipt
            .lines
            .iter()
            .map(|line| format!("{} {} = {}", line.quantity, line.dimension, credits(line.amount_micros)));
        let overrun = match receipt.overrun_micros {
            0 => String::new(),
            over => format!(", {} above the budget not charged", credits(over)),
        };
        let what = format!(
            "receipt {}: cost {}, charged {}{overrun}{}",
            receipt.receipt_id,
            credits(receipt.cost_micros),
            credits(receipt.charged_micros),
            after(" for ", &lines.collect::<Vec<_>>().join(", "))
        );
        self.step(when(receipt.create_time), "billing", what);
    }

    /// Adds ledger entries.
    pub(super) fn entries(&mut self, entries: &[LedgerEntry]) {
        for entry in entries {
            let kind = entry.kind().as_str_name().trim_start_matches("KIND_").to_lowercase();
            let what = format!(
                "ledger entry {}: {kind} {}{}",
                entry.ledger_entry_id,
                credits(entry.amount_micros),
                after(" of ", &entry.source_ref)
            );
            self.step(when(entry.create_time), "billing", what);
        }
    }

    /// The story of an instance.
    pub(super) fn of_instance(instance: &Instance) -> Self {
        let (cause, next) = why(instance);
        let mut story = Self {
            subject: format!("instance {} ({})", instance.instance_id, instance.offering_slug),
            state: state_of(instance),
            cause,
            next,
            ..Self::default()
        };
        let source = if instance.source_ref.is_empty() {
            String::new()
        } else {
            format!(", from {}", instance.source_ref)
        };
        story.step(
            when(instance.create_time),
            "instances",
            format!("asked for: plan {} of {}{source}", instance.plan_slug, instance.offering_version_id),
        );
        story.about(instance);
        for event in &instance.events {
            story.step(when(event.occur_time), "instances", format!("{} {}", event.r#type, event.message));
        }
        story
    }

    /// Adds how an instance stands.
    pub(super) fn about(&mut self, instance: &Instance) {
        for condition in &instance.conditions {
            let status = condition.status().as_str_name().trim_start_matches("STATUS_").to_lowercase();
            let what =
                format!("{} is {status}: {} {}", condition.r#type, condition.reason, condition.message);
            self.step(when(condition.transition_time), "instances", what);
        }
        self.step(
            None,
            "instances",
            format!("{} is {}, revision {}", instance.instance_id, state_of(instance), instance.revision),
        );
    }

    /// Adds what is applied of an instance.
    pub(super) fn applied(&mut self, applied: &Applied) {
        let what = format!("revision {} is applied, commit {}", applied.revision, applied.commit_id);
        self.step(when(applied.apply_time), "delivery", what);
    }

    /// Adds what the wallet holds now, and what to do where nothing can be paid from it.
    pub(super) fn wallet(&mut self, wallet: &Wallet) {
        let short = if wallet.state() == WalletState::Frozen {
            Some("the wallet is frozen: nothing runs until an operator unfreezes it")
        } else if wallet.available_micros <= 0 && !self.next.contains("the wallet") {
            Some("the wallet holds no credits: top it up; credits come in by orders of the shop")
        } else {
            None
        };
        if let Some(short) = short {
            self.next = format!("{short}{}", after("; ", &self.next));
        }
        let what = format!(
            "wallet {}: {} available, {} reserved{}",
            wallet.wallet_id,
            credits(wallet.available_micros),
            credits(wallet.reserved_micros),
            if wallet.state() == WalletState::Frozen { ", frozen" } else { "" }
        );
        self.step(None, "billing", what);
    }

    /// The story of an order.
    pub(super) fn of_order(order: &Order) -> Self {
        let parked = order.lines.iter().find(|line| line.state() == order_line::State::Parked);
        let working = order.lines.iter().any(|line| line.state() == order_line::State::Working);
        let (state, cause, next) = match (parked, order.parked_reason.as_str()) {
            (Some(line), _) => (
                "PARKED",
                format!("line {} is parked: {}", name(line), line.parked_reason),
                replay(&line.remedy, &order.order_id),
            ),
            (None, reason) if !reason.is_empty() => (
                "PARKED",
                format!("the order is parked: {reason}"),
                of_reason(reason).unwrap_or_else(|| replay("", &order.order_id)),
            ),
            (None, _) if working => ("WORKING", "some lines are still at work".to_owned(), String::new()),
            (None, _) => (
                "SETTLED",
                format!("the shop says {} / {}", order.status, order.charge_status),
                String::new(),
            ),
        };
        let subject = format!("order {} (number {}, {})", order.order_id, order.number, order.external_id);
        let mut story = Self { subject, state: state.to_owned(), cause, next, ..Self::default() };
        story.step(
            when(order.create_time),
            "commerce",
            format!("first heard of, from shop {}", order.shop_id),
        );
        story.step(
            when(order.snapshot_time),
            "commerce",
            format!("the newest snapshot: {} / {}", order.status, order.charge_status),
        );
        for line in &order.lines {
            let what = format!(
                "line {} ×{} is {}: {}",
                name(line),
                line.units,
                line.state().as_str_name().trim_start_matches("STATE_"),
                became(line)
            );
            story.step(None, "commerce", what);
        }
        story
    }

    /// The story for programs.
    pub(super) fn json(&self) -> Value {
        let step = |step: &Step| json!({"timeMicros": step.time.map(|time| time.micros().to_string()), "part": step.part, "what": step.what});
        json!({
            "subject": self.subject, "state": self.state, "cause": self.cause, "next": self.next,
            "timeline": self.sorted().iter().map(step).collect::<Vec<_>>(), "gaps": self.gaps,
        })
    }

    /// In the order of time; what stands now comes last.
    fn sorted(&self) -> Vec<Step> {
        let mut steps = self.steps.clone();
        steps.sort_by_key(|step| (step.time.is_none(), step.time));
        steps
    }

    /// The story for people.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![format!("{}: {}", self.subject, self.state), format!("cause  {}", self.cause)];
        if !self.next.is_empty() {
            lines.push(format!("next   {}", self.next));
        }
        lines.push(String::new());
        let steps = self.sorted();
        let begin = steps.iter().find_map(|step| step.time);
        for (place, step) in steps.iter().enumerate() {
            let at = match (begin, step.time) {
                // What the others count from.
                (Some(_), Some(time)) if place == 0 => wire::timestamp(time).to_string(),
                (Some(begin), Some(time)) => format!("+{:.3} s", time.since(begin).as_secs_f64()),
                _ => "now".to_owned(),
            };
            lines.push(format!("{at:>27}  {:<9}  {}", step.part, step.what));
        }
        lines.extend(self.gaps.iter().map(|gap| format!("not known  {gap}")));
        lines.join("\n")
    }
}

fn state_of(instance: &Instance) -> String {
    let reasons = instance.pause_reasons.join(" ");
    format!("{} {reasons}", instance.state().as_str_name().trim_start_matches("STATE_")).trim_end().to_owned()
}

/// Why an instance stands as it does, and what to do.
fn why(instance: &Instance) -> (String, String) {
    let short = instance.conditions.iter().find(|condition| condition.status() != Status::True);
    let open =
        short.map(|condition| format!("{}: {} {}", condition.r#type, condition.reason, condition.message));
    let get = format!("souk instances watch {}", instance.instance_id);
    match instance.state() {
        InstanceState::Active => ("it serves".to_owned(), String::new()),
        InstanceState::Paused => {
            let next: Vec<_> =
                instance.pause_reasons.iter().map(|reason| way_back(reason, instance)).collect();
            (format!("it is paused: {}", instance.pause_reasons.join(", ")), next.join("; "))
        }
        InstanceState::Failed => {
            let remedy = short.and_then(|condition| of_reason(&condition.reason));
            (
                open.unwrap_or_else(|| "provisioning failed".to_owned()),
                remedy.unwrap_or_else(|| "mend what the condition says; it is tried again".to_owned()),
            )
        }
        InstanceState::Terminated => (
            "it was terminated".to_owned(),
            "activate a new one: souk instances activate OFFERING".to_owned(),
        ),
        _ => {
            let waits = if instance.waiting_for.is_empty() {
                String::new()
            } else {
                format!("waits for {}; ", instance.waiting_for)
            };
            (format!("{waits}{}", open.unwrap_or_else(|| "it is on its way".to_owned())), get)
        }
    }
}

/// What takes one pause reason away.
fn way_back(reason: &str, instance: &Instance) -> String {
    match reason {
        "WALLET_DEPLETED" => "the wallet is empty: top it up; then it resumes by itself".to_owned(),
        "OFFERING_PAUSED" => format!(
            "wait until the operator resumes the offering; then it resumes by itself (operators: souk offerings resume {})",
            instance.offering_slug
        ),
        "REFUNDED" => "what paid for it was given back: buy it again".to_owned(),
        _ => format!("souk instances resume {}", instance.instance_id),
    }
}

/// A remedy, and the command that comes after it. The shop's own remedies say the last step in words.
fn replay(remedy: &str, order_id: &str) -> String {
    let remedy =
        remedy.trim_end_matches('.').trim_end_matches("then replay the order").trim_end_matches([',', ' ']);
    format!(
        "{}souk orders replay {order_id}",
        if remedy.is_empty() { String::new() } else { format!("{remedy}; then: ") }
    )
}

fn name(line: &OrderLine) -> &str {
    if line.sku.is_empty() { &line.product_name } else { &line.sku }
}

fn became(line: &OrderLine) -> String {
    match line.state() {
        order_line::State::Parked => format!("{}{}", line.parked_reason, after("; ", &line.remedy)),
        _ if line.credits_micros > 0 => {
            format!("{} credits, ledger entry {}", credits(line.credits_micros), line.ledger_entry_id)
        }
        _ => line.instance_ids.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use souk_proto::souk::runs::v1::RunError;
    use souk_types::Reason;

    use super::*;

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn a_failed_run_says_cause_and_remedy_before_its_timeline() {
        let error = RunError {
            reason: "MODEL_REFUSED".into(),
            message: "bad key".into(),
            component_id: "m-1".into(),
        };
        let mut run = Run {
            run_id: "run_1".into(),
            error: Some(error),
            create_time: at(10),
            end_time: at(12),
            ..Run::default()
        };
        run.set_state(RunState::Failed);
        let mut story = Story::of_run(&run);
        story.receipt(&Receipt {
            receipt_id: "rcp_1".into(),
            charged_micros: 1_000_000,
            create_time: at(11),
            ..Receipt::default()
        });
        let text = story.text();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].contains("FAILED") && lines[1].contains("bad key at m-1"), "{text}");
        assert!(lines[2].starts_with("next") && lines[2].contains(Reason::ModelRefused.remedy()), "{text}");
        let receipt = lines.iter().position(|line| line.contains("rcp_1")).unwrap();
        let end = lines.iter().position(|line| line.contains("+2.000 s")).unwrap();
        assert!(receipt < end, "{text}");
        assert_eq!(story.json()["timeline"][1]["timeMicros"], "11000000");
    }

    #[test]
    fn a_parked_line_names_its_remedy_and_the_command() {
        let mut line = OrderLine {
            sku: "PACK".into(),
            parked_reason: "OWNER_UNKNOWN".into(),
            remedy: "link the buyer".into(),
            ..OrderLine::default()
        };
        line.set_state(order_line::State::Parked);
        let order = Order { order_id: "ord_1".into(), lines: vec![line], ..Order::default() };
        let text = Story::of_order(&order).text();
        assert!(
            text.contains("OWNER_UNKNOWN") && text.contains("link the buyer; then: souk orders replay ord_1"),
            "{text}"
        );
    }

    #[test]
    fn a_paused_instance_says_what_brings_it_back() {
        let mut instance = Instance {
            instance_id: "ins_1".into(),
            pause_reasons: vec!["WALLET_DEPLETED".into()],
            ..Instance::default()
        };
        instance.set_state(InstanceState::Paused);
        assert!(Story::of_instance(&instance).text().contains("top it up"));
        instance.pause_reasons = vec!["OWNER".into()];
        assert!(Story::of_instance(&instance).text().contains("souk instances resume ins_1"));
        instance.pause_reasons = vec!["OFFERING_PAUSED".into()];
        instance.offering_slug = "echo".into();
        let text = Story::of_instance(&instance).text();
        assert!(text.contains("souk offerings resume echo") && !text.contains("instances resume"), "{text}");
    }

    #[test]
    fn a_wallet_that_pays_nothing_is_the_next_step() {
        let mut run = Run { create_time: at(10), end_time: at(12), ..Run::default() };
        run.set_state(RunState::Failed);
        let mut story = Story::of_run(&run);
        story.wallet(&Wallet::default());
        assert!(story.next.contains("no credits"), "{story:?}");
        let mut frozen = Wallet { available_micros: 1, ..Wallet::default() };
        frozen.set_state(WalletState::Frozen);
        story.wallet(&frozen);
        let text = story.text();
        assert!(story.next.starts_with("the wallet is frozen") && text.contains(", frozen"), "{text}");
        assert!(text.contains("1970-01-01T00:00:10Z") && text.contains("+2.000 s"), "{text}");
        assert!(text.lines().any(|line| line.ends_with("FAILED")) && !text.contains("used"), "{text}");
    }
}
