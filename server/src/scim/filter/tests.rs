use serde_json::json;

use super::super::schema::{GROUP, USER};
use super::*;

fn ada() -> Attributes {
    let ada = json!({
        "id": "A1", "userName": "Ada@acme.example", "externalId": "X7", "active": true,
        "name": { "familyName": "Lovelace", "givenName": "Ada" }, "title": "",
        "emails": [
            { "value": "ada@acme.example", "type": "work", "primary": true },
            { "value": "ada@home.example", "type": "home" },
        ],
        "meta": { "lastModified": "2026-11-01T10:00:00Z", "resourceType": "User" },
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": "Engines", "manager": { "value": "B2" },
        },
    });
    ada.as_object().unwrap().clone()
}

fn holds(filter: &str) -> bool {
    let read = Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error:?}"));
    read.check(&USER).unwrap_or_else(|error| panic!("{filter}: {error:?}"));
    read.holds(&USER, &ada())
}

#[test]
fn each_operator_says_yes_and_no() {
    for yes in [
        r#"userName eq "ada@ACME.example""#,
        r#"USERNAME Eq "ada@acme.example""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ADA""#,
        r#"externalId eq "X7""#,
        r#"userName ne "bo""#,
        r#"title ne "x""#,
        r#"name.familyName co "love""#,
        r#"name.familyName ew "lace""#,
        r#"emails co "home""#,
        r#"emails.type eq "work""#,
        r#"emails[type eq "work"]"#,
        r#"emails[type eq "work" and primary eq true]"#,
        r#"emails[type eq "work"].value eq "ada@acme.example""#,
        r#"emails[not (type eq "work")]"#,
        "emails pr",
        "name pr and not (title pr)",
        "active eq true",
        r#"active eq "True""#,
        "nickName eq null",
        "userName ne null",
        r#"meta.lastModified gt "2026-11-01T09:59:59Z""#,
        r#"meta.lastModified le "2026-11-01T11:00:00+01:00""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "engines""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "B2""#,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User pr",
        r#"title pr or userName pr and active eq true"#,
        r#"(title pr or userName pr) and active eq true"#,
        r#"userName ge "ada" and userName lt "b""#,
    ] {
        assert!(holds(yes), "{yes}");
    }
    for no in [
        r#"externalId eq "x7""#,
        r#"userName eq "ada""#,
        r#"userName ne "ada@acme.example""#,
        r#"emails[type eq "work"].value eq "ada@home.example""#,
        r#"emails[type eq "home" and primary eq true]"#,
        "title pr",
        "active eq false",
        r#"active ne true"#,
        r#"userName pr and title pr or nickName pr"#,
        r#"not (userName pr)"#,
        r#"meta.lastModified lt "2026-11-01T10:00:00Z""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter pr"#,
    ] {
        assert!(!holds(no), "{no}");
    }
}

#[test]
fn what_is_no_filter_is_refused_by_name() {
    for bad in [
        "",
        "userName",
        "userName eq",
        "userName is \"x\"",
        "userName eq x",
        "userName eq \"x",
        "(userName pr",
        "userName pr)",
        "not userName pr",
        "emails[type eq \"work\"",
        "userName pr and",
        "and userName pr",
        "eq \"x\"",
        "userName eq {}",
        "[type pr]",
    ] {
        let error = Filter::parse(bad).map(|_| ()).unwrap_err();
        assert_eq!(error.kind, Some("invalidFilter"), "{bad}");
    }
    for unknown in ["shoeSize pr", "emails[size pr]", "emails.size pr", "active gt true", "userName[x pr]"] {
        let error = Filter::parse(unknown).unwrap().check(&USER).unwrap_err();
        assert_eq!(error.kind, Some("invalidFilter"), "{unknown}");
    }
    assert!(Filter::parse(&"(".repeat(5_000)).is_err());
    assert!(Filter::parse(&format!("{}userName pr{}", "(".repeat(100), ")".repeat(100))).is_err());
    assert!(Filter::parse(&vec!["userName pr"; 200].join(" or ")).is_err());
    assert!(Filter::parse("members pr").unwrap().check(&USER).is_err());
    assert!(Filter::parse("members pr").unwrap().check(&GROUP).is_ok());
    assert!(!Filter::parse("userName pr").unwrap().holds(&GROUP, &ada()), "a group has none");
}
