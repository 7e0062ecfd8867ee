//! Every route that is not for virtual keys, and what it asks of whoever calls it. A route that is missing here serves
//! nobody, and `/api/openapi.json` is made from it.

use http::Method;

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// `GET`.
    pub method: &'static str,
    /// As the router knows it: `/api/v1/keys/{id}/rotate`.
    pub path: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// What it asks for.
    pub needs: Needs,
    /// Whether a person has to have shown recently who they are.
    pub fresh: bool,
}

/// What a route asks of whoever calls it. A right is an object and an action of policy lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing, or a proof that the handler looks at: a webhook's secret, a key that is presented.
    Nothing,
    /// Nothing; who is signed in is looked up, if somebody is.
    Guest,
    /// Anybody who is signed in.
    Known,
    /// Anybody who is signed in, about what is their own; about others' with the right at `/`: the handler looks.
    Own(&'static str, &'static str),
    /// A page: the right in some scope. Who is not signed in is sent to the sign-in.
    Page(&'static str, &'static str),
    /// A page for anybody who is signed in: of what is their own, and what the API shows them beside.
    KnownPage,
    /// The right in some scope; the handler asks in which.
    Scoped(&'static str, &'static str),
    /// The right at `/`.
    Root(&'static str, &'static str),
    /// The right in some scope, or something else that the handler knows.
    Or(&'static str, &'static str),
}

impl Needs {
    /// The right, where it is one.
    #[must_use]
    pub const fn right(&self) -> Option<(&'static str, &'static str)> {
        match *self {
            Self::Nothing | Self::Guest | Self::Known | Self::KnownPage => None,
            Self::Own(object, action)
            | Self::Page(object, action)
            | Self::Scoped(object, action)
            | Self::Root(object, action)
            | Self::Or(object, action) => Some((object, action)),
        }
    }
}

use Needs::{Guest, Known, KnownPage, Nothing, Or, Own, Page, Root, Scoped};

const fn at(method: &'static str, path: &'static str, needs: Needs, summary: &'static str) -> Route {
    Route { method, path, summary, needs, fresh: false }
}

/// Dangerous: whoever sits down at an open browser can't do it.
const fn fresh(method: &'static str, path: &'static str, needs: Needs, summary: &'static str) -> Route {
    Route { fresh: true, ..at(method, path, needs, summary) }
}

const ALERTS: &str = "console:alerts";
const AUDIT: &str = "console:audit";
const BUDGETS: &str = "console:budgets";
const CREDENTIALS: &str = "console:credentials";
const DECISIONS: &str = "console:decisions";
const ENDPOINTS: &str = "console:endpoints";
const KEYS: &str = "console:keys";
const KILL_SWITCHES: &str = "console:kill-switches";
const ORGANISATION: &str = "console:organisation";
const PEOPLE: &str = "console:people";
const POLICY: &str = "console:policy";
const REPLICAS: &str = "console:replicas";
const REQUESTS: &str = "console:requests";
const ROLES: &str = "console:roles";
const SCIM: &str = "scim:directory";
const SESSIONS: &str = "console:sessions";
const TOKENS: &str = "console:tokens";

/// Rights that pages ask about, to lead nobody where they are refused.
pub(super) const OFFERED: &[(&str, &str)] = &[
    (DECISIONS, "read"),
    (KEYS, "read"),
    (KEYS, "create"),
    (KEYS, "rotate"),
    (KEYS, "revoke"),
    (BUDGETS, "read"),
    (BUDGETS, "top_up"),
    (ENDPOINTS, "read"),
    (KILL_SWITCHES, "read"),
    (KILL_SWITCHES, "throw"),
    (KILL_SWITCHES, "lift"),
    (REQUESTS, "read"),
    (REQUESTS, "ask"),
    (REQUESTS, "approve"),
    (POLICY, "read"),
    (AUDIT, "read"),
    (AUDIT, "export"),
    (PEOPLE, "read"),
    (PEOPLE, "disable"),
    (PEOPLE, "enable"),
    (SESSIONS, "read"),
];

/// All of them.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    at("GET", "/api/v1/me", Known, "Who asks, by which roles where, and the token that a session's requests carry"),
    at("GET", "/api/v1/keys", Scoped(KEYS, "read"), "Virtual keys of the caller's scopes"),
    at("GET", "/api/v1/keys/{id}", Scoped(KEYS, "read"), "A virtual key, without its secret"),
    at("POST", "/api/v1/keys", Scoped(KEYS, "create"), "Create a virtual key; its secret is in this answer and nowhere else"),
    at("POST", "/api/v1/keys:bulk", Scoped(KEYS, "create"), "Create several virtual keys, all or none; their secrets are in this answer and nowhere else"),
    at("POST", "/api/v1/keys:revoke-presented", Nothing, "Revoke a key by presenting it; needs nothing else"),
    fresh("PUT", "/api/v1/keys/{id}", Root(ORGANISATION, "apply"), "Declare a key that is there; it keeps its secret"),
    at("POST", "/api/v1/keys/{id}/rotate", Scoped(KEYS, "rotate"), "Replace a key; the old one works on for the overlap"),
    at("POST", "/api/v1/keys/{id}/disable", Scoped(KEYS, "revoke"), "Disable a key until it is enabled again, with a reason; in force when this answers"),
    at("POST", "/api/v1/keys/{id}/enable", Scoped(KEYS, "create"), "Enable a disabled key"),
    at("POST", "/api/v1/keys/{id}/revoke", Scoped(KEYS, "revoke"), "Revoke a key; in force when this answers"),
    at("GET", "/api/v1/kill-switches", Scoped(KILL_SWITCHES, "read"), "Kill switches, newest first, lifted and expired ones too"),
    at("GET", "/api/v1/kill-switches/{id}", Scoped(KILL_SWITCHES, "read"), "A kill switch"),
    at("POST", "/api/v1/kill-switches", Scoped(KILL_SWITCHES, "throw"), "Throw a kill switch; in force when this answers"),
    fresh("DELETE", "/api/v1/kill-switches/{id}", Scoped(KILL_SWITCHES, "lift"), "Lift a kill switch, with a reason"),
    at("GET", "/api/v1/alerts", Scoped(ALERTS, "read"), "Alerts, newest first"),
    at("POST", "/api/v1/alerts:test", Root(ALERTS, "test"), "Send a test through a channel of the configuration"),
    at("GET", "/api/v1/alerts/{id}", Scoped(ALERTS, "read"), "An alert, with the messages that tell of it"),
    at("POST", "/api/v1/alerts/{id}/acknowledge", Scoped(ALERTS, "acknowledge"), "Say that one knows of an alert; it is not told again"),
    at("GET", "/api/v1/policy", Scoped(POLICY, "read"), "The policy in force, its commit, and what stands in the way of another one"),
    at("GET", "/api/v1/policy/rules", Scoped(POLICY, "read"), "Rules, exceptions and attestations of the policy in force"),
    at("POST", "/api/v1/policy:notify", Nothing, "Have the policy's repository looked at now; a webhook with its secret"),
    at("POST", "/api/v1/policy:plan", Scoped(POLICY, "read"), "What another bundle or other facts would have decided on recorded requests"),
    at("GET", "/api/v1/policy/kept/{kind}/{digest}", Root(POLICY, "read"), "What records name by digest: bundle, catalog, endpoints, kill_switches"),
    at("GET", "/api/v1/replicas", Root(REPLICAS, "read"), "The servers of the database, and those that are waited for"),
    fresh("POST", "/api/v1/replicas/{number}/lost", Root(REPLICAS, "lose"), "Say that a missing replica's spool is lost; what it held is free again"),
    fresh("POST", "/api/v1/apply", Root(ORGANISATION, "apply"), "Declare scopes, endpoints, model groups, budgets and keys"),
    at("GET", "/api/v1/organisation", Root(ORGANISATION, "read"), "What is declared, as what `apply` takes"),
    at("GET", "/api/v1/scopes", Root(ORGANISATION, "read"), "Scopes as they are declared"),
    at("GET", "/api/v1/scopes/{path}", Root(ORGANISATION, "read"), "A scope as it is declared"),
    fresh("PUT", "/api/v1/scopes/{path}", Root(ORGANISATION, "apply"), "Declare a scope"),
    fresh("DELETE", "/api/v1/scopes/{path}", Root(ORGANISATION, "apply"), "End a scope in which nothing is declared"),
    at("GET", "/api/v1/endpoints/{name}", Root(ORGANISATION, "read"), "An endpoint as it is declared"),
    fresh("PUT", "/api/v1/endpoints/{name}", Root(ORGANISATION, "apply"), "Declare an endpoint"),
    fresh("DELETE", "/api/v1/endpoints/{name}", Root(ORGANISATION, "apply"), "End an endpoint"),
    at("GET", "/api/v1/model-groups", Root(ORGANISATION, "read"), "Model groups as they are declared"),
    at("GET", "/api/v1/model-groups/{name}", Root(ORGANISATION, "read"), "A model group as it is declared"),
    fresh("PUT", "/api/v1/model-groups/{name}", Root(ORGANISATION, "apply"), "Declare a model group"),
    fresh("DELETE", "/api/v1/model-groups/{name}", Root(ORGANISATION, "apply"), "End a model group that no budget or limit is of"),
    at("GET", "/api/v1/workloads", Root(ORGANISATION, "read"), "Workloads as they are declared"),
    at("GET", "/api/v1/workloads/{name}", Root(ORGANISATION, "read"), "A workload as it is declared"),
    fresh("PUT", "/api/v1/workloads/{name}", Root(ORGANISATION, "apply"), "Declare a workload"),
    fresh("DELETE", "/api/v1/workloads/{name}", Root(ORGANISATION, "apply"), "End a workload; its keys work on until they end"),
    at("GET", "/api/v1/credentials", Scoped(CREDENTIALS, "read"), "Credentials of providers: where they are to be had, never what they are"),
    at("GET", "/api/v1/credentials/{name}", Scoped(CREDENTIALS, "read"), "One credential, with the tag that a change may ask for"),
    fresh("POST", "/api/v1/credentials", Scoped(CREDENTIALS, "write"), "Keep or refer to a provider's credential, tested where an endpoint uses it"),
    fresh("POST", "/api/v1/credentials/{name}/rotate", Scoped(CREDENTIALS, "write"), "Put another credential in its place; in force when this answers"),
    at("POST", "/api/v1/credentials/{name}/test", Scoped(CREDENTIALS, "test"), "Ask the providers of its endpoints whether they take it"),
    fresh("DELETE", "/api/v1/credentials/{name}", Scoped(CREDENTIALS, "write"), "Delete a credential that no endpoint uses"),
    fresh("POST", "/api/v1/credentials:reseal", Root(CREDENTIALS, "write"), "Seal everything that is kept here with the first master key"),
    at("GET", "/api/v1/endpoints", Scoped(ENDPOINTS, "read"), "Endpoints and their health"),
    at("GET", "/api/v1/endpoints/explain", Scoped(ENDPOINTS, "read"), "Every attribute of an endpoint, with facts and evidence"),
    at("GET", "/api/v1/endpoints/matrix", Scoped(ENDPOINTS, "read"), "Each endpoint against each regulation: yes, no, only if something is attested or stated, or unknown"),
    at("GET", "/api/v1/compliance", Scoped(ENDPOINTS, "read"), "The compliance database in force, what it changed, and attestations that end"),
    at("POST", "/api/v1/compliance:impact", Scoped(ENDPOINTS, "read"), "What another compliance database would change of what is known of the organisation's endpoints"),
    at("GET", "/api/v1/budgets", Scoped(BUDGETS, "read"), "Where budgets stand"),
    at("GET", "/api/v1/budgets/{id}", Scoped(BUDGETS, "read"), "Where a budget stands, with the tag that raising it may ask for"),
    fresh("POST", "/api/v1/budgets", Root(ORGANISATION, "apply"), "Declare another budget"),
    fresh("PUT", "/api/v1/budgets/{id}", Root(ORGANISATION, "apply"), "Declare a budget that is there"),
    fresh("DELETE", "/api/v1/budgets/{id}", Root(ORGANISATION, "apply"), "End a budget; what was spent stays on record"),
    at("GET", "/api/v1/limits", Scoped(BUDGETS, "read"), "Where limits of requests, tokens, spend and concurrency stand"),
    at("GET", "/api/v1/limits/{id}", Scoped(BUDGETS, "read"), "Where a limit stands, with the tag that a change may ask for"),
    fresh("POST", "/api/v1/limits", Root(ORGANISATION, "apply"), "Declare another limit"),
    fresh("PUT", "/api/v1/limits/{id}", Root(ORGANISATION, "apply"), "Declare a limit that is there"),
    fresh("DELETE", "/api/v1/limits/{id}", Root(ORGANISATION, "apply"), "End a limit"),
    at("POST", "/api/v1/budgets/{id}/top-ups", Scoped(BUDGETS, "top_up"), "Raise a budget's limit for a time; in force when this answers"),
    at("GET", "/api/v1/decisions", Scoped(DECISIONS, "read"), "Decisions, newest first"),
    at("GET", "/api/v1/reached", Scoped(DECISIONS, "read"), "What was sent to an endpoint, or to all of a provider, between two instants"),
    at("GET", "/api/v1/decisions/stream", Scoped(DECISIONS, "read"), "Decisions as they happen, as server-sent events"),
    at("GET", "/api/v1/decisions/{id}/explanation", Scoped(DECISIONS, "read"), "A recorded decision with its reasons, facts and evidence"),
    at("GET", "/api/v1/audit/export", Scoped(AUDIT, "export"), "The audit log as a verifiable file"),
    at("GET", "/api/v1/audit/checkpoint", Root(AUDIT, "read"), "A signed tree head (C2SP tlog-checkpoint)"),
    at("POST", "/api/v1/audit/pseudonym", Root(AUDIT, "export"), "The pseudonym of a user, subject or session in the log"),
    at("GET", "/api/v1/audit/public-key", Nothing, "The log's public key"),
    at("GET", "/v1/decisions/{id}", Or(DECISIONS, "read"), "The receipt of a decision"),
    at("GET", "/api/v1/people", Root(PEOPLE, "read"), "People who have signed in, with their groups and roles"),
    at("GET", "/api/v1/people/{id}", Root(PEOPLE, "read"), "A person who has signed in"),
    at("POST", "/api/v1/people/{id}/disable", Root(PEOPLE, "disable"), "Forbid a person to sign in, with a reason; their sessions end, their keys are disabled and their service tokens suspended"),
    fresh("POST", "/api/v1/people/{id}/enable", Root(PEOPLE, "enable"), "Let a person sign in again"),
    fresh("POST", "/api/v1/people/{id}/erase", Root(PEOPLE, "erase"), "Erase what names a person, with a reason and for good; the log knows the id alone"),
    at("GET", "/api/v1/sessions", Own(SESSIONS, "read"), "The caller's own sessions; with the right, everybody's"),
    at("DELETE", "/api/v1/sessions/{id}", Own(SESSIONS, "revoke"), "End a session: one's own, or with the right anybody's"),
    at("GET", "/api/v1/service-tokens", Scoped(TOKENS, "read"), "Service tokens of the caller's scopes"),
    at("GET", "/api/v1/service-tokens/{id}", Scoped(TOKENS, "read"), "A service token, without its secret"),
    fresh("POST", "/api/v1/service-tokens", Scoped(TOKENS, "create"), "Create a service token; its secret is in this answer and nowhere else"),
    fresh("POST", "/api/v1/service-tokens/{id}/rotate", Scoped(TOKENS, "create"), "Replace a service token; the old one works on for the overlap"),
    fresh("POST", "/api/v1/service-tokens/{id}/claim", Scoped(TOKENS, "create"), "Answer for a service token from now on; one that was suspended because somebody left works again"),
    at("POST", "/api/v1/service-tokens/{id}/revoke", Scoped(TOKENS, "revoke"), "Revoke a service token"),
    at("GET", "/api/v1/requests", Own(REQUESTS, "read"), "The caller's own requests; with the right, those of its scopes"),
    at("POST", "/api/v1/requests", Scoped(REQUESTS, "ask"), "Ask for an exception, more budget, access to content or a key, with a reason"),
    at("GET", "/api/v1/requests/{id}", Own(REQUESTS, "read"), "One request, with the tag that a decision may ask for"),
    fresh("POST", "/api/v1/requests/{id}/approve", Scoped(REQUESTS, "approve"), "Approve what somebody else asked for; carried out when this answers"),
    at("POST", "/api/v1/requests/{id}/refuse", Scoped(REQUESTS, "approve"), "Refuse what somebody else asked for, with a reason"),
    at("POST", "/api/v1/requests/{id}/withdraw", Own(REQUESTS, "read"), "Withdraw what one asked for"),
    at("GET", "/api/v1/roles/explain", Scoped(ROLES, "read"), "Whether somebody may do something somewhere, and by which lines of the policy"),
    at("GET", "/scim/v2/ServiceProviderConfig", Root(SCIM, "read"), "What of SCIM 2.0 is served"),
    at("GET", "/scim/v2/ResourceTypes", Root(SCIM, "read"), "Types of resources: users and groups"),
    at("GET", "/scim/v2/ResourceTypes/{id}", Root(SCIM, "read"), "A type of resources"),
    at("GET", "/scim/v2/Schemas", Root(SCIM, "read"), "Attributes of users and groups"),
    at("GET", "/scim/v2/Schemas/{id}", Root(SCIM, "read"), "Attributes under one name"),
    at("GET", "/scim/v2/Users", Root(SCIM, "read"), "People whom the identity provider pushes"),
    at("POST", "/scim/v2/Users", Root(SCIM, "write"), "Push a person"),
    at("POST", "/scim/v2/Users/.search", Root(SCIM, "read"), "The same list, asked for in a body"),
    at("GET", "/scim/v2/Users/{id}", Root(SCIM, "read"), "A person"),
    at("PUT", "/scim/v2/Users/{id}", Root(SCIM, "write"), "Replace what is known of a person; who is not active any more loses sessions and keys"),
    at("PATCH", "/scim/v2/Users/{id}", Root(SCIM, "write"), "Change what is known of a person; who is not active any more loses sessions and keys"),
    at("DELETE", "/scim/v2/Users/{id}", Root(SCIM, "write"), "Take a person away; sessions end and keys are disabled"),
    at("GET", "/scim/v2/Groups", Root(SCIM, "read"), "Groups that the identity provider pushes"),
    at("POST", "/scim/v2/Groups", Root(SCIM, "write"), "Push a group"),
    at("POST", "/scim/v2/Groups/.search", Root(SCIM, "read"), "The same list, asked for in a body"),
    at("GET", "/scim/v2/Groups/{id}", Root(SCIM, "read"), "A group"),
    at("PUT", "/scim/v2/Groups/{id}", Root(SCIM, "write"), "Replace a group; who is not in it any more has lost its roles"),
    at("PATCH", "/scim/v2/Groups/{id}", Root(SCIM, "write"), "Change a group; who is not in it any more has lost its roles"),
    at("DELETE", "/scim/v2/Groups/{id}", Root(SCIM, "write"), "Take a group away, with its roles"),
    at("POST", "/scim/v2/.search", Root(SCIM, "read"), "People and groups in one list"),
    at("POST", "/scim/v2/Bulk", Root(SCIM, "write"), "Several changes of people and groups"),
    at("GET", "/api/openapi.json", Nothing, "This description"),
    at("GET", "/", KnownPage, "What happened, and what waits for somebody"),
    at("GET", "/decisions", Page(DECISIONS, "read"), "Decisions"),
    at("GET", "/decisions/{id}", Page(DECISIONS, "read"), "A decision"),
    at("GET", "/reached", Page(DECISIONS, "read"), "What reached an endpoint or a provider"),
    at("GET", "/keys", Page(KEYS, "read"), "Keys"),
    at("GET", "/keys/new", Page(KEYS, "create"), "A form for a new key"),
    at("POST", "/keys/new", Page(KEYS, "create"), "Create a key by the form, and show it once"),
    at("GET", "/keys/{id}", Page(KEYS, "read"), "A key"),
    at("POST", "/keys/{id}/rotate", Page(KEYS, "rotate"), "Replace a key by a form"),
    at("POST", "/keys/{id}/disable", Page(KEYS, "revoke"), "Disable a key by a form"),
    at("POST", "/keys/{id}/enable", Page(KEYS, "create"), "Enable a key by a form"),
    at("POST", "/keys/{id}/revoke", Page(KEYS, "revoke"), "Revoke a key by a form"),
    at("GET", "/budgets", Page(BUDGETS, "read"), "Budgets and limits"),
    at("GET", "/budgets/{id}", Page(BUDGETS, "read"), "A budget"),
    at("POST", "/budgets/{id}/top-ups", Page(BUDGETS, "top_up"), "Top up a budget by a form"),
    at("GET", "/requests", KnownPage, "What was asked for"),
    at("GET", "/requests/new", Page(REQUESTS, "ask"), "A form to ask for something"),
    at("POST", "/requests/new", Page(REQUESTS, "ask"), "Ask for something by the form"),
    at("POST", "/requests/{id}/approve", Page(REQUESTS, "approve"), "Approve by a form"),
    at("POST", "/requests/{id}/refuse", Page(REQUESTS, "approve"), "Refuse by a form"),
    at("POST", "/requests/{id}/withdraw", KnownPage, "Withdraw by a form"),
    at("GET", "/endpoints", Page(ENDPOINTS, "read"), "Endpoints against regulations"),
    at("GET", "/endpoints/{name}", Page(ENDPOINTS, "read"), "What is known of an endpoint, with evidence"),
    at("GET", "/kill-switches", Page(KILL_SWITCHES, "read"), "Kill switches"),
    at("POST", "/kill-switches", Page(KILL_SWITCHES, "throw"), "Throw a kill switch by a form"),
    at("POST", "/kill-switches/{id}/lift", Page(KILL_SWITCHES, "lift"), "Lift a kill switch by a form"),
    at("GET", "/people", Page(PEOPLE, "read"), "People, with their roles"),
    at("POST", "/people/{id}/disable", Page(PEOPLE, "disable"), "Forbid a person to sign in by a form"),
    at("POST", "/people/{id}/enable", Page(PEOPLE, "enable"), "Let a person sign in again by a form"),
    at("GET", "/sessions", KnownPage, "Open sessions"),
    at("POST", "/sessions/{id}/end", KnownPage, "End a session by a form"),
    at("GET", "/policies", Page(POLICY, "read"), "The policy in force, rule by rule, and what stands in the way of another one"),
    at("GET", "/audit", Page(AUDIT, "read"), "The audit log: its signed head, and exports"),
    at("GET", "/audit/export", Page(AUDIT, "export"), "Leads to an export of what a form asks for"),
    at("GET", "/audit/verify", Guest, "Verifies an export in the browser; needs no account, and sends it nowhere"),
    at("POST", "/preferences", Guest, "Theme and language"),
    at("GET", "/auth/sign-in", Guest, "How to get in"),
    at("GET", "/auth/setup", Guest, "Redeem a set-up link"),
    at("HEAD", "/auth/setup", Nothing, "A look at a set-up link, which does not redeem it"),
    at("POST", "/auth/break-glass", Nothing, "Sign in with the break-glass account's password"),
    at("GET", "/auth/start", Guest, "Begin a sign-in at an identity provider"),
    at("GET", "/auth/step-up", Guest, "Show once more who one is, at the session's identity provider"),
    at("GET", "/auth/callback/{provider}", Guest, "Where an identity provider sends the browser back"),
    at("POST", "/auth/back-channel-logout/{provider}", Nothing, "An identity provider ends sessions, with a signed logout token"),
    at("POST", "/auth/sign-out", Guest, "End the session"),
    at("POST", "/auth/token", Nothing, "Exchange a workload's token for a short-lived virtual key (RFC 8693)"),
    at("GET", "/assets/{name}", Nothing, "Style, icon and scripts of the pages"),
    at("GET", "/livez", Nothing, "Whether the process lives"),
    at("GET", "/readyz", Nothing, "Whether it can serve"),
    at("GET", "/metrics", Or(ENDPOINTS, "read"), "Metrics, as the configuration says"),
];

/// The route of a request. What is served by `GET` is served by `HEAD`.
pub(super) fn find(method: &Method, path: &str) -> Option<&'static Route> {
    let of = |method: &str| ROUTES.iter().find(|route| route.method == method && route.path == path);
    of(method.as_str()).or_else(|| (*method == Method::HEAD).then(|| of("GET")).flatten())
}
