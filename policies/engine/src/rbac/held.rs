//! What somebody holds who has several names at once: a person with groups, a token with roles.
//!
//! Casbin answers for one subject. Of several, one that may is enough, unless a line forbids it to any of them: a
//! denial wins, whichever name it was written for.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Grant, Membership, Rbac};
use crate::{pattern, scope};

/// A name that somebody goes by, and where it counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Held {
    /// `user:<id>`, `group:<provider>:<name>`, `group-id:<provider>:<id>`, `claim:<provider>:<name>=<value>`, `token:<id>` or
    /// `role:<name>`.
    pub subject: String,
    /// It counts here and below.
    pub scope: String,
}

impl Held {
    /// `subject`, counting at `scope` and below.
    pub fn new(subject: impl Into<String>, scope: impl Into<String>) -> Self {
        Self { subject: subject.into(), scope: scope.into() }
    }
}

/// The lines that an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reasons<'a> {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Role lines on the way from a name to a grant.
    pub roles: Vec<&'a Membership>,
    /// Policy lines that grant it.
    pub grants: Vec<&'a Grant>,
    /// Policy lines that forbid it.
    pub denials: Vec<&'a Grant>,
}

impl Rbac {
    /// Whether somebody of these names may do the action to the object in the scope.
    #[must_use]
    pub fn allows(&self, held: &[Held], scope: &str, object: &str, action: &str) -> bool {
        let mut here = held.iter().filter(|held| scope::covers(&held.scope, scope)).peekable();
        here.peek().is_some()
            && here.clone().any(|held| self.allowed(&held.subject, scope, object, action))
            && !here.any(|held| self.denies(&held.subject, scope, object, action))
    }

    fn denies(&self, subject: &str, scope: &str, object: &str, action: &str) -> bool {
        let mut denials =
            self.grants.iter().filter(|grant| !grant.allow && hits(grant, scope, object, action));
        denials.any(|denial| self.is_one_of(subject, scope, &denial.subject))
    }

    fn is_one_of(&self, subject: &str, scope: &str, wanted: &str) -> bool {
        subject == wanted || self.roles_of(subject, scope).iter().any(|role| role == wanted)
    }

    /// The topmost scopes where somebody of these names may do the action to the object, sorted.
    #[must_use]
    pub fn reach(&self, held: &[Held], object: &str, action: &str) -> Vec<String> {
        let mut found: BTreeSet<&str> = BTreeSet::new();
        let names = self.roles_held(held);
        for name in held.iter().chain(&names) {
            let grants = self.grants.iter().filter(|grant| {
                grant.allow
                    && grant.subject == name.subject
                    && pattern::matches(&grant.object, object)
                    && pattern::matches(&grant.action, action)
            });
            for grant in grants {
                let Some(both) = deeper(&grant.scope, &name.scope) else { continue };
                if self.allows(held, both, object, action) {
                    found.insert(both);
                }
            }
        }
        let below = |path: &str| found.iter().any(|top| *top != path && scope::covers(top, path));
        found.iter().filter(|path| !below(path)).map(|path| (*path).to_owned()).collect()
    }

    /// Every role that somebody of these names has anywhere, and where; sorted.
    #[must_use]
    pub fn roles_held(&self, held: &[Held]) -> Vec<Held> {
        let mut found: BTreeSet<Held> =
            held.iter().filter(|held| held.subject.starts_with("role:")).cloned().collect();
        let mut open: Vec<Held> = held.to_vec();
        while let Some(name) = open.pop() {
            for membership in self.memberships.iter().filter(|line| line.member == name.subject) {
                let Some(both) = deeper(&membership.scope, &name.scope) else { continue };
                let role = Held::new(&membership.role, both);
                if found.insert(role.clone()) {
                    open.push(role);
                }
            }
        }
        found.into_iter().collect()
    }

    /// The first of the role's grants in the scope that somebody of these names does not have: who gives what they lack
    /// would raise themselves.
    #[must_use]
    pub fn lacks<'a>(&'a self, held: &[Held], role: &str, scope: &str) -> Option<&'a Grant> {
        let given = [Held::new(role, scope)];
        let roles = self.roles_held(&given);
        self.grants.iter().filter(|grant| grant.allow).find(|grant| {
            let of_role = roles.iter().find(|held| held.subject == grant.subject);
            let Some(both) = of_role.and_then(|held| deeper(&grant.scope, &held.scope)) else { return false };
            !self.allows(held, both, &grant.object, &grant.action) || self.forbids_a_part(held, both, grant)
        })
    }

    /// Whether a denial of one of these names meets a part of the grant.
    fn forbids_a_part(&self, held: &[Held], scope: &str, grant: &Grant) -> bool {
        let roles = self.roles_held(held);
        self.grants.iter().any(|denial| {
            !denial.allow
                && scope::overlap(&denial.scope, scope)
                && pattern::meet(&denial.object, &grant.object)
                && pattern::meet(&denial.action, &grant.action)
                && held.iter().chain(&roles).any(|name| name.subject == denial.subject)
        })
    }

    /// Whether any line speaks of one of these names, so that somebody of them could do anything at all.
    #[must_use]
    pub fn names_any(&self, held: &[Held]) -> bool {
        held.iter().any(|held| {
            self.grants.iter().any(|grant| grant.allow && grant.subject == held.subject)
                || self.memberships.iter().any(|line| line.member == held.subject)
        })
    }

    /// Whether some line names the role.
    #[must_use]
    pub fn knows_role(&self, role: &str) -> bool {
        self.grants.iter().any(|grant| grant.subject == role)
            || self.memberships.iter().any(|line| line.role == role || line.member == role)
    }

    /// Every role that some line names, sorted.
    #[must_use]
    pub fn roles(&self) -> Vec<&str> {
        let subjects = self.grants.iter().map(|grant| grant.subject.as_str());
        let linked = self.memberships.iter().flat_map(|line| [line.role.as_str(), line.member.as_str()]);
        let roles: BTreeSet<&str> = subjects.chain(linked).filter(|name| name.starts_with("role:")).collect();
        roles.into_iter().collect()
    }

    /// The answer of [`allows`](Self::allows), with the lines behind it.
    #[must_use]
    pub fn explain(&self, held: &[Held], scope: &str, object: &str, action: &str) -> Reasons<'_> {
        let here: Vec<&Held> = held.iter().filter(|held| scope::covers(&held.scope, scope)).collect();
        let mut names: BTreeSet<String> = here.iter().map(|held| held.subject.clone()).collect();
        for held in &here {
            names.extend(self.roles_of(&held.subject, scope));
        }
        let matching = |allow: bool| -> Vec<&Grant> {
            let grants = self.grants.iter().filter(|grant| grant.allow == allow);
            grants
                .filter(|grant| names.contains(&grant.subject) && hits(grant, scope, object, action))
                .collect()
        };
        let (grants, denials) = (matching(true), matching(false));
        let leads_there = |role: &str| {
            let mut lines = grants.iter().chain(&denials);
            lines.any(|grant| self.is_one_of(role, scope, &grant.subject))
        };
        let roles = self.memberships.iter().filter(|line| {
            names.contains(&line.member) && scope::covers(&line.scope, scope) && leads_there(&line.role)
        });
        let allowed = self.allows(held, scope, object, action);
        Reasons { allowed, roles: roles.collect(), grants, denials }
    }
}

fn hits(grant: &Grant, scope: &str, object: &str, action: &str) -> bool {
    scope::covers(&grant.scope, scope)
        && pattern::matches(&grant.object, object)
        && pattern::matches(&grant.action, action)
}

/// Of two scopes one of which covers the other, the lower.
fn deeper<'a>(a: &'a str, b: &'a str) -> Option<&'a str> {
    if scope::covers(a, b) {
        Some(b)
    } else if scope::covers(b, a) {
        Some(a)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = include_str!("../../../starter/rbac/model.conf");
    const POLICY: &str = "\
        p, role:reader, /, console:keys, read, allow\n\
        p, role:maker, /acme, console:keys, *, allow\n\
        p, role:owner, /, console:*, *, allow\n\
        p, group:corp:interns, /acme/secret, console:keys, *, deny\n\
        g, group:corp:ops, role:maker, /acme/retail\n\
        g, group:corp:all, role:reader, /acme\n\
        g, role:maker, role:reader, /\n";

    fn rbac() -> Rbac {
        Rbac::load(MODEL, POLICY).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn groups(names: &[&str]) -> Vec<Held> {
        names.iter().map(|name| Held::new(format!("group:corp:{name}"), "/")).collect()
    }

    #[test]
    fn any_name_may_grant_and_any_name_may_forbid() {
        let rbac = rbac();
        let ops = groups(&["ops", "all"]);
        assert!(rbac.allows(&ops, "/acme/retail/x", "console:keys", "create"));
        assert!(rbac.allows(&ops, "/acme/clinic", "console:keys", "read"));
        assert!(!rbac.allows(&ops, "/acme/clinic", "console:keys", "create"));
        assert!(!rbac.allows(&ops, "/other", "console:keys", "read"));
        assert!(!rbac.allows(&[], "/acme", "console:keys", "read"));
        let intern = groups(&["all", "interns"]);
        assert!(rbac.allows(&intern, "/acme/x", "console:keys", "read"));
        assert!(!rbac.allows(&intern, "/acme/secret/x", "console:keys", "read"), "of one name, for all");
        let below = [Held::new("role:owner", "/acme/retail")];
        assert!(rbac.allows(&below, "/acme/retail", "console:audit", "export"));
        assert!(!rbac.allows(&below, "/acme", "console:audit", "export"));
    }

    #[test]
    fn reach_is_the_topmost_scopes() {
        let rbac = rbac();
        assert_eq!(rbac.reach(&groups(&["ops", "all"]), "console:keys", "read"), ["/acme"]);
        assert_eq!(rbac.reach(&groups(&["ops", "all"]), "console:keys", "create"), ["/acme/retail"]);
        assert_eq!(rbac.reach(&groups(&["interns"]), "console:keys", "read"), Vec::<String>::new());
        let two = [Held::new("role:maker", "/acme/a"), Held::new("role:maker", "/acme/b")];
        assert_eq!(rbac.reach(&two, "console:keys", "revoke"), ["/acme/a", "/acme/b"]);
        assert_eq!(rbac.reach(&[Held::new("role:maker", "/")], "console:keys", "revoke"), ["/acme"]);
    }

    #[test]
    fn nobody_gives_what_they_lack() {
        let rbac = rbac();
        let owner = [Held::new("role:owner", "/acme")];
        assert_eq!(rbac.lacks(&owner, "role:maker", "/acme"), None);
        assert_eq!(rbac.lacks(&owner, "role:owner", "/acme"), None);
        assert!(rbac.lacks(&owner, "role:owner", "/").is_some(), "not above");
        let maker = [Held::new("role:maker", "/acme")];
        assert_eq!(rbac.lacks(&maker, "role:maker", "/acme/x"), None);
        assert_eq!(rbac.lacks(&maker, "role:maker", "/acme").map(|grant| grant.line), None);
        assert_eq!(rbac.lacks(&maker, "role:owner", "/acme/x").map(|grant| grant.line), Some(3));
        let mut intern = groups(&["interns"]);
        intern.push(Held::new("role:owner", "/"));
        assert!(rbac.lacks(&intern, "role:reader", "/acme").is_some(), "a part of it is forbidden to them");
        assert_eq!(rbac.lacks(&intern, "role:reader", "/acme/open"), None);
    }

    #[test]
    fn an_answer_names_its_lines() {
        let rbac = rbac();
        let said = rbac.explain(&groups(&["ops"]), "/acme/retail", "console:keys", "read");
        assert!(said.allowed);
        assert_eq!(said.grants.iter().map(|line| line.line).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(said.roles.iter().map(|line| line.line).collect::<Vec<_>>(), [5, 7]);
        let said = rbac.explain(&groups(&["all", "interns"]), "/acme/secret", "console:keys", "read");
        assert!(!said.allowed);
        assert_eq!(said.denials.iter().map(|line| line.line).collect::<Vec<_>>(), [4]);
        let held = rbac.roles_held(&groups(&["ops"]));
        assert_eq!(held, [Held::new("role:maker", "/acme/retail"), Held::new("role:reader", "/acme/retail")]);
        assert!(rbac.knows_role("role:maker") && !rbac.knows_role("role:makr"));
        assert_eq!(rbac.roles(), ["role:maker", "role:owner", "role:reader"]);
    }
}
