//! Who may do what where: Casbin's RBAC with domains, where a domain is a scope.
//!
//! A role held at a scope is held at every scope below it, and a policy line for a scope holds for every scope
//! below it. Subjects are `key:<id>`, `user:<id>`, `group:<provider>:<name>`, `group-id:<provider>:<id>`,
//! `claim:<provider>:<name>=<value>`, `token:<id>` or `role:<name>`; objects are `<kind>:<name>`, with a closing `*` in a policy line for every name that starts so.
//!
//! Casbin answers wrongly rather than loudly in several places (see [`check`]); what it is given is
//! therefore checked line by line first, the result is probed, and any error while answering is a refusal.

mod check;
mod held;
mod lines;

use crate::problem::Problem;
use crate::{pattern, scope};
use casbin::function_map::OperatorFunction;
use casbin::rhai::Dynamic;
use casbin::{Adapter, CoreApi, DefaultModel, Enforcer, MemoryAdapter};
use futures::FutureExt as _;
use std::collections::BTreeSet;
use std::fmt;

pub use held::{Held, Reasons};
pub(crate) use lines::provided;
pub use lines::{Grant, Membership};

pub(crate) const MODEL: &str = "rbac/model.conf";
pub(crate) const POLICY: &str = "rbac/policy.csv";

/// The role-based access control of one bundle.
pub struct Rbac {
    enforcer: Option<Enforcer>,
    grants: Vec<Grant>,
    memberships: Vec<Membership>,
}

impl Rbac {
    /// RBAC that refuses everyone everything.
    #[must_use]
    pub fn deny_all() -> Self {
        Self { enforcer: None, grants: Vec::new(), memberships: Vec::new() }
    }

    /// Reads a Casbin model and its policy lines.
    ///
    /// # Errors
    /// Everything wrong with the two files, together.
    pub fn load(model: &str, policy: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = check::model(model);
        let parsed = lines::parse(policy, &mut problems);
        check::roles(&parsed.memberships, &mut problems);
        if parsed.grants.is_empty() {
            problems.push(Problem::error(
                POLICY,
                "there is no policy line, so nobody could use anything",
                "grant something, such as `p, role:developer, /, model:*, use, allow`",
            ));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let enforcer = build(model, &parsed)
            .map_err(|e| vec![Problem::error(MODEL, e, "compare the file with the starter bundle's")])?;
        let rbac = Self { enforcer: Some(enforcer), grants: parsed.grants, memberships: parsed.memberships };
        check::probe(&rbac).map_err(|p| vec![p])?;
        Ok(rbac)
    }

    /// Whether the subject may do the action to the object in the scope. Whatever goes wrong is a no.
    ///
    /// Linear in the policy lines (tens of microseconds): ask once per role set and model, not once per request.
    #[must_use]
    pub fn allowed(&self, subject: &str, scope: &str, object: &str, action: &str) -> bool {
        if subject.is_empty() || object.is_empty() || action.is_empty() || scope::validate(scope).is_err() {
            return false;
        }
        self.ask(subject, scope, object, action)
    }

    /// Every role that the subject holds in the scope, directly, through other roles or from above; sorted, with
    /// the `role:` prefix.
    #[must_use]
    pub fn roles_of(&self, subject: &str, scope: &str) -> Vec<String> {
        let mut found: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![subject];
        while let Some(member) = open.pop() {
            for m in &self.memberships {
                if m.member == member && scope::covers(&m.scope, scope) && found.insert(&m.role) {
                    open.push(&m.role);
                }
            }
        }
        found.into_iter().map(str::to_owned).collect()
    }

    /// The policy lines.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The role lines.
    #[must_use]
    pub fn memberships(&self) -> &[Membership] {
        &self.memberships
    }

    fn ask(&self, subject: &str, scope: &str, object: &str, action: &str) -> bool {
        self.enforcer.as_ref().is_some_and(|e| e.enforce((subject, scope, object, action)).unwrap_or(false))
    }
}

impl fmt::Debug for Rbac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rbac")
            .field("grants", &self.grants.len())
            .field("memberships", &self.memberships.len())
            .finish()
    }
}

/// Casbin's constructors are async for adapters that do I/O; over memory they are ready at once.
fn build(model: &str, parsed: &lines::Lines) -> Result<Enforcer, String> {
    const PENDING: &str = "Casbin did not answer at once over a policy in memory";
    let model = DefaultModel::from_str(model).now_or_never().ok_or(PENDING)?.map_err(|e| e.to_string())?;
    let mut adapter = MemoryAdapter::default();
    for (section, line) in parsed.for_casbin() {
        adapter
            .add_policy(section, section, line)
            .now_or_never()
            .ok_or(PENDING)?
            .map_err(|e| e.to_string())?;
    }
    let mut enforcer =
        Enforcer::new_raw(model, adapter).now_or_never().ok_or(PENDING)?.map_err(|e| e.to_string())?;
    enforcer.add_function("scopeMatch", OperatorFunction::Arg2(scope_match));
    enforcer.add_function("nameMatch", OperatorFunction::Arg2(name_match));
    // Before the lines are loaded, so that links made at a scope are seen at every scope below it.
    enforcer.get_role_manager().write().matching_fn(None, Some(|asked, held| scope::covers(held, asked)));
    enforcer.load_policy().now_or_never().ok_or(PENDING)?.map_err(|e| e.to_string())?;
    Ok(enforcer)
}

// By value: the signature is Casbin's.
fn scope_match(asked: Dynamic, held: Dynamic) -> Dynamic {
    both(asked, held, |asked, held| scope::covers(held, asked))
}

fn name_match(asked: Dynamic, held: Dynamic) -> Dynamic {
    both(asked, held, |asked, held| pattern::matches(held, asked))
}

fn both(asked: Dynamic, held: Dynamic, test: impl Fn(&str, &str) -> bool) -> Dynamic {
    match (asked.into_immutable_string(), held.into_immutable_string()) {
        (Ok(asked), Ok(held)) => test(&asked, &held).into(),
        _ => false.into(),
    }
}

#[cfg(test)]
mod tests;
