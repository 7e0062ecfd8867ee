use serde_json::json;

use super::super::schema::{GROUP, USER};
use super::*;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn ada() -> Attributes {
    let ada = json!({
        "userName": "ada", "active": true, "name": { "familyName": "Lovelace", "givenName": "Ada" },
        "emails": [
            { "value": "ada@acme.example", "type": "work", "primary": true },
            { "value": "ada@home.example", "type": "home" },
        ],
    });
    ada.as_object().unwrap().clone()
}

fn patched(operations: &Value) -> Result<Value, ScimError> {
    let request =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    apply(&USER, &ada(), &request).map(Value::Object)
}

fn after(operation: &Value) -> Value {
    patched(&json!([operation])).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

#[test]
fn values_are_added_replaced_and_removed() {
    assert_eq!(after(&json!({ "op": "add", "path": "title", "value": "Countess" }))["title"], "Countess");
    let urn = "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName";
    let one = after(&json!({ "op": "replace", "path": urn, "value": "King" }));
    assert_eq!(one["name"], json!({ "familyName": "King", "givenName": "Ada" }));
    let one = after(&json!({ "op": "replace", "path": "name", "value": { "familyName": "King" } }));
    assert_eq!(one["name"], json!({ "familyName": "King", "givenName": "Ada" }));
    assert!(after(&json!({ "op": "remove", "path": "name" })).get("name").is_none());
    let both = patched(&json!([
        { "op": "remove", "path": "name.familyName" }, { "op": "remove", "path": "name.givenName" },
    ]));
    assert!(both.unwrap().get("name").is_none());
    let more = after(&json!({ "op": "add", "path": "emails", "value": [
        { "value": "a@b.example", "primary": true }, { "value": "ada@home.example", "type": "home" },
    ] }));
    assert_eq!(more["emails"].as_array().unwrap().len(), 3, "{more}");
    assert_eq!(more["emails"][0]["primary"], false);
    let all = after(&json!({ "op": "replace", "path": "emails", "value": [{ "value": "a@b.example" }] }));
    assert_eq!(all["emails"], json!([{ "value": "a@b.example" }]));
    let mail =
        after(&json!({ "op": "replace", "path": "emails[type eq \"home\"].value", "value": "x@y.example" }));
    assert_eq!(mail["emails"][1]["value"], "x@y.example");
    assert_eq!(mail["emails"][0]["value"], "ada@acme.example");
    let gone = after(&json!({ "op": "remove", "path": "emails[type eq \"home\"]" }));
    assert_eq!(gone["emails"].as_array().unwrap().len(), 1);
    let main = after(&json!({ "op": "replace", "path": "emails[type eq \"home\"].primary", "value": true }));
    assert_eq!((&main["emails"][0]["primary"], &main["emails"][1]["primary"]), (&json!(false), &json!(true)));
    let boss = after(&json!({ "op": "add", "path": format!("{ENTERPRISE}:manager"), "value": "B2" }));
    assert_eq!(boss[ENTERPRISE]["manager"], json!({ "value": "B2" }));
    let whole = json!({ "op": "add", "path": ENTERPRISE, "value": {
        "schemas": [ENTERPRISE], "department": "x", "manager": { "value": "y" },
    } });
    assert_eq!(after(&whole)[ENTERPRISE], json!({ "department": "x", "manager": { "value": "y" } }));
    let none = patched(&json!([
        { "op": "add", "path": format!("{ENTERPRISE}:department"), "value": "x" },
        { "op": "remove", "path": ENTERPRISE },
    ]));
    assert!(none.unwrap().get(ENTERPRISE).is_none());
}

#[test]
fn dialects_are_understood() {
    assert_eq!(after(&json!({ "op": "Replace", "path": "active", "value": "False" }))["active"], false);
    let entra =
        after(&json!({ "op": "Add", "path": "emails[type eq \"other\"].value", "value": "o@x.example" }));
    assert_eq!(entra["emails"][2], json!({ "type": "other", "value": "o@x.example" }));
    let okta = after(&json!({ "op": "replace", "value": { "active": false } }));
    assert_eq!(okta["active"], false);
    let paths = after(&json!({ "op": "replace", "value": {
        "name.givenName": "Augusta", (format!("{ENTERPRISE}:department")): "Engines", "id": "x", "meta": {},
        "emails[type eq \"work\"].value": "w@x.example", "phoneNumbers": [{ "value": "1" }],
    } }));
    assert_eq!(paths["name"]["givenName"], "Augusta");
    assert_eq!(paths["emails"][0]["value"], "w@x.example");
    assert_eq!(paths[ENTERPRISE]["department"], "Engines");
    assert!(paths.get("phoneNumbers").is_none() && paths.get("id").is_none());
    let phone = after(&json!({ "op": "Add", "path": "phoneNumbers[type eq \"work\"].value", "value": "1" }));
    assert_eq!(phone, Value::Object(ada()), "not kept, and not refused");
    assert_eq!(after(&json!({ "OP": "REMOVE", "Path": "emails[type eq \"fax\"]" })), Value::Object(ada()));

    let group = json!({ "displayName": "g", "members": [{ "value": "a" }, { "value": "b" }] });
    let group = group.as_object().unwrap();
    let members = |operation: Value| {
        apply(&GROUP, group, &json!({ "Operations": [operation] })).unwrap().get("members").cloned()
    };
    let removed = members(json!({ "op": "Remove", "path": "members", "value": [{ "value": "a" }] }));
    assert_eq!(removed, Some(json!([{ "value": "b" }])));
    let removed = members(json!({ "op": "remove", "path": "members[value eq \"b\"]" }));
    assert_eq!(removed, Some(json!([{ "value": "a" }])));
    let twice =
        members(json!({ "op": "add", "path": "members", "value": [{ "value": "a" }, { "value": "c" }] }));
    assert_eq!(twice, Some(json!([{ "value": "a" }, { "value": "b" }, { "value": "c" }])));
    assert_eq!(members(json!({ "op": "remove", "path": "members" })), None);
}

#[test]
fn what_cannot_be_done_is_refused_by_name_and_changes_nothing() {
    for (operation, kind) in [
        (json!({ "op": "move", "path": "title" }), "invalidSyntax"),
        (json!({ "op": "remove" }), "noTarget"),
        (json!({ "op": "add", "value": "x" }), "invalidSyntax"),
        (json!({ "op": "add", "path": "shoeSize", "value": 1 }), "invalidPath"),
        (json!({ "op": "add", "path": "emails[", "value": 1 }), "invalidPath"),
        (json!({ "op": "add", "path": "emails[size eq 1].value", "value": "x" }), "invalidPath"),
        (json!({ "op": "add", "path": 7, "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "path": "id", "value": "x" }), "mutability"),
        (json!({ "op": "replace", "path": "groups", "value": [] }), "mutability"),
        (json!({ "op": "remove", "path": "userName" }), "mutability"),
        (json!({ "op": "replace", "path": "userName", "value": null }), "invalidValue"),
        (json!({ "op": "replace", "path": "active", "value": "maybe" }), "invalidValue"),
        (json!({ "op": "replace", "path": "title", "value": 7 }), "invalidValue"),
        (
            json!({ "op": "replace", "path": "emails[type ne \"work\" and type ne \"home\"].value", "value": "x" }),
            "noTarget",
        ),
        (json!({ "op": "replace", "path": "emails.primary", "value": true }), "invalidValue"),
    ] {
        let error = patched(&json!([{ "op": "add", "path": "title", "value": "x" }, operation])).unwrap_err();
        assert_eq!(error.kind, Some(kind), "{operation}: {error:?}");
    }
}
