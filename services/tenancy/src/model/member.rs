//! Members of an org: who belongs, with which role, and that an org never loses its last admin.

use serde::{Deserialize, Serialize};
use souk_types::{OrgId, Role, Time, UserId};

use super::User;

/// A person in an org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// The org.
    pub(crate) org_id: OrgId,
    /// The person.
    pub(crate) user: User,
    /// What they may do.
    pub(crate) role: Role,
    /// Since when.
    pub(crate) create_time: Time,
    /// Row version.
    pub(crate) version: i64,
}

/// Asks for another role of a member of the scope's org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SetMemberRole {
    /// The member.
    pub(crate) user_id: UserId,
    /// The role.
    pub(crate) role: Role,
    /// The etag it was read at; `None`: whatever it is.
    pub(crate) etag: Option<String>,
}

/// Names a member of the scope's org to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RemoveMember {
    /// The member.
    pub(crate) user_id: UserId,
}

/// Whether an org with `admins` admins keeps one when a member's role goes from `was` to `becomes`;
/// `None`: the member leaves.
#[must_use]
pub(crate) fn keeps_admin(admins: u64, was: Role, becomes: Option<Role>) -> bool {
    was != Role::Admin || becomes == Some(Role::Admin) || admins > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_admin_must_stay() {
        let roles = [None, Some(Role::Viewer), Some(Role::Member), Some(Role::Admin)];
        for becomes in roles {
            assert_eq!(keeps_admin(1, Role::Admin, becomes), becomes == Some(Role::Admin), "{becomes:?}");
            assert!(keeps_admin(2, Role::Admin, becomes));
            assert!(keeps_admin(1, Role::Member, becomes) && keeps_admin(1, Role::Viewer, becomes));
        }
    }
}
