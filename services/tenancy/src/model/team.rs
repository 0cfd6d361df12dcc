//! Teams: named groups of an org's members.

use serde::{Deserialize, Serialize};
use souk_types::{OrgId, TeamId, Time, UserId};

use super::{DisplayName, Slug};

/// A named group of an org's members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Team {
    /// Its id.
    pub(crate) team_id: TeamId,
    /// The org.
    pub(crate) org_id: OrgId,
    /// Natural key within the org.
    pub(crate) slug: String,
    /// Text for people.
    pub(crate) display_name: String,
    /// Who is in it.
    pub(crate) users: Vec<UserId>,
    /// When it was made.
    pub(crate) create_time: Time,
    /// Row version.
    pub(crate) version: i64,
}

/// Asks for a team in the scope's org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CreateTeam {
    /// Natural key.
    pub(crate) slug: Slug,
    /// What it is called; `None`: as its slug.
    pub(crate) display_name: Option<DisplayName>,
}

/// What is done about a person and a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Seat {
    /// A member of the org is put into the team.
    Taken,
    /// A person is taken out of it.
    Left,
}

/// Puts a person into a team, or takes them out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ChangeTeam {
    /// The team.
    pub(crate) team_id: TeamId,
    /// The person.
    pub(crate) user_id: UserId,
    /// In or out.
    pub(crate) seat: Seat,
}

/// Names a team to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DeleteTeam {
    /// The team.
    pub(crate) team_id: TeamId,
}
