//! Conversions that every `api` room needs: times, etags and texts between proto and the shared words.

use std::{fmt::Display, str::FromStr, time::Duration};

use prost_types::Timestamp;
use souk_types::{Time, Violation};

/// A moment on the wire.
#[must_use]
pub fn timestamp(time: Time) -> Timestamp {
    let nanos = time.micros().rem_euclid(1_000_000) * 1000;
    Timestamp { seconds: time.seconds(), nanos: i32::try_from(nanos).unwrap_or(0) }
}

/// A moment from the wire, to the microsecond; `None` when it does not fit.
#[must_use]
pub fn time(timestamp: Timestamp) -> Option<Time> {
    let micros = timestamp.seconds.checked_mul(1_000_000)?;
    Some(Time::from_micros(micros.checked_add(i64::from(timestamp.nanos) / 1000)?))
}

/// A span from the wire; `None` when it is negative or does not fit.
#[must_use]
pub fn span(duration: prost_types::Duration) -> Option<Duration> {
    let (seconds, nanos) = (u64::try_from(duration.seconds).ok()?, u32::try_from(duration.nanos).ok()?);
    (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
}

/// A row version as an etag.
#[must_use]
pub fn etag(version: i64) -> String {
    format!("v{version}")
}

/// Collects what is wrong with a request, so that it is said all at once.
#[derive(Debug, Default)]
pub struct Check {
    violations: Vec<Violation>,
}

impl Check {
    /// Parses a required id or other word; notes a violation and gives `None` when it is not one.
    pub fn parse<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        if text.is_empty() {
            self.note(field, "required");
            return None;
        }
        text.parse().map_err(|error: T::Err| self.note(field, &error.to_string())).ok()
    }

    /// As `parse`, but an empty text is absence.
    pub fn parse_optional<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        if text.is_empty() { None } else { self.parse(field, text) }
    }

    /// Notes a violation unless it holds.
    pub fn require(&mut self, holds: bool, field: &str, problem: &str) {
        if !holds {
            self.note(field, problem);
        }
    }

    /// Notes a violation.
    pub fn note(&mut self, field: &str, problem: &str) {
        self.violations.push(Violation::new(field, problem));
    }

    /// Gives the value when nothing was noted, else every violation as one fault.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with every violation.
    pub fn done<T>(self, domain: &'static str, value: Option<T>) -> Result<T, souk_types::Fault> {
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(souk_types::Fault::invalid(domain, self.violations)),
        }
    }
}

#[cfg(test)]
mod tests {
    use souk_types::OrgId;

    use super::*;

    #[test]
    fn times_round_trip_before_and_after_the_epoch() {
        for micros in [0, 1, -1, 1_763_724_000_123_456, -1_500_000] {
            assert_eq!(time(timestamp(Time::from_micros(micros))), Some(Time::from_micros(micros)));
        }
        assert_eq!(time(Timestamp { seconds: i64::MAX, nanos: 0 }), None);
        assert_eq!(span(prost_types::Duration { seconds: -1, nanos: 0 }), None);
    }

    #[test]
    fn every_violation_is_said_at_once() {
        let mut check = Check::default();
        let org = check.parse::<OrgId>("org_id", "prj_1");
        check.require(false, "amount_micros", "must be more than zero");
        let fault = check.done("billing", org).unwrap_err();
        let fields: Vec<_> = fault.violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["org_id", "amount_micros"]);
    }
}
