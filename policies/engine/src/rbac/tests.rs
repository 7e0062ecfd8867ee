use super::*;
use proptest::prelude::*;

const STARTER: &str = include_str!("../../../starter/rbac/model.conf");

fn load(policy: &str) -> Rbac {
    Rbac::load(STARTER, policy).unwrap_or_else(|p| panic!("{p:?}"))
}

fn refused(model: &str, policy: &str) -> String {
    match Rbac::load(model, policy) {
        Ok(_) => panic!("must be refused:\n{model}\n{policy}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

const GRANT: &str = "p, role:developer, /, model:*, use, allow\n";

#[test]
fn roles_and_grants_hold_below_their_scope_and_nowhere_else() {
    let rbac = load(
        "p, role:developer, /acme, model:*, use, allow\n\
         p, role:developer, /acme/bank, model:gpt*, use, deny\n\
         g, user:anna, role:developer, /acme\n\
         g, group:ops, role:developer, /acme/retail\n",
    );
    assert!(rbac.allowed("user:anna", "/acme/x/y", "model:gpt-5", "use"));
    assert!(!rbac.allowed("user:anna", "/acmecorp", "model:gpt-5", "use"));
    assert!(!rbac.allowed("user:anna", "/", "model:gpt-5", "use"));
    assert!(!rbac.allowed("user:anna", "/acme/bank/a", "model:gpt-5", "use"), "a denial wins");
    assert!(rbac.allowed("user:anna", "/acme/bank/a", "model:mistral", "use"));
    assert!(rbac.allowed("group:ops", "/acme/retail/support", "model:x", "use"));
    assert!(!rbac.allowed("group:ops", "/acme/clinic", "model:x", "use"));
    assert!(!rbac.allowed("user:anna", "/acme", "model:x", "delete"));
    assert!(!rbac.allowed("user:bert", "/acme", "model:x", "use"));
    assert!(
        rbac.allowed("role:developer", "/acme/q", "model:x", "use"),
        "a role may be asked about directly"
    );
    assert_eq!(rbac.roles_of("group:ops", "/acme/retail/support"), ["role:developer"]);
    assert!(rbac.roles_of("group:ops", "/acme").is_empty());
}

#[test]
fn a_group_an_id_and_an_attribute_are_three_things() {
    let rbac = load(&format!(
        "{GRANT}g, group:corp:7f, role:a, /\ng, group-id:corp:7f, role:b, /\ng, claim:corp:team=7f, role:c, /\n"
    ));
    for (subject, role) in
        [("group:corp:7f", "role:a"), ("group-id:corp:7f", "role:b"), ("claim:corp:team=7f", "role:c")]
    {
        assert_eq!(rbac.roles_of(subject, "/"), [role], "{subject}");
    }
    // What an attribute was called once is no group's name, least of all in a denial.
    for line in [
        "g, group:corp:department=Finance, role:finance, /\n",
        "p, group:corp:department=Finance, /, model:*, use, deny\n",
    ] {
        let said = refused(STARTER, &format!("{GRANT}{line}"));
        assert!(said.contains("write `claim:corp:department=Finance`") && said.contains(":2:"), "{said}");
    }
    for line in [
        "g, claim:corp:department, role:x, /\n",
        "g, claim:department=x, role:x, /\n",
        "g, group-id:7f, role:x, /\n",
    ] {
        let said = refused(STARTER, &format!("{GRANT}{line}"));
        assert!(
            said.contains("is written `claim:<provider>") || said.contains("is written `group-id:<provider>"),
            "{said}"
        );
    }
    assert!(
        refused(STARTER, &format!("{GRANT}g, groups:corp:x, role:x, /\n")).contains("did you mean `group:`")
    );
}

#[test]
fn nobody_in_particular_is_refused() {
    let rbac = load(GRANT);
    assert!(!rbac.allowed("", "", "", ""));
    assert!(!rbac.allowed("", "/", "model:x", "use"));
    assert!(!Rbac::deny_all().allowed("role:developer", "/", "model:x", "use"));
    assert!(refused(STARTER, "# nothing\n").contains("no policy line"));
}

#[test]
fn multibyte_names_neither_panic_nor_match_by_halves() {
    let rbac =
        load("p, role:entwickler, /bücher, model:größe*, use, allow\ng, user:ü, role:entwickler, /bücher\n");
    assert!(rbac.allowed("user:ü", "/bücher/ß", "model:größe-1", "use"));
    assert!(!rbac.allowed("user:ü", "/büche", "model:größe-1", "use"));
    assert!(!rbac.allowed("user:ü", "/bücher", "model:grö\u{301}", "use"));
}

#[test]
fn a_line_with_the_wrong_number_of_values_does_not_load() {
    for bad in [
        "p, role:a, /, model:*, use\n",
        "p, role:a, /, model:*, use, allow, x\n",
        "g, user:a, role:b\n",
        "g, user:a, role:b, /, x\n",
        "q, a\n",
        "p2, a\n",
    ] {
        assert!(refused(STARTER, &format!("{GRANT}{bad}")).contains("policy.csv:2"), "{bad}");
    }
}

#[test]
fn values_that_casbin_would_pass_over_do_not_load() {
    for bad in [
        "p, role:a, /, model:*, use, alow\n",
        "p, rolle:a, /, model:*, use, allow\n",
        "p, role:, /, model:*, use, allow\n",
        "p, user:*, /, model:*, use, allow\n",
        "p, role:a, acme, model:*, use, allow\n",
        "p, role:a, /acme/*, model:*, use, allow\n",
        "p, role:a, /, *, use, allow\n",
        "p, role:a, /, model:a*b, use, allow\n",
        "p, role:a, /, \"model:a\", use, allow\n",
        "g, user:a, developer, /\n",
        "p, role:developer, /, model:*, use, deny\n",
    ] {
        assert!(refused(STARTER, &format!("{GRANT}{bad}")).contains("policy.csv:2"), "{bad}");
    }
}

fn chain(steps: usize) -> String {
    let mut lines = String::from("g, user:a, role:r1, /\n");
    for i in 1..steps {
        lines.push_str(&format!("g, role:r{i}, role:r{}, /\n", i + 1));
    }
    format!("p, role:r{steps}, /, model:*, use, allow\n{lines}")
}

#[test]
fn nine_role_steps_work_and_ten_do_not_load() {
    assert!(load(&chain(9)).allowed("user:a", "/x", "model:m", "use"));
    assert!(refused(STARTER, &chain(10)).contains("role steps"));
    assert!(
        refused(STARTER, &format!("{GRANT}g, role:a, role:b, /\ng, role:b, role:a, /x\n")).contains("circle")
    );
}

#[test]
fn dangerous_models_do_not_load() {
    for (from, to, says) in [
        (
            "some(where (p.eft == allow)) && !some(where (p.eft == deny))",
            "!some(where (p.eft == deny))",
            "policy effect",
        ),
        (
            "some(where (p.eft == allow)) && !some(where (p.eft == deny))",
            "any(where (p.eft == allow))",
            "policy effect",
        ),
        ("scopeMatch(r.dom, p.dom)", "keyMatch(r.dom, p.dom)", "/acmecorp"),
        ("scopeMatch(r.dom, p.dom)", "regexMatch(r.dom, p.dom)", "regexMatch"),
        ("&& g(r.sub, p.sub, r.dom)", "|| g(r.sub, p.sub, r.dom)", "||"),
        ("m = ", "m = g(r.sub, p.sub, r.dom) && r.act == p.act && ", ""),
        ("r = sub, dom, obj, act", "r = sub, obj, act", "not what questions"),
        ("g = _, _, _", "g = _, _", "not what questions"),
        ("[matchers]", "[matchers]\nm2 = true", "not used"),
    ] {
        assert!(STARTER.contains(from), "the starter's model has no {from}");
        let model = STARTER.replacen(from, to, 1);
        if says.is_empty() {
            continue;
        }
        assert!(refused(&model, GRANT).contains(says), "{to}");
    }
    let reordered = "m = g(r.sub, p.sub, r.dom) && scopeMatch(r.dom, p.dom) && nameMatch(r.obj, p.obj) && nameMatch(r.act, p.act)";
    let model: String = STARTER
        .lines()
        .map(|l| if l.starts_with("m =") { reordered } else { l })
        .collect::<Vec<_>>()
        .join("\n");
    assert!(refused(&model, GRANT).contains("not the last"));
}

/// What the policy means, said plainly.
fn reference(rbac: &Rbac, subject: &str, scope: &str, object: &str, action: &str) -> bool {
    let mut who = rbac.roles_of(subject, scope);
    who.push(subject.to_owned());
    let hits = |allow: bool| {
        rbac.grants().iter().any(|g| {
            g.allow == allow
                && who.contains(&g.subject)
                && crate::scope::covers(&g.scope, scope)
                && crate::pattern::matches(&g.object, object)
                && crate::pattern::matches(&g.action, action)
        })
    };
    hits(true) && !hits(false)
}

proptest! {
    #[test]
    fn casbin_agrees_with_the_plain_meaning(
        grants in proptest::collection::btree_map((0..4u8, 0..4usize, 0..3usize), any::<bool>(), 1..8),
        links in proptest::collection::btree_set((0..5u8, 0..3u8, 0..4usize), 0..8),
    ) {
        const SCOPES: [&str; 4] = ["/", "/a", "/a/b", "/ab"];
        const OBJECTS: [&str; 3] = ["model:*", "model:x*", "model:y"];
        let mut text = String::new();
        for ((role, scope, object), allow) in &grants {
            text.push_str(&format!("p, role:{role}, {}, {}, use, {}\n", SCOPES[*scope], OBJECTS[*object], if *allow { "allow" } else { "deny" }));
        }
        for (member, role, scope) in &links {
            // Members 0..4 are roles, and only lower ones hold higher ones: no circles.
            let member = if *member == 4 { "user:u".to_owned() } else if member < role { format!("role:{member}") } else { continue };
            text.push_str(&format!("g, {member}, role:{role}, {}\n", SCOPES[*scope]));
        }
        let rbac = load(&text);
        for subject in ["user:u", "role:0", "role:1", "role:2"] {
            for scope in ["/", "/a", "/a/b", "/a/b/c", "/ab", "/abc", "/c"] {
                for object in ["model:x1", "model:y", "model:z"] {
                    prop_assert_eq!(
                        rbac.allowed(subject, scope, object, "use"),
                        reference(&rbac, subject, scope, object, "use"),
                        "{} {} {}\n{}", subject, scope, object, text
                    );
                }
            }
        }
    }
}
