//! The runner: what keeps a flow from being published, and what its publisher should know.

use bytes::Bytes;
use souk_kit::{House, Refusal};
use souk_proto::souk::runner::v1::{CheckFlowRequest, runner_service_client::RunnerServiceClient};
use souk_types::{Call, PartName};

use crate::{error::Error, model::Finding};

/// What the runner says of a flow.
pub(crate) struct Checked {
    /// Everything that stands in its way; nothing means that it may be published.
    pub(crate) findings: Vec<Finding>,
    /// What its publisher should know all the same.
    pub(crate) warnings: Vec<Finding>,
}

/// Asks the runner.
pub(crate) struct Runner {
    house: House,
}

impl Runner {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    /// Checks a flow.
    pub(crate) async fn check_flow(&self, call: &Call, flow: Bytes) -> Result<Checked, Error> {
        let channel = self.house.dial().to(PartName::Runner, call.acting_for_platform());
        let mut client = RunnerServiceClient::new(channel);
        let answer = client.check_flow(CheckFlowRequest { flow_json: flow }).await;
        let answer = answer.map_err(|status| Refusal::read("runner", &status))?.into_inner();
        let finding = |found: souk_proto::souk::runner::v1::Finding| Finding {
            code: found.code,
            node_id: found.node_id,
            field: found.field,
            message: found.message,
        };
        Ok(Checked {
            findings: answer.findings.into_iter().map(finding).collect(),
            warnings: answer.warnings.into_iter().map(finding).collect(),
        })
    }
}
