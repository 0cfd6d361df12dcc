//! The manifest that `souk offerings publish` reads: one YAML an offering.

use std::{
    num::NonZero,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use souk_proto::souk::catalog::v1::{Plan, PlanLimits, Price, PriceSchedule, Quantity};

use super::output::Failure;

/// An offering as its publisher writes it down.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) slug: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) category: String,
    #[serde(default)]
    pub(crate) value_stream: String,
    #[serde(default)]
    pub(crate) capabilities: Vec<String>,
    #[serde(default)]
    pub(crate) connectors: Vec<String>,
    /// Default configuration by capability.
    #[serde(default)]
    config: Option<serde_json::Value>,
    plans: Vec<PlanEntry>,
    pub(crate) default_plan: String,
    schedule: ScheduleEntry,
    /// Where the flow lies, seen from the manifest.
    pub(crate) flow: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PlanEntry {
    slug: String,
    name: String,
    #[serde(default)]
    self_service: bool,
    #[serde(default)]
    included_credits: Amount,
    #[serde(default)]
    config: Option<serde_json::Value>,
    #[serde(default)]
    limits: LimitsEntry,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct LimitsEntry {
    runs_per_minute: i32,
    input_bytes: i64,
    concurrent_runs: i32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ScheduleEntry {
    prices: Vec<PriceEntry>,
    default_estimate: std::collections::BTreeMap<String, i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PriceEntry {
    dimension: String,
    credits: Amount,
    #[serde(default = "one")]
    per: NonZero<u32>,
}

const fn one() -> NonZero<u32> {
    NonZero::<u32>::MIN
}

/// Credits as people write them: `1`, `0.002`, `"12.5"`; at most six decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount(i64);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::String(text) => text,
            _ => return Err(serde::de::Error::custom("an amount of credits is a number: 0.002")),
        };
        let refused = || {
            serde::de::Error::custom(format!("{text:?} is no amount of credits with at most six decimals"))
        };
        micros(&text).map(Self).ok_or_else(refused)
    }
}

/// Millionths of a decimal text; `None` when it has more than six decimals or does not fit.
pub(crate) fn micros(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || (text.contains('.') && !digits(part)) || part.len() > 6 {
        return None;
    }
    let part: i64 = format!("{part:0<6}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(part)
}

fn json(value: Option<&serde_json::Value>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

impl Manifest {
    /// Reads a manifest's text.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        let problem = |error: serde_norway::Error| {
            Failure::new(format!("{name}: {error}")).hint("see docs/offering.md for the form of a manifest")
        };
        serde_norway::from_str(text).map_err(problem)
    }

    /// Reads a manifest and its flow.
    pub(crate) fn read(path: &Path) -> Result<(Self, Vec<u8>), Failure> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Failure::new(format!("{name}: {error}")))?;
        let manifest = Self::parse(&name, &text)?;
        let flow = path.parent().unwrap_or(Path::new("")).join(&manifest.flow);
        let bytes = std::fs::read(&flow).map_err(|error| {
            Failure::new(format!("the flow {}: {error}", flow.display()))
                .hint(format!("`flow:` in {name} is a path seen from that file"))
        })?;
        Ok((manifest, bytes))
    }

    /// The plans on the wire.
    pub(crate) fn plans(&self) -> Vec<Plan> {
        let plan = |entry: &PlanEntry| Plan {
            slug: entry.slug.clone(),
            display_name: entry.name.clone(),
            self_service: entry.self_service,
            config_json: json(entry.config.as_ref()),
            limits: Some(PlanLimits {
                runs_per_minute: entry.limits.runs_per_minute,
                input_bytes: entry.limits.input_bytes,
                concurrent_runs: entry.limits.concurrent_runs,
            }),
            included_credits_micros: entry.included_credits.0,
            ..Plan::default()
        };
        self.plans.iter().map(plan).collect()
    }

    /// The price schedule on the wire.
    pub(crate) fn schedule(&self) -> PriceSchedule {
        let price = |entry: &PriceEntry| Price {
            dimension: entry.dimension.clone(),
            amount_micros: entry.credits.0,
            per: i64::from(entry.per.get()),
        };
        let quantity = |(dimension, quantity): (&String, &i64)| Quantity {
            dimension: dimension.clone(),
            quantity: *quantity,
        };
        PriceSchedule {
            prices: self.schedule.prices.iter().map(price).collect(),
            default_estimate: self.schedule.default_estimate.iter().map(quantity).collect(),
            ..PriceSchedule::default()
        }
    }

    /// The default configuration on the wire.
    pub(crate) fn config_json(&self) -> String {
        json(self.config.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, value) in [
            ("1", Some(1_000_000)),
            ("0.002", Some(2_000)),
            ("0.0000001", None),
            ("-1", None),
            ("1.", None),
            (".5", None),
            ("1e3", None),
            ("9223372036855", None),
        ] {
            assert_eq!(micros(text), value, "{text}");
        }
    }

    #[test]
    fn the_demo_manifests_are_well_formed() {
        for text in [
            include_str!("../../demo/support-triage.yaml"),
            include_str!("../../demo/router-desk.yaml"),
            include_str!("../../demo/chat-assistant.yaml"),
        ] {
            let manifest = Manifest::parse("demo", text).unwrap();
            assert_eq!(manifest.schedule().prices.len(), 3);
            assert!(
                manifest.plans().iter().any(|plan| plan.slug == manifest.default_plan && plan.self_service)
            );
        }
    }

    #[test]
    fn a_price_for_no_units_is_refused() {
        let text =
            include_str!("../../demo/support-triage.yaml").replace("credits: 1}", "credits: 1, per: 0}");
        assert!(Manifest::parse("m.yaml", &text).is_err());
    }

    #[test]
    fn unknown_keys_are_named() {
        let text = format!("{}\nflwo: x\n", include_str!("../../demo/support-triage.yaml"));
        let failure = Manifest::parse("m.yaml", &text).unwrap_err();
        assert!(format!("{failure:?}").contains("flwo"), "{failure:?}");
    }
}
