//! Things that stand in the world before a case calls: made over the wire, as everything is.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use souk_types::{InstanceId, OrgId, PartName};

use crate::world::{Acting, Home, Offering, Person, Who, World, flow, text};

/// The prices of every offering here.
pub(crate) fn prices(amount: u64) -> Value {
    json!({
        "prices": [
            {"dimension": "runs", "amountMicros": amount.to_string()},
            {"dimension": "input_tokens", "amountMicros": "2000"},
            {"dimension": "output_tokens", "amountMicros": "6000"},
        ],
        "defaultEstimate": [
            {"dimension": "runs", "quantity": "1"},
            {"dimension": "input_tokens", "quantity": "100"},
            {"dimension": "output_tokens", "quantity": "100"},
        ],
    })
}

impl World {
    /// What publishes a version of an offering.
    pub(crate) fn manifest(offering: &str, flow_name: &str) -> Value {
        json!({
            "offeringId": offering,
            "flowJson": STANDARD.encode(flow(flow_name)),
            "capabilities": ["chat"],
            "plans": [
                {"slug": "free", "displayName": "Free", "selfService": true},
                {"slug": "paid", "displayName": "Paid"},
            ],
            "defaultPlanSlug": "free",
            "priceSchedule": prices(1_000_000),
        })
    }

    /// What makes an offering.
    pub(crate) fn product(&mut self) -> Value {
        let slug = self.fresh("offer");
        json!({"slug": slug, "displayName": "An offering"})
    }

    /// A fresh offering without a version.
    pub(crate) fn bare_offering(&mut self) -> (String, String) {
        let product = self.product();
        let made = self.must(Who::Operator, "catalog.CreateOffering", product.clone());
        (text(&made, "offering.offeringId"), text(&product, "slug"))
    }

    /// A fresh offering with a version of a flow.
    pub(crate) fn offering_of(&mut self, flow_name: &str) -> Offering {
        let (id, slug) = self.bare_offering();
        self.published(id, slug, flow_name)
    }

    /// A fresh offering with a version of the flow that repeats what it hears.
    pub(crate) fn offering(&mut self) -> Offering {
        self.offering_of("echo")
    }

    /// Publishes a version of an offering.
    pub(crate) fn published(&mut self, id: String, slug: String, flow_name: &str) -> Offering {
        let manifest = Self::manifest(&id, flow_name);
        let made = self.must(Who::Operator, "catalog.PublishOfferingVersion", manifest);
        let version = &made["offeringVersion"];
        Offering {
            version: text(version, "offeringVersionId"),
            free: text(&version["plans"][0], "planId"),
            paid: text(&version["plans"][1], "planId"),
            schedule: text(version, "priceSchedule.priceScheduleHash"),
            artifact: text(version, "artifactHash"),
            id,
            slug,
        }
    }

    /// Credits for the stage's org, from a source of this name.
    pub(crate) fn top_up(&mut self, source: &str, micros: u64) -> Value {
        let ask = json!({
            "orgId": self.stage.org, "amountMicros": micros.to_string(), "source": "SOURCE_PURCHASE",
            "sourceRef": source,
        });
        self.part(PartName::Commerce, "billing.TopUp", ask)
    }

    /// Takes the stage to an org that nobody knows: it stands in no table yet.
    pub(crate) fn nowhere(&mut self) -> String {
        let org = OrgId::from_bits(self.bits()).to_string();
        self.stage = Home { org: org.clone(), project: String::new() };
        org
    }

    /// Takes the stage to an org of its own, with a wallet.
    pub(crate) fn elsewhere(&mut self) -> String {
        let org = self.nowhere();
        self.part(PartName::Tenancy, "billing.OpenWallet", json!({"orgId": org}));
        org
    }

    /// The id of an instance that nobody made.
    pub(crate) fn instance_id(&mut self) -> String {
        InstanceId::from_bits(self.bits()).to_string()
    }

    /// A fresh instance of the stage's project, which serves.
    pub(crate) fn instance(&mut self) -> String {
        let stock = self.stock.clone();
        self.instance_of(&stock)
    }

    /// As `instance`, of an offering.
    pub(crate) fn instance_of(&mut self, offering: &Offering) -> String {
        let ask = json!({
            "projectId": self.stage.project, "offeringVersionId": offering.version, "planId": offering.free,
        });
        let made = self.must(Who::Admin, "instances.CreateInstance", ask);
        self.rest();
        text(&made, "instance.instanceId")
    }

    /// An open account of an instance that nobody made.
    pub(crate) fn account(&mut self) -> String {
        let id = self.instance_id();
        let ask = json!({
            "orgId": self.stage.org, "instanceId": id, "priceScheduleHash": self.stock.schedule,
        });
        self.part(PartName::Instances, "billing.OpenAccount", ask);
        id
    }

    /// An open reservation.
    pub(crate) fn reservation(&mut self) -> String {
        let account = self.account();
        let made = self.part(PartName::Runs, "billing.Authorize", json!({"instanceId": account}));
        assert_eq!(made["allowed"], true, "{made}");
        text(&made, "reservationId")
    }

    /// A run that is over.
    pub(crate) fn run(&mut self) -> Value {
        let instance = self.instance();
        let made =
            self.must(Who::Admin, "runs.CreateRun", json!({"instanceId": instance, "input": "a word"}));
        made["run"].clone()
    }

    /// A run that waits for a model which never answers.
    pub(crate) fn hanging_run(&mut self) -> String {
        let offering = self.silent();
        let instance = self.instance_of(&offering);
        let word = self.fresh("hang");
        let (port, sent) =
            self.sent(Who::Admin, "runs.CreateRun", json!({"instanceId": instance, "input": word}));
        self.wire.call_and_leave(port, sent);
        let question = format!("SELECT run_id FROM run WHERE input = '{word}' AND state = 'RUNNING'");
        let run = self.wait_for(|world| world.tables.texts("runs", &question).pop());
        self.hanging.push(run.clone());
        run
    }

    /// An offering whose model takes every question and answers none.
    fn silent(&mut self) -> Offering {
        if let Some((_, offering)) = &self.silent {
            return offering.clone();
        }
        // Nobody accepts: the system does, and keeps what is sent for a reader that never comes.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", nobody.local_addr().unwrap());
        let ask = json!({"name": "MODEL_API_KEY", "url": url, "apiKey": "k-0123456789", "defaultModel": "m"});
        self.must(Who::Operator, "models.PutModelEndpoint", ask);
        let offering = self.offering_of("llm-chat");
        self.silent = Some((nobody, offering.clone()));
        offering
    }

    /// A shop that nobody knew.
    pub(crate) fn shop_ask(&mut self) -> Value {
        let name = self.fresh("shop");
        let jwks =
            r#"{"keys":[{"kty":"RSA","n":"sXchTcPp","e":"AQAB","use":"sig","kid":"k","alg":"RS256"}]}"#;
        json!({
            "apiUrl": format!("https://{name}.example/graphql/"), "jwksJson": jwks,
            "fallbackProjectId": self.home.project,
        })
    }

    /// A shop.
    pub(crate) fn shop(&mut self) -> String {
        let ask = self.shop_ask();
        text(&self.must(Who::Operator, "commerce.AddShop", ask), "shop.shopId")
    }

    /// What brings a paid order of one unit of an offering's plan.
    pub(crate) fn snapshot(&mut self, shop: &str, offering_slug: &str) -> Value {
        let order = self.fresh("order");
        json!({"shopId": shop, "snapshot": {
            "externalId": order, "number": order, "updateTime": "2026-01-01T00:00:00Z",
            "issueTime": "2026-01-01T00:00:00Z", "status": "UNFULFILLED", "chargeStatus": "FULL",
            "currency": "USD", "buyerEmail": "buyer@doors.example", "bodyHash": order,
            "lines": [{
                "lineId": format!("{order}-line"), "variantId": format!("{order}-variant"), "sku": "one",
                "productName": "One", "quantity": 1, "unitPrice": "10.00", "declaredKind": "plan",
                "declaredOffering": offering_slug, "declaredPlan": "paid",
            }],
        }})
    }

    /// An order whose line waits for an offering that nobody published. Gives order and slug.
    pub(crate) fn parked_order(&mut self) -> (String, String) {
        let shop = self.shop();
        let slug = self.fresh("later");
        let ask = self.snapshot(&shop, &slug);
        let taken =
            self.must(Who::Part(PartName::Commerce, Acting::Platform), "commerce.IngestOrderSnapshot", ask);
        self.rest();
        (text(&taken, "orderId"), slug)
    }

    /// A model endpoint's name and what puts it.
    pub(crate) fn endpoint_ask(&mut self) -> Value {
        let name = self.fresh("ENDPOINT").replace('-', "_");
        json!({
            "name": name, "url": "https://model.example/v1", "apiKey": "k-0123456789", "defaultModel": "m",
        })
    }

    /// A model endpoint.
    pub(crate) fn endpoint(&mut self) -> String {
        let ask = self.endpoint_ask();
        self.must(Who::Operator, "models.PutModelEndpoint", ask.clone());
        text(&ask, "name")
    }

    /// A member of the home org who may leave it.
    pub(crate) fn leaver(&mut self) -> Person {
        self.newcomer(Some("ROLE_MEMBER"))
    }

    /// A team of the home org.
    pub(crate) fn team(&mut self) -> String {
        let ask = json!({"orgId": self.home.org, "slug": self.fresh("team")});
        text(&self.must(Who::Admin, "tenancy.CreateTeam", ask), "team.teamId")
    }
}
