//! One call, opened: who calls, within which scope, and what ties it to its repeats and its trace.

use crate::{
    access::{Caller, Scope},
    clock::Time,
    id::{OrgId, ProjectId, UserId},
};

/// What a use case is told of the call it serves. Made by the kit's `open` after the access rule was
/// checked; work loops make their own.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method, `/souk.billing.v1.BillingService/Authorize`.
    pub rpc: &'static str,
    /// Who calls.
    pub caller: Caller,
    /// Whose rows the call may touch.
    pub scope: Scope,
    /// The project that the request named or the caller's only one, where the rule asks for one.
    pub project_id: Option<ProjectId>,
    /// What repeats of the call have in common; empty for reads.
    pub request_id: String,
    /// The W3C trace the call belongs to.
    pub trace: Trace,
    /// When the caller stops waiting, where it said so.
    pub deadline: Option<Time>,
}

impl Call {
    /// The person who calls, where the caller is one.
    #[must_use]
    pub const fn user_id(&self) -> Option<UserId> {
        self.caller.user_id()
    }

    /// How this call's own calls to other parts introduce themselves.
    #[must_use]
    pub fn acting_for(&self, org: OrgId) -> Acting {
        Acting { org: Some(org), trace: self.trace.clone() }
    }

    /// As `acting_for`, for what belongs to no org.
    #[must_use]
    pub fn acting_for_platform(&self) -> Acting {
        Acting { org: None, trace: self.trace.clone() }
    }
}

/// On whose behalf, and in the course of which trace, a part calls another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acting {
    /// The org; `None` for the platform.
    pub org: Option<OrgId>,
    /// The trace.
    pub trace: Trace,
}

/// A W3C trace context: 32 hex digits of the trace and 16 of the parent span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The trace's id, 32 lower-case hex digits; empty when there is none.
    pub id: String,
    /// The calling span's id, 16 lower-case hex digits.
    pub parent: String,
}

impl Trace {
    /// Reads a `traceparent` header; `None` when it is not well formed.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, id, parent, _flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let fits = version == "00" && hex(id, 32) && hex(parent, 16);
        (fits && id.bytes().any(|b| b != b'0')).then(|| Self { id: id.to_owned(), parent: parent.to_owned() })
    }

    /// Starts a trace of its own from random bytes.
    #[must_use]
    pub fn start(random: &dyn crate::clock::Random) -> Self {
        let mut bytes = [0_u8; 24];
        random.fill(&mut bytes);
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let (id, parent) = digits.split_at(32);
        Self { id: id.to_owned(), parent: parent.to_owned() }
    }

    /// The `traceparent` header.
    #[must_use]
    pub fn header(&self) -> String {
        format!("00-{}-{}-01", self.id, self.parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_header_round_trips_and_bad_ones_are_dropped() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(Trace::parse(header).unwrap().header(), header);
        for bad in [
            "",
            "00-1-2-3",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
    }
}
