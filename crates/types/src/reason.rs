//! The one registry of reasons: stable for ever, one line each.
//!
//! A reason is what a program switches on. Renaming or reusing one is a breaking change; add new ones at
//! the end of their block. `gen/errors.md` is made from this table, and every row has a page under
//! `docs/errors/`.

use crate::fault::Class;

macro_rules! reasons {
    ($($name:ident = $text:literal, $class:ident, $what:literal, $remedy:literal;)+) => {
        /// Why a call was refused or failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $(#[doc = $what] $name,)+ }

        impl Reason {
            /// Every reason there is, in the order of the registry.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable name, as it stands in `ErrorInfo.reason`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What a caller can do about it.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)+ }
            }

            /// What happened, in one clause.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Self::$name => $what,)+ }
            }

            /// What to do about it, in one clause.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)+ }
            }
        }
    };
}

reasons! {
    // Every part
    Internal = "INTERNAL", Bug, "an invariant of souk broke", "report it with the trace id; trying again may help";
    Unavailable = "UNAVAILABLE", Unavailable, "something this call needs does not answer", "try again after the stated time";
    DeadlineExceeded = "DEADLINE_EXCEEDED", Late, "the call's deadline passed before the work was done", "read the state before trying again with the same request_id";
    Cancelled = "CANCELLED", Cancelled, "the caller went away", "nothing to do";
    Unimplemented = "UNIMPLEMENTED", Unimplemented, "this method does not exist here", "check the method name and that the part is running";
    InvalidArgument = "INVALID_ARGUMENT", Invalid, "a field of the request is wrong", "mend the fields that the details name";
    MessageTooLarge = "MESSAGE_TOO_LARGE", Exhausted, "the message is larger than 4 MiB", "send less, or use an upload URL";
    TooManyRequests = "TOO_MANY_REQUESTS", Exhausted, "more calls than the limit allows", "slow down; try again after the stated time";
    TokenMissing = "TOKEN_MISSING", Unauthenticated, "the method needs a caller and none is named", "sign in, or send an API key as a bearer token";
    TokenInvalid = "TOKEN_INVALID", Unauthenticated, "the token is not one that souk made, or was revoked", "sign in again, or make a new API key";
    TokenExpired = "TOKEN_EXPIRED", Unauthenticated, "the token's time is over", "sign in again";
    PermissionDenied = "PERMISSION_DENIED", Denied, "the caller may see this but not do it", "ask an admin of the org for the role that the metadata names";
    RequestIdRequired = "REQUEST_ID_REQUIRED", Invalid, "a changing call carries no usable request_id", "send 1 to 255 printable ASCII characters, the same on every try";
    RequestIdReused = "REQUEST_ID_REUSED", Exists, "this request_id was used for another command", "use a new request_id for a new command";
    RequestInProgress = "REQUEST_IN_PROGRESS", Aborted, "the first call with this request_id is still at work", "try again after the stated time with the same request_id";
    SecretAlreadyShown = "SECRET_ALREADY_SHOWN", Precondition, "the secret was shown once, to the first answer", "make a new one and revoke this one";
    EtagMismatch = "ETAG_MISMATCH", Aborted, "somebody changed the thing since it was read", "read it again and redo the change";
    PageTokenInvalid = "PAGE_TOKEN_INVALID", Invalid, "the page token is not one of this list and filter", "start again without a page token";
    ProjectRequired = "PROJECT_REQUIRED", Invalid, "the caller has more than one project, or none", "name the project";
    EventsForgotten = "EVENTS_FORGOTTEN", Precondition, "the log does not hold what follows the position any more", "rebuild from what the part answers, then follow from the floor that the metadata names";
    // tenancy
    OrgNotFound = "ORG_NOT_FOUND", NotFound, "no such org, or not for this caller to see", "check the id";
    ProjectNotFound = "PROJECT_NOT_FOUND", NotFound, "no such project, or not for this caller to see", "check the id";
    UserNotFound = "USER_NOT_FOUND", NotFound, "no such user", "check the id or the address";
    ApiKeyNotFound = "API_KEY_NOT_FOUND", NotFound, "no such API key, or not for this caller to see", "check the id";
    SlugTaken = "SLUG_TAKEN", Exists, "the slug is in use", "choose another slug";
    SignInLinkInvalid = "SIGN_IN_LINK_INVALID", Unauthenticated, "the sign-in link was used, has expired or was never made", "ask for a new link: souk login";
    LimitReached = "LIMIT_REACHED", Exhausted, "as many exist as are allowed", "do without one of them, or ask the operator for a higher limit";
    MemberNotFound = "MEMBER_NOT_FOUND", NotFound, "nobody of this id is a member of the org", "check the id: souk members ls";
    AlreadyMember = "ALREADY_MEMBER", Exists, "the address belongs to a member of the org", "set the member's role instead";
    LastAdmin = "LAST_ADMIN", Precondition, "the org would be left without an admin", "make somebody else an admin first";
    InvitationNotFound = "INVITATION_NOT_FOUND", NotFound, "no such invitation, or not for this caller to see", "check the id";
    InvitationClosed = "INVITATION_CLOSED", Precondition, "the invitation was accepted, was revoked or has expired", "invite again";
    InvitationInvalid = "INVITATION_INVALID", Invalid, "the invitation's code is not open, or is for another address", "ask for a new invitation to the address you sign in with";
    TeamNotFound = "TEAM_NOT_FOUND", NotFound, "no such team, or not for this caller to see", "check the id";
    SessionNotFound = "SESSION_NOT_FOUND", NotFound, "the caller has no such session", "check the id";
    TrialAlreadyGranted = "TRIAL_ALREADY_GRANTED", Precondition, "trial credits were granted before to this person or to another spelling of the address", "top up the wallet";
    TrialLimitReached = "TRIAL_LIMIT_REACHED", Exhausted, "more trials were asked for than are given in a day", "top up the wallet, or ask the operator";
    TrialAddressRefused = "TRIAL_ADDRESS_REFUSED", Precondition, "mail domains of throw-away addresses are given no trial", "sign in with a lasting address, or top up the wallet";
    TrialAddressUnproven = "TRIAL_ADDRESS_UNPROVEN", Precondition, "nobody has shown yet that the address is theirs", "sign in by a link sent to the address before making a workspace, or top up the wallet";
    InvitationNeedsSignIn = "INVITATION_NEEDS_SIGN_IN", Unauthenticated, "the code that the inviter was shown does not sign in", "use the link in the mail, or sign in first and then accept: souk invitations accept CODE";
    // catalog
    OfferingNotFound = "OFFERING_NOT_FOUND", NotFound, "no such offering, or not published", "check the id or the slug";
    OfferingVersionNotFound = "OFFERING_VERSION_NOT_FOUND", NotFound, "no such offering version", "check the id";
    PlanNotFound = "PLAN_NOT_FOUND", NotFound, "the offering version has no such plan", "check the plan's slug";
    OfferingNotPublished = "OFFERING_NOT_PUBLISHED", Precondition, "the offering has no published version that may be taken", "publish a version first";
    OfferingPaused = "OFFERING_PAUSED", Precondition, "the operator paused the offering", "wait until it is resumed";
    FlowInvalid = "FLOW_INVALID", Invalid, "the flow is not one that can be run", "mend what the findings name";
    UnsupportedComponent = "UNSUPPORTED_COMPONENT", Invalid, "the flow uses components that the engine does not have", "replace the components that the findings name";
    CredentialInFlow = "CREDENTIAL_IN_FLOW", Invalid, "the flow carries a literal credential", "take it out; name a model endpoint or a binding instead";
    ArtifactCorrupt = "ARTIFACT_CORRUPT", Bug, "an artifact does not have the content its name says", "restore the object from a backup";
    ArtifactNotFound = "ARTIFACT_NOT_FOUND", NotFound, "no artifact has this hash", "check the hash, or publish the version again";
    OfferingEnded = "OFFERING_ENDED", Precondition, "the offering is not sold any more", "take another offering";
    CapabilityUnknown = "CAPABILITY_UNKNOWN", Invalid, "the capability registry has no such capability", "use the names that ListCapabilities gives";
    ConfigInvalid = "CONFIG_INVALID", Invalid, "a capability's configuration does not fit its schema", "mend the fields that the details name";
    // billing
    WalletNotFound = "WALLET_NOT_FOUND", NotFound, "no such wallet, or not for this caller to see", "check the org";
    WalletFrozen = "WALLET_FROZEN", Precondition, "the wallet is frozen", "ask the operator why";
    AccountNotFound = "ACCOUNT_NOT_FOUND", NotFound, "the instance has no account", "wait until the instance is provisioned";
    AccountFrozen = "ACCOUNT_FROZEN", Precondition, "the instance is paused, so its account spends nothing", "resume the instance";
    AccountClosed = "ACCOUNT_CLOSED", Precondition, "the instance is terminated, so its account is closed", "activate a new instance";
    ScheduleNotFound = "SCHEDULE_NOT_FOUND", NotFound, "no price schedule has this hash", "publish the version first";
    DimensionUnknown = "DIMENSION_UNKNOWN", Invalid, "the price schedule has no such dimension", "use the dimensions of the schedule";
    InsufficientCredits = "INSUFFICIENT_CREDITS", Precondition, "the wallet does not hold what the call would cost", "top up the wallet";
    ReservationNotFound = "RESERVATION_NOT_FOUND", NotFound, "no such reservation, or not for this caller to see", "check the id";
    ReservationClosed = "RESERVATION_CLOSED", Precondition, "the reservation was released before", "authorize again";
    AmountOutOfRange = "AMOUNT_OUT_OF_RANGE", Invalid, "the amount is not one a wallet can hold", "use a positive amount within the limits";
    AccountExists = "ACCOUNT_EXISTS", Exists, "the instance has an account on another wallet or price schedule", "use the account that exists";
    LotNotFound = "LOT_NOT_FOUND", NotFound, "the wallet has no lot of this source", "check the source reference of the top-up";
    ReceiptNotFound = "RECEIPT_NOT_FOUND", NotFound, "no such receipt, or not for this caller to see", "check the id";
    // instances
    InstanceNotFound = "INSTANCE_NOT_FOUND", NotFound, "no such instance, or not for this caller to see", "check the id";
    InstanceNotReady = "INSTANCE_NOT_READY", Precondition, "the instance is still being provisioned", "try again after the stated time";
    InstancePaused = "INSTANCE_PAUSED", Precondition, "the instance is paused", "see its pause reasons; a top-up or a resume brings it back";
    InstanceTerminated = "INSTANCE_TERMINATED", Precondition, "the instance was terminated", "activate a new one";
    InstanceFailed = "INSTANCE_FAILED", Precondition, "provisioning failed", "see the instance's conditions for the remedy";
    IllegalTransition = "ILLEGAL_TRANSITION", Precondition, "it cannot go there from its present state", "read the state first";
    PlanNeedsPurchase = "PLAN_NEEDS_PURCHASE", Precondition, "the plan is not self-service", "buy the plan in the shop";
    // delivery
    DesiredStateConflict = "DESIRED_STATE_CONFLICT", Aborted, "another writer moved the desired-state repository", "nothing to do: it is tried again";
    AppliedStateNotFound = "APPLIED_STATE_NOT_FOUND", NotFound, "nothing was ever applied for this instance", "check the id";
    RouteTaken = "ROUTE_TAKEN", Exists, "another instance is reached by this host and path", "choose another host or path";
    // runs and runner
    RunNotFound = "RUN_NOT_FOUND", NotFound, "no such run, or not for this caller to see", "check the id";
    RunFailed = "RUN_FAILED", Precondition, "the run failed; credits for unused budget were released", "see the error of the run";
    RunCancelled = "RUN_CANCELLED", Precondition, "the run was cancelled", "start a new run";
    FlowFailed = "FLOW_FAILED", Precondition, "a component of the flow failed", "see the component and the cause";
    RunInterrupted = "RUN_INTERRUPTED", Precondition, "the run was cut off before it ended; what was recorded as used is charged, nothing else", "start a new run";
    BudgetExhausted = "BUDGET_EXHAUSTED", Precondition, "the run used all that could be reserved for it and was cut", "top up the wallet, or ask for less";
    ModelEndpointNotFound = "MODEL_ENDPOINT_NOT_FOUND", NotFound, "the flow names a model endpoint that the operator has not added", "add it: souk model add NAME --url URL --key-file FILE";
    ModelRefused = "MODEL_REFUSED", Precondition, "the model endpoint refused the request", "see the message; check the key, the model's name and the input's length";
    ModelUnavailable = "MODEL_UNAVAILABLE", Unavailable, "the model endpoint does not answer, or its answer broke off", "try again; check the endpoint's URL";
    EndpointUrlInvalid = "ENDPOINT_URL_INVALID", Invalid, "the endpoint's URL is not https, nor http on loopback", "use https";
    SecretNotFound = "SECRET_NOT_FOUND", NotFound, "nothing is kept under this path of the secret store", "put the secret again";
    // commerce
    ShopNotFound = "SHOP_NOT_FOUND", NotFound, "no such shop", "check the id, or add it: souk shop add";
    ShopExists = "SHOP_EXISTS", Exists, "a shop with this API URL exists", "use the shop that exists";
    ShopUrlInsecure = "SHOP_URL_INSECURE", Invalid, "the shop's API URL is plain http and not on this machine", "use https";
    OrderNotFound = "ORDER_NOT_FOUND", NotFound, "no such order", "check the id";
    SignatureMissing = "SIGNATURE_MISSING", Unauthenticated, "the delivery carries no signature", "send the Saleor-Signature header";
    SignatureInvalid = "SIGNATURE_INVALID", Unauthenticated, "the signature does not fit the body and the shop's keys", "check that nothing rewrites the body on its way";
    SignatureScheme = "SIGNATURE_SCHEME", Unauthenticated, "the shop signs by JWS and the delivery carries something else", "remove the webhook's secretKey";
    ShopUnknown = "SHOP_UNKNOWN", Unauthenticated, "no shop is known by this Saleor-Api-Url", "add the shop: souk shop add";
    EventMismatch = "EVENT_MISMATCH", Invalid, "the event header, the body and the recipient do not agree", "check the webhook's subscription query";
    PayloadUnreadable = "PAYLOAD_UNREADABLE", Invalid, "the body is not an order event of souk's subscription query", "install the query from /saleor/manifest";
    BodyTooLarge = "BODY_TOO_LARGE", Invalid, "the delivery is larger than 2 MiB", "ask for less in the subscription query";
    JwksUnavailable = "JWKS_UNAVAILABLE", Unavailable, "the shop's keys could not be fetched", "nothing to do: Saleor delivers again";
    // gateway
    RouteNotFound = "ROUTE_NOT_FOUND", NotFound, "no instance is reached by this host and path", "check the address: souk instances get";
    OriginRefused = "ORIGIN_REFUSED", Denied, "the page's origin may not call this", "add the origin to the gateway's allowed origins";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_well_formed() {
        let names: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for name in names {
            assert!(name.len() <= 63 && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{name}");
        }
    }
}
