//! The tables of tenancy, as SQL.

use souk_db::Migration;

/// The schema of tenancy, step by step. A step that was released never changes.
pub(crate) const MIGRATIONS: &[Migration] = &[FIRST, MEMBERS];

const FIRST: Migration = Migration {
    name: "0001-first",
    up: &[
        "CREATE TABLE orgs (
            org_id {id} PRIMARY KEY,
            display_name {text} NOT NULL,
            create_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE TABLE users (
            user_id {id} PRIMARY KEY,
            email {text} NOT NULL UNIQUE,
            display_name {text} NOT NULL,
            platform_role {text},
            create_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE TABLE projects (
            project_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            slug {text} NOT NULL,
            display_name {text} NOT NULL,
            create_time {time} NOT NULL,
            version BIGINT NOT NULL,
            UNIQUE (org_id, slug)
        )",
        "CREATE INDEX projects_by_org ON projects (org_id, project_id)",
        "CREATE TABLE members (
            org_id {id} NOT NULL,
            user_id {id} NOT NULL,
            role {text} NOT NULL,
            create_time {time} NOT NULL,
            version BIGINT NOT NULL,
            PRIMARY KEY (org_id, user_id)
        )",
        "CREATE INDEX members_by_user ON members (user_id, org_id)",
        "CREATE TABLE api_keys (
            api_key_id {id} PRIMARY KEY,
            org_id {id},
            user_id {id} NOT NULL,
            display_name {text} NOT NULL,
            hint {text} NOT NULL,
            secret_hash {text} NOT NULL UNIQUE,
            create_time {time} NOT NULL,
            expire_time {time},
            revoke_time {time},
            version BIGINT NOT NULL
        )",
        "CREATE INDEX api_keys_by_org ON api_keys (org_id, api_key_id)",
        "CREATE TABLE sign_in_links (
            code_hash {id} PRIMARY KEY,
            user_id {id} NOT NULL,
            create_time {time} NOT NULL,
            expire_time {time} NOT NULL,
            redeem_time {time}
        )",
        "CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expire_time)",
        "CREATE TABLE sessions (
            session_id {id} PRIMARY KEY,
            user_id {id} NOT NULL,
            secret_hash {text} NOT NULL UNIQUE,
            create_time {time} NOT NULL,
            expire_time {time} NOT NULL,
            end_time {time},
            version BIGINT NOT NULL
        )",
        "CREATE INDEX sessions_by_expiry ON sessions (expire_time)",
        "CREATE TABLE workspaces (
            org_id {id} PRIMARY KEY,
            project_id {id} NOT NULL,
            trial_user_id {id} UNIQUE,
            trial_micros {micros} NOT NULL,
            state {text} NOT NULL,
            attempts BIGINT NOT NULL,
            next_attempt_time {time},
            last_reason {text} NOT NULL,
            create_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE INDEX workspaces_due ON workspaces (next_attempt_time) WHERE next_attempt_time IS NOT NULL",
    ],
};

const MEMBERS: Migration = Migration {
    name: "0002-members",
    up: &[
        "ALTER TABLE api_keys ADD COLUMN scopes {text} NOT NULL DEFAULT ''",
        "CREATE INDEX api_keys_by_person ON api_keys (user_id, org_id)",
        // When it was first proven that the address is theirs; people of before signed in by a link.
        "ALTER TABLE users ADD COLUMN proof_time {time}",
        "UPDATE users SET proof_time = create_time",
        "CREATE INDEX sessions_by_person ON sessions (user_id, session_id)",
        "CREATE TABLE invitations (
            invitation_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            email {text} NOT NULL,
            role {text} NOT NULL,
            state {text} NOT NULL,
            inviter_user_id {id} NOT NULL,
            code_hash {text} NOT NULL UNIQUE,
            mail_hash {text} NOT NULL UNIQUE,
            create_time {time} NOT NULL,
            expire_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE UNIQUE INDEX invitations_open ON invitations (org_id, email) WHERE state = 'OPEN'",
        "CREATE INDEX invitations_by_org ON invitations (org_id, invitation_id)",
        "CREATE INDEX invitations_by_expiry ON invitations (expire_time)",
        "CREATE TABLE mails (
            invitation_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            email {text} NOT NULL,
            sealed_code {text} NOT NULL,
            state {text} NOT NULL,
            attempts BIGINT NOT NULL,
            next_attempt_time {time},
            last_error {text} NOT NULL,
            create_time {time} NOT NULL,
            expire_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE INDEX mails_due ON mails (next_attempt_time) WHERE next_attempt_time IS NOT NULL",
        "CREATE TABLE teams (
            team_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            slug {text} NOT NULL,
            display_name {text} NOT NULL,
            create_time {time} NOT NULL,
            version BIGINT NOT NULL,
            UNIQUE (org_id, slug)
        )",
        "CREATE TABLE team_members (
            team_id {id} NOT NULL,
            user_id {id} NOT NULL,
            org_id {id} NOT NULL,
            create_time {time} NOT NULL,
            PRIMARY KEY (team_id, user_id)
        )",
        "CREATE INDEX team_members_by_person ON team_members (org_id, user_id)",
        "CREATE TABLE audit_entries (
            audit_entry_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            occur_time {time} NOT NULL,
            actor {text} NOT NULL,
            method {text} NOT NULL,
            request_id {text} NOT NULL,
            outcome {text} NOT NULL,
            resource_id {text} NOT NULL,
            trace_id {text} NOT NULL
        )",
        "CREATE INDEX audit_entries_by_org ON audit_entries (org_id, audit_entry_id)",
        "CREATE INDEX audit_entries_by_time ON audit_entries (occur_time)",
        "ALTER TABLE workspaces ADD COLUMN trial_refused {text} NOT NULL DEFAULT ''",
        "CREATE TABLE trials (
            address {text} PRIMARY KEY,
            user_id {id} NOT NULL UNIQUE,
            org_id {id} NOT NULL,
            create_time {time} NOT NULL
        )",
        "INSERT INTO trials (address, user_id, org_id, create_time)
            SELECT users.email, users.user_id, workspaces.org_id, workspaces.create_time
            FROM workspaces JOIN users ON users.user_id = workspaces.trial_user_id
            WHERE workspaces.trial_micros > 0",
        "CREATE TABLE trial_days (
            day BIGINT NOT NULL,
            mail_domain {text} NOT NULL,
            given BIGINT NOT NULL,
            PRIMARY KEY (day, mail_domain)
        )",
    ],
};
