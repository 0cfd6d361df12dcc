//! The access rule of every method: made by `cargo run -p xtask -- gen` from `(souk.access.v1.rule)`.
//!
//! The kit reads `rule(path)` before a body is decoded, and `Ruled` when it opens one. A request without
//! a rule has no `Ruled`, so a handler for it does not compile.
/// Whether a method exists outside the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Served at the gateway.
    Edge,
    /// Served between parts only.
    Mesh,
}
/// What a permission lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// See.
    Read,
    /// Use what stands there.
    Use,
    /// Change what stands there.
    Admin,
}
/// How a method finds out whose data it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tenant {
    /// The request's `org_id` names the org.
    OrgField,
    /// The request's `project_id` names the project; empty: the caller's only one.
    ProjectField,
    /// The addressed thing belongs to an org; outside is NOT_FOUND.
    Resource,
    /// The caller's own.
    Caller,
    /// No tenant: the catalogue, sign-in, the operator's platform.
    None,
}
/// What a second call with the same `request_id` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replay {
    /// Gives the first answer again.
    Result,
    /// Names the thing made first, without the secret that was shown once.
    Identity,
    /// Reads; may be repeated freely.
    Read,
    /// Must never be retried by a machine.
    Once,
}
/// Who may call a method, on whose data, and what a repeated call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// As it stands in the HTTP/2 request: `/souk.billing.v1.BillingService/Authorize`.
    pub path: &'static str,
    /// The domain of the package: `billing`.
    pub part: &'static str,
    /// Whether it exists outside the mesh.
    pub audience: Audience,
    /// The parts that may call with a token of their own; `*` is every part.
    pub callers: &'static [&'static str],
    /// Whether it answers without any credential.
    pub anonymous: bool,
    /// What a person must hold: domain and verb. None with tenant `Caller`: any signed-in person.
    pub permission: Option<(&'static str, Verb)>,
    /// Whose data it touches.
    pub tenant: Tenant,
    /// What a repeated call does.
    pub replay: Replay,
    /// Whether the answer is a stream.
    pub server_streaming: bool,
    /// Whether the request carries a `request_id`.
    pub has_request_id: bool,
}
/// A request whose method has an access rule.
pub trait Ruled {
    /// The rule of the one method that takes this request.
    const RULE: &'static Rule;
    /// The request's own `org_id`; empty where it has none.
    fn org_id(&self) -> &str {
        ""
    }
    /// The request's own `project_id`; empty where it has none.
    fn project_id(&self) -> &str {
        ""
    }
    /// The request's own `request_id`; empty where it has none.
    fn request_id(&self) -> &str {
        ""
    }
}
/// The rule of a method, by its HTTP/2 path. None: no such method.
#[must_use]
pub fn rule(path: &str) -> Option<&'static Rule> {
    RULES
        .binary_search_by(|rule| rule.path.cmp(path))
        .ok()
        .and_then(|place| RULES.get(place))
}
/// Every rule, sorted by path.
pub static RULES: &[Rule] = &[
    Rule {
        path: "/souk.billing.v1.BillingService/AdjustWallet",
        part: "billing",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("billing", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/Authorize",
        part: "billing",
        audience: Audience::Mesh,
        callers: &["runs"],
        anonymous: false,
        permission: None,
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/Extend",
        part: "billing",
        audience: Audience::Mesh,
        callers: &["runs"],
        anonymous: false,
        permission: None,
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/GetReceipt",
        part: "billing",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("billing", Verb::Read)),
        tenant: Tenant::Resource,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/GetWallet",
        part: "billing",
        audience: Audience::Edge,
        callers: &["tenancy", "runs", "instances"],
        anonymous: false,
        permission: Some(("billing", Verb::Read)),
        tenant: Tenant::OrgField,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/ListLedgerEntries",
        part: "billing",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("billing", Verb::Read)),
        tenant: Tenant::OrgField,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/OpenAccount",
        part: "billing",
        audience: Audience::Mesh,
        callers: &["instances"],
        anonymous: false,
        permission: None,
        tenant: Tenant::OrgField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/OpenWallet",
        part: "billing",
        audience: Audience::Mesh,
        callers: &["tenancy"],
        anonymous: false,
        permission: None,
        tenant: Tenant::OrgField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/PutPriceSchedule",
        part: "billing",
        audience: Audience::Mesh,
        callers: &["catalog"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/Release",
        part: "billing",
        audience: Audience::Mesh,
        callers: &["runs"],
        anonymous: false,
        permission: None,
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/ReverseTopUp",
        part: "billing",
        audience: Audience::Mesh,
        callers: &["commerce"],
        anonymous: false,
        permission: None,
        tenant: Tenant::OrgField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/SetAccountSchedule",
        part: "billing",
        audience: Audience::Mesh,
        callers: &["instances"],
        anonymous: false,
        permission: None,
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/SetAccountState",
        part: "billing",
        audience: Audience::Mesh,
        callers: &["instances"],
        anonymous: false,
        permission: None,
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/SetWalletState",
        part: "billing",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("billing", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/Settle",
        part: "billing",
        audience: Audience::Mesh,
        callers: &["runs"],
        anonymous: false,
        permission: None,
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/TopUp",
        part: "billing",
        audience: Audience::Mesh,
        callers: &["commerce", "tenancy"],
        anonymous: false,
        permission: None,
        tenant: Tenant::OrgField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.billing.v1.BillingService/WatchWallet",
        part: "billing",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("billing", Verb::Read)),
        tenant: Tenant::OrgField,
        replay: Replay::Read,
        server_streaming: true,
        has_request_id: false,
    },
    Rule {
        path: "/souk.catalog.v1.CatalogService/CreateOffering",
        part: "catalog",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("catalog", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.catalog.v1.CatalogService/EndOfferingLife",
        part: "catalog",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("catalog", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.catalog.v1.CatalogService/GetOffering",
        part: "catalog",
        audience: Audience::Edge,
        callers: &["*"],
        anonymous: true,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.catalog.v1.CatalogService/GetOfferingVersion",
        part: "catalog",
        audience: Audience::Mesh,
        callers: &["*"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.catalog.v1.CatalogService/ListCapabilities",
        part: "catalog",
        audience: Audience::Edge,
        callers: &["*"],
        anonymous: true,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.catalog.v1.CatalogService/ListOfferingVersions",
        part: "catalog",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("catalog", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.catalog.v1.CatalogService/ListOfferings",
        part: "catalog",
        audience: Audience::Edge,
        callers: &["*"],
        anonymous: true,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.catalog.v1.CatalogService/PauseOffering",
        part: "catalog",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("catalog", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.catalog.v1.CatalogService/PublishOfferingVersion",
        part: "catalog",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("catalog", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.catalog.v1.CatalogService/ResolvePlan",
        part: "catalog",
        audience: Audience::Mesh,
        callers: &["commerce"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.catalog.v1.CatalogService/ResumeOffering",
        part: "catalog",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("catalog", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.commerce.v1.CommerceService/AddShop",
        part: "commerce",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("commerce", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.commerce.v1.CommerceService/IngestOrderSnapshot",
        part: "commerce",
        audience: Audience::Mesh,
        callers: &["commerce"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.commerce.v1.CommerceService/LinkBuyer",
        part: "commerce",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("commerce", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.commerce.v1.CommerceService/ListOrders",
        part: "commerce",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("commerce", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.commerce.v1.CommerceService/ListShops",
        part: "commerce",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("commerce", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.commerce.v1.CommerceService/MapVariant",
        part: "commerce",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("commerce", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.commerce.v1.CommerceService/ReplayOrder",
        part: "commerce",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("commerce", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.delivery.v1.DeliveryService/Apply",
        part: "delivery",
        audience: Audience::Mesh,
        callers: &["instances"],
        anonymous: false,
        permission: None,
        tenant: Tenant::OrgField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.delivery.v1.DeliveryService/GetApplied",
        part: "delivery",
        audience: Audience::Mesh,
        callers: &["instances", "gateway", "runs"],
        anonymous: false,
        permission: None,
        tenant: Tenant::Resource,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.delivery.v1.DeliveryService/Remove",
        part: "delivery",
        audience: Audience::Mesh,
        callers: &["instances"],
        anonymous: false,
        permission: None,
        tenant: Tenant::OrgField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.delivery.v1.DeliveryService/WatchApplied",
        part: "delivery",
        audience: Audience::Mesh,
        callers: &["gateway", "runs", "instances"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: true,
        has_request_id: false,
    },
    Rule {
        path: "/souk.events.v1.EventsService/Follow",
        part: "events",
        audience: Audience::Mesh,
        callers: &["*"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: true,
        has_request_id: false,
    },
    Rule {
        path: "/souk.gateway.v1.GatewayService/IssueToken",
        part: "gateway",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: None,
        tenant: Tenant::Caller,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.gateway.v1.GatewayService/SignIn",
        part: "gateway",
        audience: Audience::Edge,
        callers: &[],
        anonymous: true,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Once,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.instances.v1.InstancesService/AutoActivate",
        part: "instances",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("instances", Verb::Use)),
        tenant: Tenant::ProjectField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.instances.v1.InstancesService/CreateInstance",
        part: "instances",
        audience: Audience::Edge,
        callers: &["commerce"],
        anonymous: false,
        permission: Some(("instances", Verb::Admin)),
        tenant: Tenant::ProjectField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.instances.v1.InstancesService/GetEntitlements",
        part: "instances",
        audience: Audience::Edge,
        callers: &["gateway", "runs"],
        anonymous: false,
        permission: Some(("instances", Verb::Read)),
        tenant: Tenant::Resource,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.instances.v1.InstancesService/GetInstance",
        part: "instances",
        audience: Audience::Edge,
        callers: &["commerce", "runs", "gateway"],
        anonymous: false,
        permission: Some(("instances", Verb::Read)),
        tenant: Tenant::Resource,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.instances.v1.InstancesService/ListInstanceEvents",
        part: "instances",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("instances", Verb::Read)),
        tenant: Tenant::Resource,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.instances.v1.InstancesService/ListInstances",
        part: "instances",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("instances", Verb::Read)),
        tenant: Tenant::ProjectField,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.instances.v1.InstancesService/Pause",
        part: "instances",
        audience: Audience::Edge,
        callers: &["commerce"],
        anonymous: false,
        permission: Some(("instances", Verb::Admin)),
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.instances.v1.InstancesService/Resume",
        part: "instances",
        audience: Audience::Edge,
        callers: &["commerce"],
        anonymous: false,
        permission: Some(("instances", Verb::Admin)),
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.instances.v1.InstancesService/Terminate",
        part: "instances",
        audience: Audience::Edge,
        callers: &["commerce"],
        anonymous: false,
        permission: Some(("instances", Verb::Admin)),
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.instances.v1.InstancesService/UpdateConfig",
        part: "instances",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("instances", Verb::Admin)),
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.instances.v1.InstancesService/WatchInstance",
        part: "instances",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("instances", Verb::Read)),
        tenant: Tenant::Resource,
        replay: Replay::Read,
        server_streaming: true,
        has_request_id: false,
    },
    Rule {
        path: "/souk.models.v1.ModelsService/DeleteModelEndpoint",
        part: "models",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("models", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.models.v1.ModelsService/GetModelEndpoint",
        part: "models",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("models", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.models.v1.ModelsService/ListModelEndpoints",
        part: "models",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("models", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.models.v1.ModelsService/PutModelEndpoint",
        part: "models",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("models", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.models.v1.ModelsService/ResolveModelEndpoint",
        part: "models",
        audience: Audience::Mesh,
        callers: &["runner"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.operations.v1.OperationsService/HoldWrites",
        part: "operations",
        audience: Audience::Mesh,
        callers: &["*"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Once,
        server_streaming: true,
        has_request_id: false,
    },
    Rule {
        path: "/souk.runner.v1.RunnerService/CheckFlow",
        part: "runner",
        audience: Audience::Mesh,
        callers: &["catalog"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.runner.v1.RunnerService/Execute",
        part: "runner",
        audience: Audience::Mesh,
        callers: &["runs"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Once,
        server_streaming: true,
        has_request_id: false,
    },
    Rule {
        path: "/souk.runner.v1.RunnerService/TestModelEndpoint",
        part: "runner",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("runner", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Once,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.runs.v1.RunsService/CancelRun",
        part: "runs",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("runs", Verb::Use)),
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.runs.v1.RunsService/CreateRun",
        part: "runs",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("runs", Verb::Use)),
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.runs.v1.RunsService/GetRun",
        part: "runs",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("runs", Verb::Read)),
        tenant: Tenant::Resource,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.runs.v1.RunsService/ListRuns",
        part: "runs",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("runs", Verb::Read)),
        tenant: Tenant::ProjectField,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.runs.v1.RunsService/WatchRun",
        part: "runs",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("runs", Verb::Read)),
        tenant: Tenant::Resource,
        replay: Replay::Read,
        server_streaming: true,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/AcceptInvitation",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: None,
        tenant: Tenant::Caller,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/AddTeamMember",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/AutoCreateWorkspace",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: None,
        tenant: Tenant::Caller,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/CreateApiKey",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::OrgField,
        replay: Replay::Identity,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/CreateOrg",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: None,
        tenant: Tenant::Caller,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/CreateProject",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::OrgField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/CreateSignInLink",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::None,
        replay: Replay::Identity,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/CreateTeam",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::OrgField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/DeleteTeam",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/EndSession",
        part: "tenancy",
        audience: Audience::Mesh,
        callers: &["gateway"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/GetCaller",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: None,
        tenant: Tenant::Caller,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/GetProject",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &["*"],
        anonymous: false,
        permission: Some(("tenancy", Verb::Read)),
        tenant: Tenant::Resource,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/InviteMember",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::OrgField,
        replay: Replay::Identity,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/ListApiKeys",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Read)),
        tenant: Tenant::OrgField,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/ListAuditEntries",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::OrgField,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/ListInvitations",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::OrgField,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/ListMembers",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Read)),
        tenant: Tenant::OrgField,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/ListProjects",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Read)),
        tenant: Tenant::OrgField,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/ListSessions",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: None,
        tenant: Tenant::Caller,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/ListTeams",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Read)),
        tenant: Tenant::OrgField,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/RedeemSignInLink",
        part: "tenancy",
        audience: Audience::Mesh,
        callers: &["gateway"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Once,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/RemoveMember",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::OrgField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/RemoveTeamMember",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/ResolvePrincipal",
        part: "tenancy",
        audience: Audience::Mesh,
        callers: &["gateway"],
        anonymous: false,
        permission: None,
        tenant: Tenant::None,
        replay: Replay::Read,
        server_streaming: false,
        has_request_id: false,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/RevokeApiKey",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/RevokeInvitation",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::Resource,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/RevokeSession",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: None,
        tenant: Tenant::Caller,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
    Rule {
        path: "/souk.tenancy.v1.TenancyService/SetMemberRole",
        part: "tenancy",
        audience: Audience::Edge,
        callers: &[],
        anonymous: false,
        permission: Some(("tenancy", Verb::Admin)),
        tenant: Tenant::OrgField,
        replay: Replay::Result,
        server_streaming: false,
        has_request_id: true,
    },
];
impl Ruled for crate::souk::billing::v1::AdjustWalletRequest {
    const RULE: &'static Rule = &RULES[0];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::AuthorizeRequest {
    const RULE: &'static Rule = &RULES[1];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::ExtendRequest {
    const RULE: &'static Rule = &RULES[2];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::GetReceiptRequest {
    const RULE: &'static Rule = &RULES[3];
}
impl Ruled for crate::souk::billing::v1::GetWalletRequest {
    const RULE: &'static Rule = &RULES[4];
    fn org_id(&self) -> &str {
        &self.org_id
    }
}
impl Ruled for crate::souk::billing::v1::ListLedgerEntriesRequest {
    const RULE: &'static Rule = &RULES[5];
    fn org_id(&self) -> &str {
        &self.org_id
    }
}
impl Ruled for crate::souk::billing::v1::OpenAccountRequest {
    const RULE: &'static Rule = &RULES[6];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::OpenWalletRequest {
    const RULE: &'static Rule = &RULES[7];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::PutPriceScheduleRequest {
    const RULE: &'static Rule = &RULES[8];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::ReleaseRequest {
    const RULE: &'static Rule = &RULES[9];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::ReverseTopUpRequest {
    const RULE: &'static Rule = &RULES[10];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::SetAccountScheduleRequest {
    const RULE: &'static Rule = &RULES[11];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::SetAccountStateRequest {
    const RULE: &'static Rule = &RULES[12];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::SetWalletStateRequest {
    const RULE: &'static Rule = &RULES[13];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::SettleRequest {
    const RULE: &'static Rule = &RULES[14];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::TopUpRequest {
    const RULE: &'static Rule = &RULES[15];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::billing::v1::WatchWalletRequest {
    const RULE: &'static Rule = &RULES[16];
    fn org_id(&self) -> &str {
        &self.org_id
    }
}
impl Ruled for crate::souk::catalog::v1::CreateOfferingRequest {
    const RULE: &'static Rule = &RULES[17];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::catalog::v1::EndOfferingLifeRequest {
    const RULE: &'static Rule = &RULES[18];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::catalog::v1::GetOfferingRequest {
    const RULE: &'static Rule = &RULES[19];
}
impl Ruled for crate::souk::catalog::v1::GetOfferingVersionRequest {
    const RULE: &'static Rule = &RULES[20];
}
impl Ruled for crate::souk::catalog::v1::ListCapabilitiesRequest {
    const RULE: &'static Rule = &RULES[21];
}
impl Ruled for crate::souk::catalog::v1::ListOfferingVersionsRequest {
    const RULE: &'static Rule = &RULES[22];
}
impl Ruled for crate::souk::catalog::v1::ListOfferingsRequest {
    const RULE: &'static Rule = &RULES[23];
}
impl Ruled for crate::souk::catalog::v1::PauseOfferingRequest {
    const RULE: &'static Rule = &RULES[24];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::catalog::v1::PublishOfferingVersionRequest {
    const RULE: &'static Rule = &RULES[25];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::catalog::v1::ResolvePlanRequest {
    const RULE: &'static Rule = &RULES[26];
}
impl Ruled for crate::souk::catalog::v1::ResumeOfferingRequest {
    const RULE: &'static Rule = &RULES[27];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::commerce::v1::AddShopRequest {
    const RULE: &'static Rule = &RULES[28];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::commerce::v1::IngestOrderSnapshotRequest {
    const RULE: &'static Rule = &RULES[29];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::commerce::v1::LinkBuyerRequest {
    const RULE: &'static Rule = &RULES[30];
    fn project_id(&self) -> &str {
        &self.project_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::commerce::v1::ListOrdersRequest {
    const RULE: &'static Rule = &RULES[31];
}
impl Ruled for crate::souk::commerce::v1::ListShopsRequest {
    const RULE: &'static Rule = &RULES[32];
}
impl Ruled for crate::souk::commerce::v1::MapVariantRequest {
    const RULE: &'static Rule = &RULES[33];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::commerce::v1::ReplayOrderRequest {
    const RULE: &'static Rule = &RULES[34];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::delivery::v1::ApplyRequest {
    const RULE: &'static Rule = &RULES[35];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::delivery::v1::GetAppliedRequest {
    const RULE: &'static Rule = &RULES[36];
}
impl Ruled for crate::souk::delivery::v1::RemoveRequest {
    const RULE: &'static Rule = &RULES[37];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::delivery::v1::WatchAppliedRequest {
    const RULE: &'static Rule = &RULES[38];
}
impl Ruled for crate::souk::events::v1::FollowRequest {
    const RULE: &'static Rule = &RULES[39];
}
impl Ruled for crate::souk::gateway::v1::IssueTokenRequest {
    const RULE: &'static Rule = &RULES[40];
}
impl Ruled for crate::souk::gateway::v1::SignInRequest {
    const RULE: &'static Rule = &RULES[41];
}
impl Ruled for crate::souk::instances::v1::AutoActivateRequest {
    const RULE: &'static Rule = &RULES[42];
    fn project_id(&self) -> &str {
        &self.project_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::instances::v1::CreateInstanceRequest {
    const RULE: &'static Rule = &RULES[43];
    fn project_id(&self) -> &str {
        &self.project_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::instances::v1::GetEntitlementsRequest {
    const RULE: &'static Rule = &RULES[44];
}
impl Ruled for crate::souk::instances::v1::GetInstanceRequest {
    const RULE: &'static Rule = &RULES[45];
}
impl Ruled for crate::souk::instances::v1::ListInstanceEventsRequest {
    const RULE: &'static Rule = &RULES[46];
}
impl Ruled for crate::souk::instances::v1::ListInstancesRequest {
    const RULE: &'static Rule = &RULES[47];
    fn project_id(&self) -> &str {
        &self.project_id
    }
}
impl Ruled for crate::souk::instances::v1::PauseRequest {
    const RULE: &'static Rule = &RULES[48];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::instances::v1::ResumeRequest {
    const RULE: &'static Rule = &RULES[49];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::instances::v1::TerminateRequest {
    const RULE: &'static Rule = &RULES[50];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::instances::v1::UpdateConfigRequest {
    const RULE: &'static Rule = &RULES[51];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::instances::v1::WatchInstanceRequest {
    const RULE: &'static Rule = &RULES[52];
}
impl Ruled for crate::souk::models::v1::DeleteModelEndpointRequest {
    const RULE: &'static Rule = &RULES[53];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::models::v1::GetModelEndpointRequest {
    const RULE: &'static Rule = &RULES[54];
}
impl Ruled for crate::souk::models::v1::ListModelEndpointsRequest {
    const RULE: &'static Rule = &RULES[55];
}
impl Ruled for crate::souk::models::v1::PutModelEndpointRequest {
    const RULE: &'static Rule = &RULES[56];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::models::v1::ResolveModelEndpointRequest {
    const RULE: &'static Rule = &RULES[57];
}
impl Ruled for crate::souk::operations::v1::HoldWritesRequest {
    const RULE: &'static Rule = &RULES[58];
}
impl Ruled for crate::souk::runner::v1::CheckFlowRequest {
    const RULE: &'static Rule = &RULES[59];
}
impl Ruled for crate::souk::runner::v1::ExecuteRequest {
    const RULE: &'static Rule = &RULES[60];
}
impl Ruled for crate::souk::runner::v1::TestModelEndpointRequest {
    const RULE: &'static Rule = &RULES[61];
}
impl Ruled for crate::souk::runs::v1::CancelRunRequest {
    const RULE: &'static Rule = &RULES[62];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::runs::v1::CreateRunRequest {
    const RULE: &'static Rule = &RULES[63];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::runs::v1::GetRunRequest {
    const RULE: &'static Rule = &RULES[64];
}
impl Ruled for crate::souk::runs::v1::ListRunsRequest {
    const RULE: &'static Rule = &RULES[65];
    fn project_id(&self) -> &str {
        &self.project_id
    }
}
impl Ruled for crate::souk::runs::v1::WatchRunRequest {
    const RULE: &'static Rule = &RULES[66];
}
impl Ruled for crate::souk::tenancy::v1::AcceptInvitationRequest {
    const RULE: &'static Rule = &RULES[67];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::AddTeamMemberRequest {
    const RULE: &'static Rule = &RULES[68];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::AutoCreateWorkspaceRequest {
    const RULE: &'static Rule = &RULES[69];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::CreateApiKeyRequest {
    const RULE: &'static Rule = &RULES[70];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::CreateOrgRequest {
    const RULE: &'static Rule = &RULES[71];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::CreateProjectRequest {
    const RULE: &'static Rule = &RULES[72];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::CreateSignInLinkRequest {
    const RULE: &'static Rule = &RULES[73];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::CreateTeamRequest {
    const RULE: &'static Rule = &RULES[74];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::DeleteTeamRequest {
    const RULE: &'static Rule = &RULES[75];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::EndSessionRequest {
    const RULE: &'static Rule = &RULES[76];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::GetCallerRequest {
    const RULE: &'static Rule = &RULES[77];
}
impl Ruled for crate::souk::tenancy::v1::GetProjectRequest {
    const RULE: &'static Rule = &RULES[78];
    fn project_id(&self) -> &str {
        &self.project_id
    }
}
impl Ruled for crate::souk::tenancy::v1::InviteMemberRequest {
    const RULE: &'static Rule = &RULES[79];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::ListApiKeysRequest {
    const RULE: &'static Rule = &RULES[80];
    fn org_id(&self) -> &str {
        &self.org_id
    }
}
impl Ruled for crate::souk::tenancy::v1::ListAuditEntriesRequest {
    const RULE: &'static Rule = &RULES[81];
    fn org_id(&self) -> &str {
        &self.org_id
    }
}
impl Ruled for crate::souk::tenancy::v1::ListInvitationsRequest {
    const RULE: &'static Rule = &RULES[82];
    fn org_id(&self) -> &str {
        &self.org_id
    }
}
impl Ruled for crate::souk::tenancy::v1::ListMembersRequest {
    const RULE: &'static Rule = &RULES[83];
    fn org_id(&self) -> &str {
        &self.org_id
    }
}
impl Ruled for crate::souk::tenancy::v1::ListProjectsRequest {
    const RULE: &'static Rule = &RULES[84];
    fn org_id(&self) -> &str {
        &self.org_id
    }
}
impl Ruled for crate::souk::tenancy::v1::ListSessionsRequest {
    const RULE: &'static Rule = &RULES[85];
}
impl Ruled for crate::souk::tenancy::v1::ListTeamsRequest {
    const RULE: &'static Rule = &RULES[86];
    fn org_id(&self) -> &str {
        &self.org_id
    }
}
impl Ruled for crate::souk::tenancy::v1::RedeemSignInLinkRequest {
    const RULE: &'static Rule = &RULES[87];
}
impl Ruled for crate::souk::tenancy::v1::RemoveMemberRequest {
    const RULE: &'static Rule = &RULES[88];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::RemoveTeamMemberRequest {
    const RULE: &'static Rule = &RULES[89];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::ResolvePrincipalRequest {
    const RULE: &'static Rule = &RULES[90];
}
impl Ruled for crate::souk::tenancy::v1::RevokeApiKeyRequest {
    const RULE: &'static Rule = &RULES[91];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::RevokeInvitationRequest {
    const RULE: &'static Rule = &RULES[92];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::RevokeSessionRequest {
    const RULE: &'static Rule = &RULES[93];
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
impl Ruled for crate::souk::tenancy::v1::SetMemberRoleRequest {
    const RULE: &'static Rule = &RULES[94];
    fn org_id(&self) -> &str {
        &self.org_id
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
}
