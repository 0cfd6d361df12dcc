//! What an instance may do, as instances says it, and whether it serves at all.

use souk_types::{InstanceId, OfferingVersionId, OrgId, ProjectId};

/// The reason for a pause that a top-up alone ends.
const DEPLETED: &str = "WALLET_DEPLETED";
/// The largest input that any plan may allow, so that a run fits into one message.
const INPUT_BYTES: i64 = 1024 * 1024;

/// Where an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstanceState {
    /// Asked for, or on its way.
    Coming,
    /// Serves.
    Active,
    /// Does not serve until its pause reasons are gone.
    Paused,
    /// Is taken down, or gone.
    Terminated,
    /// Could not be provisioned.
    Failed,
}

/// Limits of the plan; zero means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Runs that may start within a minute.
    pub(crate) runs_per_minute: i64,
    /// Bytes of one run's input.
    pub(crate) input_bytes: i64,
    /// Runs at work at the same time.
    pub(crate) concurrent_runs: i64,
}

/// What an instance may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entitlements {
    /// The instance.
    pub(crate) instance_id: InstanceId,
    /// Its org.
    pub(crate) org_id: OrgId,
    /// Its project.
    pub(crate) project_id: ProjectId,
    /// The version it runs.
    pub(crate) offering_version_id: OfferingVersionId,
    /// Where it stands.
    pub(crate) state: InstanceState,
    /// Why it is paused.
    pub(crate) pause_reasons: Vec<String>,
    /// The limits in force.
    pub(crate) limits: Limits,
    /// The effective configuration, a JSON object by capability.
    pub(crate) effective_config: String,
    /// SHA-256 of the flow artifact, lower-case hex.
    pub(crate) artifact_hash: String,
}

/// Why an instance does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotServing {
    /// Not yet: worth waiting for.
    Coming,
    /// Paused for nothing but an empty wallet.
    Depleted,
    /// Paused for these reasons.
    Paused(Vec<String>),
    /// Gone or going.
    Terminated,
    /// Could not be provisioned.
    Failed,
}

impl Entitlements {
    /// Whether the instance serves.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) fn serving(&self) -> Result<(), NotServing> {
        match self.state {
            InstanceState::Active => Ok(()),
            InstanceState::Coming => Err(NotServing::Coming),
            InstanceState::Terminated => Err(NotServing::Terminated),
            InstanceState::Failed => Err(NotServing::Failed),
            // With another reason beside it a top-up alone would not help: say all of them.
            InstanceState::Paused if self.pause_reasons == [DEPLETED] => Err(NotServing::Depleted),
            InstanceState::Paused => Err(NotServing::Paused(self.pause_reasons.clone())),
        }
    }

    /// The largest input in bytes, where the plan states no limit `otherwise`.
    #[must_use]
    pub(crate) fn input_limit(&self, otherwise: u32) -> i64 {
        match self.limits.input_bytes {
            ..=0 => i64::from(otherwise),
            stated => stated.min(INPUT_BYTES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paused(reasons: &[&str]) -> Entitlements {
        Entitlements {
            instance_id: InstanceId::from_bits(1),
            org_id: OrgId::from_bits(1),
            project_id: ProjectId::from_bits(1),
            offering_version_id: OfferingVersionId::from_bits(1),
            state: InstanceState::Paused,
            pause_reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
            limits: Limits::default(),
            effective_config: String::new(),
            artifact_hash: String::new(),
        }
    }

    #[test]
    fn only_a_pause_that_a_top_up_ends_says_so() {
        assert_eq!(paused(&[DEPLETED]).serving(), Err(NotServing::Depleted));
        for reasons in [vec![], vec!["MANUAL"], vec!["MANUAL", DEPLETED]] {
            let said = reasons.iter().map(|reason| (*reason).to_owned()).collect();
            assert_eq!(paused(&reasons).serving(), Err(NotServing::Paused(said)));
        }
    }

    #[test]
    fn an_input_is_always_bounded() {
        let mut entitlements = paused(&[]);
        for (stated, limit) in [(0, 7), (-1, 7), (5, 5), (i64::MAX, INPUT_BYTES)] {
            entitlements.limits.input_bytes = stated;
            assert_eq!(entitlements.input_limit(7), limit);
        }
    }
}
