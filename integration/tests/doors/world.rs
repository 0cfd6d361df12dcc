//! A running platform with two orgs and people of every role, and what a case needs to stand there.

use std::{path::PathBuf, sync::Arc};

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use souk_kit::{
    clock::{MachineClock, MachineRandom},
    keyring::{Keyring, Purpose},
    token::{ANY_PART, LIFETIME, Tokens},
};
use souk_types::{Caller, Clock as _, OrgId, PartName, Time};

use crate::{
    program::Souk,
    tables::Tables,
    wire::{Answer, Port, Sent, Wire},
};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Without any credential.
    Anonymous,
    /// A viewer of the home org.
    Viewer,
    /// A member of the home org.
    Member,
    /// An admin of the home org.
    Admin,
    /// An admin of the other org, and of nothing else.
    Foreign,
    /// Runs the platform.
    Operator,
    /// A part, on the operator's socket.
    Part(PartName, Acting),
}

/// For whom a part acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Acting {
    /// The org whose things the request is about.
    Home,
    /// The other org.
    Away,
    /// No org.
    Platform,
}

/// People, in the order of what they may.
pub(crate) const PEOPLE: [Who; 6] =
    [Who::Anonymous, Who::Viewer, Who::Member, Who::Admin, Who::Foreign, Who::Operator];

/// A word of the other org's things.
const FOREIGN: &str = "foreignmark";

/// A person who is signed in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) user_id: String,
    pub(crate) token: String,
}

/// An org and its project.
#[derive(Clone, Debug, Default)]
pub(crate) struct Home {
    pub(crate) org: String,
    pub(crate) project: String,
}

/// An offering with a self-service plan and one that must be bought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offering {
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) version: String,
    pub(crate) free: String,
    pub(crate) paid: String,
    pub(crate) schedule: String,
    pub(crate) artifact: String,
}

/// The platform and everybody in it.
pub(crate) struct World {
    pub(crate) souk: Souk,
    pub(crate) wire: Wire,
    pub(crate) tables: Tables,
    keyring: Arc<Keyring>,
    pub(crate) home: Home,
    pub(crate) away: Home,
    /// The org that the present case is about: home, unless the case took another.
    pub(crate) stage: Home,
    people: [Person; 6],
    /// Those who stand for the roles when nobody stands in for them.
    regulars: [Person; 6],
    pub(crate) stock: Offering,
    /// A model that never answers, and the offering that asks it.
    pub(crate) silent: Option<(std::net::TcpListener, Offering)>,
    /// Runs that wait for it.
    pub(crate) hanging: Vec<String>,
    /// Ids and words of the other org's things, which nobody of the home org may read.
    pub(crate) foreign: Vec<String>,
    next: u128,
}

/// The folder of recorded flows.
pub(crate) fn flow(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../services/runner/tests/fixtures/flows");
    std::fs::read(folder.join(format!("{name}.flow.json"))).unwrap()
}

/// A text below a path of keys: `text(&answer, "instance.state")`.
pub(crate) fn text(value: &Value, path: &str) -> String {
    let found = path.split('.').fold(value, |value, key| &value[key]);
    found.as_str().unwrap_or_else(|| panic!("no text at {path} of {value}")).to_owned()
}

impl World {
    /// A platform on an empty directory.
    pub(crate) fn new() -> Self {
        let souk = Souk::up();
        let wire = Wire::to(&souk);
        let tables = Tables::of(&souk.data(), wire.runtime.handle());
        let keyring = Keyring::open(&souk.data().join("keyring"), &MachineRandom::default()).unwrap();
        let mut world = Self {
            souk,
            wire,
            tables,
            keyring: Arc::new(keyring),
            home: Home::default(),
            away: Home::default(),
            stage: Home::default(),
            people: Default::default(),
            regulars: Default::default(),
            stock: Offering::default(),
            silent: None,
            hanging: Vec::new(),
            foreign: Vec::new(),
            next: 1 << 100,
        };
        world.settle_in();
        world
    }

    fn settle_in(&mut self) {
        let saved = std::fs::read_to_string(self.souk.data().join("operator.toml")).unwrap();
        let saved: toml::Table = toml::from_str(&saved).unwrap();
        self.person_mut(Who::Operator).token = saved["token"].as_str().unwrap().to_owned();
        let email = text(&self.must(Who::Operator, "tenancy.GetCaller", json!({})), "user.email");
        *self.person_mut(Who::Operator) = self.sign_in(&email);
        for (who, org) in [(Who::Admin, "home"), (Who::Foreign, "away")] {
            let email = self.fresh(org) + "@doors.example";
            *self.person_mut(who) = self.sign_in(&email);
            let made = self.must(who, "tenancy.CreateOrg", json!({"displayName": org}));
            let home = Home { org: text(&made, "org.orgId"), project: text(&made, "project.projectId") };
            if who == Who::Admin { self.home = home } else { self.away = home }
        }
        self.stage = self.home.clone();
        self.regulars = self.people.clone();
        for (who, role) in [(Who::Viewer, "ROLE_VIEWER"), (Who::Member, "ROLE_MEMBER")] {
            *self.person_mut(who) = self.newcomer(Some(role));
        }
        self.rest();
        self.stock = self.offering();
        self.regulars = self.people.clone();
        self.top_up("stock", 1_000_000_000_000);
        self.furnish();
        self.rest();
    }

    /// Gives the other org one of everything, each with a word that is found nowhere else.
    fn furnish(&mut self) {
        let (org, project) = (self.away.org.clone(), self.away.project.clone());
        self.stage = self.away.clone();
        self.top_up(FOREIGN, 1_000_000_000);
        let (version, plan) = (self.stock.version.clone(), self.stock.free.clone());
        let ask = json!({"projectId": project, "offeringVersionId": version, "planId": plan});
        let made = self.must(Who::Foreign, "instances.CreateInstance", ask);
        let instance = text(&made, "instance.instanceId");
        self.rest();
        let ask = json!({"instanceId": instance, "input": FOREIGN});
        let run = text(&self.must(Who::Foreign, "runs.CreateRun", ask), "run.runId");
        for (rpc, ask) in [
            ("tenancy.CreateProject", json!({"orgId": org, "slug": FOREIGN})),
            ("tenancy.CreateApiKey", json!({"orgId": org, "displayName": FOREIGN})),
            ("tenancy.CreateTeam", json!({"orgId": org, "slug": FOREIGN})),
            (
                "tenancy.InviteMember",
                json!({"orgId": org, "email": format!("{FOREIGN}@doors.example"), "role": "ROLE_VIEWER"}),
            ),
        ] {
            self.must(Who::Foreign, rpc, ask);
        }
        let user = self.person(Who::Foreign).user_id;
        self.foreign = vec![FOREIGN.to_owned(), org, project, instance, run, user];
        self.stage = self.home.clone();
    }

    /// The platform was started again: it listens elsewhere.
    pub(crate) fn moved(&mut self) {
        self.wire = Wire::to(&self.souk);
        self.tables = Tables::of(&self.souk.data(), self.wire.runtime.handle());
    }

    fn place(who: Who) -> usize {
        PEOPLE.iter().position(|known| *known == who).unwrap_or_else(|| panic!("{who:?} is no person"))
    }

    fn person_mut(&mut self, who: Who) -> &mut Person {
        &mut self.people[Self::place(who)]
    }

    /// The person who stands for a role.
    pub(crate) fn person(&self, who: Who) -> Person {
        self.people[Self::place(who)].clone()
    }

    /// Puts another person in the place of a role; gives the one who stood there.
    pub(crate) fn stand_in(&mut self, who: Who, person: Person) -> Person {
        std::mem::replace(self.person_mut(who), person)
    }

    /// Nobody stands in for anybody any more, and nothing hangs.
    pub(crate) fn regulars(&mut self) {
        self.people = self.regulars.clone();
        // A run that a case left hanging would end by itself in the midst of another.
        for run in std::mem::take(&mut self.hanging) {
            self.must(Who::Admin, "runs.CancelRun", json!({"runId": run}));
        }
    }

    /// A word that was never used before.
    pub(crate) fn fresh(&mut self, word: &str) -> String {
        self.next += 1;
        format!("{word}-{}", self.next - (1 << 100))
    }

    /// Bits that no id has yet.
    pub(crate) fn bits(&mut self) -> u128 {
        self.next += 1;
        self.next
    }

    /// The whole name of a method: `billing.TopUp` is `souk.billing.v1.BillingService/TopUp`.
    pub(crate) fn rpc(short: &str) -> String {
        let (part, method) = short.split_once('.').unwrap();
        let mut service = part.to_owned();
        service[..1].make_ascii_uppercase();
        format!("souk.{part}.v1.{service}Service/{method}")
    }

    /// The call as it is sent: signed for `who`, with a request id where the method takes one and the body
    /// names none.
    pub(crate) fn sent(&mut self, who: Who, short: &str, body: Value) -> (Port, Sent) {
        let rpc = Self::rpc(short);
        let mut body = body;
        if self.wire.has_request_id(&rpc) && body.get("requestId").is_none() {
            body["requestId"] = json!(self.fresh("doors"));
        }
        let mut headers = Vec::new();
        let port = match who {
            Who::Part(part, acting) => {
                let token = self.part_token(part, self.acting_org(acting));
                headers.push(("authorization".to_owned(), format!("Bearer {token}")));
                Port::Socket
            }
            Who::Anonymous => Port::Public,
            person => {
                let token = self.person(person).token;
                headers.push(("authorization".to_owned(), format!("Bearer {token}")));
                Port::Public
            }
        };
        // What every part mounts is told apart by this header.
        headers.push(("souk-part".to_owned(), "billing".to_owned()));
        (port, Sent { rpc, body, headers })
    }

    fn acting_org(&self, acting: Acting) -> Option<OrgId> {
        match acting {
            Acting::Home => Some(self.stage.org.parse().unwrap()),
            Acting::Away => Some(self.away.org.parse().unwrap()),
            Acting::Platform => None,
        }
    }

    /// A token of a part for the operator's socket.
    pub(crate) fn part_token(&self, part: PartName, org: Option<OrgId>) -> String {
        self.signed(part, &Caller::Part { part, org }, ANY_PART)
    }

    /// What `signer` says of a caller to an audience.
    pub(crate) fn signed(&self, signer: PartName, caller: &Caller, audience: &str) -> String {
        let clock = Arc::new(MachineClock);
        let end = clock.now() + LIFETIME;
        Tokens::new(signer, Arc::clone(&self.keyring), clock).sign(caller, audience, end).unwrap()
    }

    /// As `signed`, for any part, with an end of one's own.
    pub(crate) fn signed_until(
        &self,
        signer: PartName,
        caller: &Caller,
        end: impl Fn(Time) -> Time,
    ) -> String {
        let clock = Arc::new(MachineClock);
        let end = end(clock.now());
        Tokens::new(signer, Arc::clone(&self.keyring), clock).sign(caller, ANY_PART, end).unwrap()
    }

    /// An access token that says what a good one says, but ends (in seconds) when one wants, signed as the
    /// door signs.
    pub(crate) fn access_token_until(&self, good: &str, end: impl Fn(i64) -> i64) -> String {
        let fields: Vec<_> = good.split('.').collect();
        let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(fields[1]).unwrap()).unwrap();
        claims["exp"] = json!(end(MachineClock.now().seconds()));
        let head = format!("{}.{}", fields[0], URL_SAFE_NO_PAD.encode(claims.to_string()));
        let seed = self.keyring.secrets(Purpose::Session)[0];
        let key = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        format!("{head}.{}", URL_SAFE_NO_PAD.encode(key.sign(head.as_bytes())))
    }

    /// Calls.
    pub(crate) fn call(&mut self, who: Who, short: &str, body: Value) -> Answer {
        let (port, sent) = self.sent(who, short, body);
        self.wire.call(port, &sent)
    }

    /// Calls what must be answered.
    pub(crate) fn must(&mut self, who: Who, short: &str, body: Value) -> Value {
        let answer = self.call(who, short, body.clone());
        answer.unwrap_or_else(|no| panic!("{who:?} {short} {body}: {no:?}"))
    }

    /// A part that acts for the stage's org asks what must be answered.
    pub(crate) fn part(&mut self, part: PartName, short: &str, body: Value) -> Value {
        self.must(Who::Part(part, Acting::Home), short, body)
    }

    /// Signs somebody in.
    pub(crate) fn sign_in(&mut self, email: &str) -> Person {
        self.session(email).0
    }

    /// Signs somebody in; gives the session's secret too.
    pub(crate) fn session(&mut self, email: &str) -> (Person, String) {
        let link = self.must(Who::Operator, "tenancy.CreateSignInLink", json!({"email": email}));
        let made = self.must(Who::Anonymous, "gateway.SignIn", json!({"code": link["code"]}));
        let (user_id, token) = (text(&made, "userId"), text(&made, "accessToken"));
        (Person { email: email.to_owned(), user_id, token }, text(&made, "sessionSecret"))
    }

    /// A person nobody knew, with a role in the home org.
    pub(crate) fn newcomer(&mut self, role: Option<&str>) -> Person {
        let email = self.fresh("person") + "@doors.example";
        let person = self.sign_in(&email);
        let Some(role) = role else { return person };
        let ask = json!({"orgId": self.home.org, "email": email, "role": role});
        let at_home = self.regulars[Self::place(Who::Admin)].clone();
        let kept = self.stand_in(Who::Admin, at_home);
        let invited = self.must(Who::Admin, "tenancy.InviteMember", ask);
        self.stand_in(Who::Admin, kept);
        let kept = self.stand_in(Who::Viewer, person.clone());
        self.must(Who::Viewer, "tenancy.AcceptInvitation", json!({"code": invited["code"]}));
        self.stand_in(Who::Viewer, kept);
        person
    }
}
