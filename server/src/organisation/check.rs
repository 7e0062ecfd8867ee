//! What is wrong with a declaration by itself.

use std::collections::BTreeSet;

use bailiwick_policy::scope;

use super::{CredentialRef, EndpointDefinition, Organisation, budget, key_problems};
use crate::credentials::CredentialDefinition;
use crate::fault::Fault;

/// Everything that is wrong with a declaration by itself, each with where in it.
#[must_use]
pub fn problems(organisation: &Organisation) -> Vec<Fault> {
    let mut problems = Vec::new();
    let mut path = |path: Option<&str>, list: &str, at: usize, field: &str| {
        let wrong = path.and_then(|path| scope::validate(path).err());
        problems.extend(wrong.map(|told| Fault::at(format!("/{list}/{at}/{field}"), told)));
    };
    let Organisation { scopes, endpoints, keys, budgets, limits, .. } = organisation;
    scopes.iter().enumerate().for_each(|(at, it)| path(Some(&it.path), "scopes", at, "path"));
    endpoints.iter().enumerate().for_each(|(at, it)| path(Some(&it.scope), "endpoints", at, "scope"));
    keys.iter().enumerate().for_each(|(at, it)| path(Some(&it.scope), "keys", at, "scope"));
    budgets.iter().enumerate().for_each(|(at, it)| path(it.scope.as_deref(), "budgets", at, "scope"));
    limits.iter().enumerate().for_each(|(at, it)| path(it.scope.as_deref(), "limits", at, "scope"));

    let mut each = |list: &str, at: usize, wrong: Vec<Fault>| {
        problems.extend(wrong.into_iter().map(|fault| fault.within(&format!("/{list}/{at}"))));
    };
    for (at, scope) in scopes.iter().enumerate() {
        each("scopes", at, scope.declarations.problems());
    }
    for (at, endpoint) in endpoints.iter().enumerate() {
        each("endpoints", at, endpoint_problems(endpoint));
    }
    for (at, key) in keys.iter().enumerate() {
        each("keys", at, key_problems(key));
    }
    for (at, credential) in organisation.credentials.iter().enumerate() {
        each("credentials", at, credential.problems());
    }
    for (at, workload) in organisation.workloads.iter().enumerate() {
        each("workloads", at, workload.problems());
    }
    problems.extend(budget::problems(organisation));
    problems.extend(twice(organisation));
    problems
}

/// Of two entries for the same thing one would silently win.
fn twice(organisation: &Organisation) -> Vec<Fault> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    let mut once = |list: &str, at: usize, what: String| {
        if !seen.insert(what.clone()) {
            let told = format!("{what} is declared twice: keep one of them");
            problems.push(Fault::at(format!("/{list}/{at}"), told));
        }
    };
    for (at, it) in organisation.scopes.iter().enumerate() {
        once("scopes", at, format!("scope `{}`", it.path));
    }
    for (at, it) in organisation.credentials.iter().enumerate() {
        once("credentials", at, format!("credential `{}`", it.name));
    }
    for (at, it) in organisation.workloads.iter().enumerate() {
        once("workloads", at, format!("workload `{}`", it.name));
    }
    for (at, it) in organisation.endpoints.iter().enumerate() {
        once("endpoints", at, format!("endpoint `{}`", it.name));
        // One of its own has its name.
        if let Some(CredentialRef::Own(_)) = &it.credential {
            once("endpoints", at, format!("credential `{}`", it.name));
        }
    }
    for (at, it) in organisation.keys.iter().enumerate() {
        once("keys", at, format!("key `{}` of {}", it.name, it.scope));
    }
    for (at, it) in organisation.model_groups.iter().enumerate() {
        once("model_groups", at, format!("model group `{}`", it.name));
    }
    let mut either = Vec::new();
    for (at, budget) in organisation.budgets.iter().enumerate() {
        let key = budget.key.as_deref();
        let holder = budget.scope.as_deref().or(key).or(budget.user.as_deref()).unwrap_or_default();
        let models = budget.models.as_deref().map(|models| format!(" for `{models}`")).unwrap_or_default();
        if !budget.retired {
            once("budgets", at, format!("the budget of `{holder}`{models} by `{}`", budget.window));
        }
        let named = organisation.keys.iter().filter(|candidate| key == Some(candidate.name.as_str())).count();
        if named > 1 {
            let told = format!(
                "a budget's `key`: {named} keys of this declaration are called `{holder}`: give its id, or give \
                 them different names"
            );
            either.push(Fault::at(format!("/budgets/{at}/key"), told));
        }
    }
    problems.extend(either);
    problems
}

fn endpoint_problems(endpoint: &EndpointDefinition) -> Vec<Fault> {
    let mut problems = Vec::new();
    let name = &endpoint.name;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        let told = format!("`{name}` is no endpoint name: use letters, digits, `-`, `_` and `.`");
        problems.push(Fault::at("/name", told));
    }
    if endpoint.models.is_empty() {
        problems.push(Fault::at("/models", format!("endpoint `{name}` serves no model")));
    }
    problems.extend(endpoint.own_prices().err().map(|error| Fault::at("/price", error.to_string())));
    if let Some(CredentialRef::Own(source)) = &endpoint.credential {
        let own = CredentialDefinition {
            name: name.clone(),
            scope: endpoint.scope.clone(),
            source: source.clone(),
        };
        // Its name and scope are the endpoint's, which were looked at.
        let wrong = own.problems().into_iter().filter(|fault| fault.pointer == source.field());
        problems.extend(wrong.map(|fault| fault.within("/credential")));
    }
    // The credential is read where the endpoint is used; here only its address is checked.
    let placeholder =
        endpoint.credential.as_ref().map(|_| crate::providers::Secret::new(String::from("unread")));
    let wrong = endpoint
        .models
        .iter()
        .find_map(|model| endpoint.target(&model.upstream, placeholder.as_ref(), None).err());
    problems.extend(wrong.map(|error| Fault::at("/base_url", error.to_string())));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault;

    #[test]
    fn what_is_declared_twice_or_could_be_either_is_named() {
        let named =
            |json: &str| fault::words(&problems(&serde_json::from_str::<Organisation>(json).unwrap()));
        let key = |scope: &str| format!(r#"{{"scope": "{scope}", "name": "nb"}}"#);
        let budget = r#"{"key": "nb", "window": "month", "limit_usd": "1"}"#;
        let other = r#"{"key": "nb", "window": "month", "limit_usd": "2"}"#;
        assert_eq!(named(&format!(r#"{{"keys": [{}, {}]}}"#, key("/a"), key("/b"))), "");
        assert_eq!(named(&format!(r#"{{"keys": [{}], "budgets": [{budget}]}}"#, key("/a"))), "");
        for (json, problem) in [
            (format!(r#"{{"keys": [{}, {}]}}"#, key("/a"), key("/a")), "key `nb` of /a is declared twice"),
            (format!(r#"{{"keys": [{}, {}], "budgets": [{budget}]}}"#, key("/a"), key("/b")), "2 keys"),
            (format!(r#"{{"keys": [{}], "budgets": [{budget}, {other}]}}"#, key("/a")), "the budget of `nb`"),
            (r#"{"scopes": [{"path": "/a"}, {"path": "/a"}]}"#.to_owned(), "scope `/a` is declared twice"),
        ] {
            assert!(named(&json).contains(problem), "{json}: {}", named(&json));
        }
    }

    #[test]
    fn every_fault_points_at_what_is_wrong() {
        let endpoint = |more: &str| {
            format!(
                r#"{{"name": "e", "scope": "/a", "dialect": "vllm", "base_url": "https://e.example",
                    "models": [{{"alias": "a", "upstream": "b"}}],
                    "profile": {{"name": "e", "operator": "self", "service": "vllm", "model": "b"}}{more}}}"#
            )
        };
        let plain = endpoint("");
        for (json, pointer) in [
            (r#"{"scopes": [{"path": "/a"}, {"path": "b"}]}"#.to_owned(), "/scopes/1/path"),
            (r#"{"scopes": [{"path": "/a"}, {"path": "/a"}]}"#.to_owned(), "/scopes/1"),
            (r#"{"scopes": [{"path": "/a", "subject_regions": ["EU", "nowhere"]}]}"#.to_owned(), "/scopes/0/subject_regions/1"),
            (r#"{"keys": [{"scope": "/a", "name": " x"}]}"#.to_owned(), "/keys/0/name"),
            (r#"{"keys": [{"scope": "/a", "name": "x", "tags": ["a", " b"]}]}"#.to_owned(), "/keys/0/tags"),
            (r#"{"budgets": [{"scope": "/a", "window": "day", "limit_usd": "-1"}]}"#.to_owned(), "/budgets/0/limit_usd"),
            (r#"{"budgets": [{"window": "day", "limit_usd": "1"}]}"#.to_owned(), "/budgets/0"),
            (r#"{"limits": [{"scope": "/a", "requests": 0, "per": "day"}]}"#.to_owned(), "/limits/0"),
            (r#"{"model_groups": [{"name": "g", "models": ["a", "x*y"]}]}"#.to_owned(), "/model_groups/0/models/1"),
            (r#"{"credentials": [{"name": "c", "file": "k"}]}"#.to_owned(), "/credentials/0/file"),
            (
                r#"{"workloads": [{"name": "w", "scope": "/a", "issuer": "http://x", "audience": "b", "claims": {"a/b": "x"}}]}"#.to_owned(),
                "/workloads/0/issuer",
            ),
            (
                r#"{"workloads": [{"name": "w", "scope": "/a", "issuer": "https://x.example", "audience": "b", "claims": {"a/b": "x*"}}]}"#.to_owned(),
                "/workloads/0/claims/a~1b",
            ),
            (format!(r#"{{"endpoints": [{plain}, {plain}]}}"#), "/endpoints/1"),
            (format!(r#"{{"endpoints": [{}]}}"#, endpoint(r#", "credential": {"file": "k"}"#)), "/endpoints/0/credential/file"),
            (format!(r#"{{"endpoints": [{}]}}"#, endpoint(r#", "markup_percent": "x""#)), "/endpoints/0/price"),
            (
                format!(
                    r#"{{"credentials": [{{"name": "e", "sealed": true}}], "endpoints": [{}]}}"#,
                    endpoint(r#", "credential": {"env": "K"}"#)
                ),
                "/endpoints/0",
            ),
        ] {
            let found = problems(&serde_json::from_str::<Organisation>(&json).unwrap());
            let [fault] = &found[..] else { panic!("{json}: {found:?}") };
            assert_eq!(fault.pointer, pointer, "{json}: {fault}");
        }
    }
}
