//! Several changes in one request (RFC 7644, 3.7), one after the other. One that names another by its `bulkId` waits for
//! that one; a circle of them is refused.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::directory::Directory;
use super::error::{ScimError, answer};
use super::schema::{ResourceType, TYPES};
use super::{Change, Scim, changed, deleted, json_of, read};
use crate::identity::Permit;

/// The most changes of one request.
pub(super) const MOST: usize = 1_000;
const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
const BULK_ID: &str = "bulkId:";

/// One of them.
struct Operation {
    method: String,
    path: String,
    bulk_id: Option<String>,
    version: Option<String>,
    data: Value,
}

impl Operation {
    fn read(sent: &Value) -> Result<Self, ScimError> {
        let text = |name: &str| sent.get(name).and_then(Value::as_str).map(str::to_owned);
        let method = text("method").unwrap_or_default().to_ascii_uppercase();
        let bulk_id = text("bulkId");
        if method == "POST" && bulk_id.is_none() {
            return Err(ScimError::syntax("a POST in a bulk has a `bulkId`"));
        }
        Ok(Self {
            method,
            path: text("path").ok_or_else(|| ScimError::syntax("an operation has a `path`"))?,
            bulk_id,
            version: text("version"),
            data: sent.get("data").cloned().unwrap_or(Value::Null),
        })
    }

    /// The first other operation of this request that it names and that is not done yet.
    fn waits_for(&self, made: &HashMap<String, String>) -> bool {
        let open = |text: &str| text.strip_prefix(BULK_ID).is_some_and(|id| !made.contains_key(id));
        self.path.split('/').any(open) || any(&self.data, &open)
    }

    /// With ids in place of what it names.
    fn resolved(mut self, made: &HashMap<String, String>) -> Self {
        let id = |text: &str| text.strip_prefix(BULK_ID).and_then(|id| made.get(id)).cloned();
        let path: Vec<String> =
            self.path.split('/').map(|part| id(part).unwrap_or_else(|| part.to_owned())).collect();
        self.path = path.join("/");
        replace(&mut self.data, &id);
        self
    }
}

fn any(value: &Value, is: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is(text),
        Value::Array(several) => several.iter().any(|one| any(one, is)),
        Value::Object(parts) => parts.values().any(|one| any(one, is)),
        _ => false,
    }
}

fn replace(value: &mut Value, by: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(new) = by(text) {
                *text = new;
            }
        }
        Value::Array(several) => several.iter_mut().for_each(|one| replace(one, by)),
        Value::Object(parts) => parts.values_mut().for_each(|one| replace(one, by)),
        _ => {}
    }
}

/// `POST /scim/v2/Bulk`.
pub(super) async fn bulk(
    State(scim): State<Scim>,
    permit: Permit,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, ScimError> {
    let directory = scim.directory(&permit)?;
    let body = json_of(body)?;
    let Some(Value::Array(sent)) = body.get("Operations") else {
        return Err(ScimError::syntax("a bulk has `Operations`: an array"));
    };
    if sent.len() > MOST {
        return Err(ScimError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a bulk has at most {MOST} operations"),
        ));
    }
    let most_errors = body.get("failOnErrors").and_then(Value::as_u64).unwrap_or(u64::MAX).max(1);
    let mut open = Vec::with_capacity(sent.len());
    for sent in sent {
        open.push(Operation::read(sent)?);
    }
    let mut made: HashMap<String, String> = HashMap::new();
    let (mut answers, mut errors) = (Vec::with_capacity(open.len()), 0);
    while !open.is_empty() && errors < most_errors {
        let at = open.iter().position(|operation| !operation.waits_for(&made));
        let operation = open.remove(at.unwrap_or(0));
        let (method, bulk_id) = (operation.method.clone(), operation.bulk_id.clone());
        let done = match at {
            Some(_) => Box::pin(one(&scim, &directory, operation.resolved(&made))).await,
            None => Err(ScimError::new(
                StatusCode::CONFLICT,
                "it names a `bulkId` that nothing in this request makes, or only what waits for it",
            )),
        };
        let mut answer = json!({ "method": method, "bulkId": bulk_id });
        let told = match done {
            Ok(done) => {
                if let (Some(bulk_id), Some(id)) = (bulk_id, done.id) {
                    made.insert(bulk_id, id);
                }
                vec![
                    ("location", json!(done.location)),
                    ("version", json!(done.version)),
                    ("status", json!(done.status.as_str())),
                ]
            }
            Err(error) => {
                errors += 1;
                vec![("status", json!(error.status.as_str())), ("response", error.body())]
            }
        };
        if let Some(answer) = answer.as_object_mut() {
            answer.extend(told.into_iter().map(|(name, value)| (name.to_owned(), value)));
            answer.retain(|_, value| !value.is_null());
        }
        answers.push(answer);
    }
    Ok(answer(StatusCode::OK, &json!({ "schemas": [SCHEMA], "Operations": answers })))
}

/// What came of one.
struct Done {
    status: StatusCode,
    id: Option<String>,
    location: Option<String>,
    version: Option<String>,
}

async fn one(scim: &Scim, directory: &Directory<'_>, operation: Operation) -> Result<Done, ScimError> {
    let path = operation.path.trim_start_matches('/');
    let (endpoint, id) = path.split_once('/').map_or((path, None), |(of, id)| (of, Some(id)));
    let is = |kind: &&&'static ResourceType| kind.endpoint.trim_start_matches('/') == endpoint;
    let kind = TYPES.iter().find(is).copied().ok_or_else(|| ScimError::not_found("path"))?;
    let mut headers = HeaderMap::new();
    if let Some(version) = &operation.version {
        let tag =
            HeaderValue::from_str(version).map_err(|_| ScimError::value("`version` is an entity tag"))?;
        headers.insert(header::IF_MATCH, tag);
    }
    let (status, resource) = match (operation.method.as_str(), id) {
        ("POST", None) => {
            let made = directory.create(kind, read::resource(kind, &operation.data)?).await?;
            (StatusCode::CREATED, made)
        }
        ("PUT", Some(id)) => {
            let change = Change::Whole(&operation.data);
            (StatusCode::OK, changed(directory, kind, id, &headers, &change).await?)
        }
        ("PATCH", Some(id)) => {
            let change = Change::Parts(&operation.data);
            (StatusCode::OK, changed(directory, kind, id, &headers, &change).await?)
        }
        ("DELETE", Some(id)) => {
            deleted(directory, kind, id, &headers).await?;
            let location = Some(format!("{}/{path}", scim.base));
            return Ok(Done { status: StatusCode::NO_CONTENT, id: None, location, version: None });
        }
        _ => return Err(ScimError::syntax("the method does not go with the path")),
    };
    Ok(Done {
        status,
        location: Some(resource.location(&scim.base)),
        version: Some(resource.tag()),
        id: Some(resource.id),
    })
}
