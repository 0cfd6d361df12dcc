//! Who may call what, as people wrote it down and reviewed it: `expected.txt`. Not made from the rules, so a
//! rule that changes is seen here.

use std::collections::BTreeMap;

use tonic::Code;

use crate::world::{Acting, Who};

/// What the file says of one method.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Whether it exists on the public port.
    edge: bool,
    /// `anyone`, `own`, `viewer`, `member`, `admin`, `operator` or `nobody`: the least who may.
    least: String,
    /// The scope that a narrowed key needs; `-`: no narrowed key may.
    pub(crate) scope: String,
    /// What the admin of another org is told.
    foreign: String,
    /// The parts that may; `every` is all of them.
    parts: Vec<String>,
    /// What a part that may is told when it acts for another org, and for no org.
    away: String,
    platform: String,
}

/// The whole file.
pub(crate) fn read() -> BTreeMap<String, Line> {
    let lines =
        include_str!("expected.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut found = BTreeMap::new();
    for line in lines {
        let fields: Vec<_> = line.split('|').map(str::trim).collect();
        let [rpc, door, least, scope, foreign, parts, away, platform] = fields[..] else {
            panic!("expected.txt: eight fields, not {}: {line}", fields.len())
        };
        assert!(["edge", "mesh"].contains(&door), "{line}");
        let line = Line {
            edge: door == "edge",
            least: least.to_owned(),
            scope: scope.to_owned(),
            foreign: foreign.to_owned(),
            parts: parts.split_whitespace().filter(|name| *name != "-").map(str::to_owned).collect(),
            away: away.to_owned(),
            platform: platform.to_owned(),
        };
        assert!(found.insert(rpc.to_owned(), line).is_none(), "expected.txt names {rpc} twice");
    }
    found
}

fn code(word: &str) -> Code {
    match word {
        "ok" => Code::Ok,
        "denied" => Code::PermissionDenied,
        "hidden" => Code::NotFound,
        other => panic!("expected.txt: no such word: {other}"),
    }
}

impl Line {
    /// What `who` is told.
    pub(crate) fn code(&self, who: Who) -> Code {
        let rank = match who {
            Who::Part(part, acting) => return self.part(part.as_str(), acting),
            _ if !self.edge => return Code::Unimplemented,
            Who::Foreign => return code(&self.foreign),
            Who::Anonymous => 0,
            Who::Viewer => 1,
            Who::Member => 2,
            Who::Admin => 3,
            Who::Operator => 4,
        };
        let least = match self.least.as_str() {
            "anyone" => 0,
            "own" | "viewer" => 1,
            "member" => 2,
            "admin" => 3,
            "operator" => 4,
            other => panic!("expected.txt: no such role: {other}"),
        };
        match rank {
            rank if rank >= least => Code::Ok,
            0 => Code::Unauthenticated,
            _ => Code::PermissionDenied,
        }
    }

    fn part(&self, part: &str, acting: Acting) -> Code {
        if !self.parts.iter().any(|name| name == part || name == "every") {
            return Code::PermissionDenied;
        }
        match acting {
            Acting::Home => Code::Ok,
            Acting::Away => code(&self.away),
            Acting::Platform => code(&self.platform),
        }
    }

    /// Whether the caller acts for themselves, in whatever org.
    pub(crate) fn is_own(&self) -> bool {
        self.least == "own"
    }

    /// Whether this caller is answered for the whole platform, not for one org.
    pub(crate) fn is_platforms(&self, who: Who) -> bool {
        match who {
            Who::Operator | Who::Foreign => true,
            Who::Part(_, Acting::Home) => self.away == "ok",
            Who::Part(..) => true,
            _ => self.is_own(),
        }
    }

    /// Whether it answers without any credential.
    pub(crate) fn is_open(&self) -> bool {
        self.edge && self.least == "anyone"
    }

    /// Whether it exists on the public port.
    pub(crate) const fn is_edge(&self) -> bool {
        self.edge
    }
}
