//! What a user and a group are here (RFC 7643), as tables: `/Schemas` is told from them, and whatever comes is read by
//! them. What is not in the tables is not kept: no telephone numbers, postal addresses, pictures, certificates.

use serde_json::{Map, Value, json};

/// The kind of a value (RFC 7643, 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Boolean,
    Integer,
    DateTime,
    Reference,
    Complex,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

/// Who may set a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutability {
    ReadWrite,
    ReadOnly,
    /// Set with its element, and not changed in it.
    Immutable,
}

/// An attribute, or a part of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    about: &'static str,
    pub(super) many: bool,
    pub(super) required: bool,
    pub(super) case_exact: bool,
    pub(super) mutability: Mutability,
    /// Whether it is in every answer, whatever was asked for.
    pub(super) always: bool,
    unique: bool,
    values: &'static [&'static str],
    refers_to: &'static [&'static str],
    pub(super) parts: &'static [Attribute],
}

const fn attribute(name: &'static str, kind: Kind, about: &'static str) -> Attribute {
    Attribute {
        name,
        kind,
        about,
        many: false,
        required: false,
        case_exact: false,
        mutability: Mutability::ReadWrite,
        always: false,
        unique: false,
        values: &[],
        refers_to: &[],
        parts: &[],
    }
}

const fn text(name: &'static str, about: &'static str) -> Attribute {
    attribute(name, Kind::String, about)
}

const fn flag(name: &'static str, about: &'static str) -> Attribute {
    attribute(name, Kind::Boolean, about)
}

const fn complex(name: &'static str, parts: &'static [Attribute], about: &'static str) -> Attribute {
    Attribute { parts, ..attribute(name, Kind::Complex, about) }
}

const fn reference(name: &'static str, refers_to: &'static [&'static str], about: &'static str) -> Attribute {
    Attribute { refers_to, case_exact: true, ..attribute(name, Kind::Reference, about) }
}

const fn many(of: Attribute) -> Attribute {
    Attribute { many: true, ..of }
}

const fn required(of: Attribute) -> Attribute {
    Attribute { required: true, ..of }
}

const fn exact(of: Attribute) -> Attribute {
    Attribute { case_exact: true, ..of }
}

const fn unique(of: Attribute) -> Attribute {
    Attribute { unique: true, ..of }
}

const fn always(of: Attribute) -> Attribute {
    Attribute { always: true, ..of }
}

const fn read_only(of: Attribute) -> Attribute {
    Attribute { mutability: Mutability::ReadOnly, ..of }
}

const fn immutable(of: Attribute) -> Attribute {
    Attribute { mutability: Mutability::Immutable, ..of }
}

const fn one_of(of: Attribute, values: &'static [&'static str]) -> Attribute {
    Attribute { values, ..of }
}

/// Attributes under one name (RFC 7643, 3.1 and 7).
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) id: &'static str,
    name: &'static str,
    about: &'static str,
    pub(super) attributes: &'static [Attribute],
}

/// What there can be several of: users, groups.
#[derive(Debug)]
pub(super) struct ResourceType {
    pub(super) name: &'static str,
    /// Behind `/scim/v2`.
    pub(super) endpoint: &'static str,
    about: &'static str,
    pub(super) schema: &'static Schema,
    pub(super) extensions: &'static [&'static Schema],
    /// Attributes of the standard that are taken and not kept, so that a provider that sends them is not refused.
    pub(super) not_kept: &'static [&'static str],
}

/// What every resource has (RFC 7643, 3.1).
pub(super) static COMMON: &[Attribute] = &[
    always(read_only(attribute("schemas", Kind::Reference, "Names of the schemas"))),
    always(exact(read_only(text("id", "The server's name for the resource")))),
    exact(unique(text("externalId", "The provisioning client's name for the resource"))),
    read_only(complex(
        "meta",
        &[
            exact(read_only(text("resourceType", "User or Group"))),
            read_only(attribute("created", Kind::DateTime, "When it was made")),
            read_only(attribute("lastModified", Kind::DateTime, "When it was last changed")),
            exact(read_only(attribute("location", Kind::Reference, "Its address"))),
            exact(read_only(text("version", "Its entity tag"))),
        ],
        "About the resource itself",
    )),
];

pub(super) static USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    about: "A person who may sign in",
    schema: &USER_SCHEMA,
    extensions: &[&ENTERPRISE],
    not_kept: &[
        "profileUrl",
        "password",
        "phoneNumbers",
        "ims",
        "photos",
        "addresses",
        "entitlements",
        "roles",
        "x509Certificates",
    ],
};

pub(super) static GROUP: ResourceType = ResourceType {
    name: "Group",
    endpoint: "/Groups",
    about: "People whom lines of the policy give roles by the group's name",
    schema: &GROUP_SCHEMA,
    extensions: &[],
    not_kept: &[],
};

/// Every type of resource.
pub(super) static TYPES: [&ResourceType; 2] = [&USER, &GROUP];

static USER_SCHEMA: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:User",
    name: "User",
    about: "A person",
    attributes: &[
        required(unique(text("userName", "The name that the person signs in with at the provider"))),
        complex(
            "name",
            &[
                text("formatted", "The whole name, as it is shown"),
                text("familyName", "The family name"),
                text("givenName", "The given name"),
                text("middleName", "Names between"),
                text("honorificPrefix", "What stands before the name"),
                text("honorificSuffix", "What stands behind the name"),
            ],
            "The parts of the person's name",
        ),
        text("displayName", "The name that the console shows"),
        text("nickName", "What the person is called"),
        text("title", "The person's position"),
        text("userType", "How the person belongs to the organisation"),
        text("preferredLanguage", "Languages, as in Accept-Language"),
        text("locale", "Where formats of numbers and dates come from"),
        text("timezone", "A name of the IANA time zone database"),
        flag(
            "active",
            "Whether the person may sign in. Where it turns false, sessions end and keys are disabled",
        ),
        many(complex(
            "emails",
            &[
                text("value", "The address"),
                text("display", "The address for people"),
                one_of(text("type", "What the address is for"), &["work", "home", "other"]),
                flag("primary", "Whether it is the one that counts; one at most"),
            ],
            "E-mail addresses",
        )),
        many(read_only(complex(
            "groups",
            &[
                exact(read_only(text("value", "The group's id"))),
                read_only(reference("$ref", &["Group"], "The group's address")),
                read_only(text("display", "The group's name")),
                one_of(read_only(text("type", "How the person belongs to it")), &["direct"]),
            ],
            "The groups that the person is in, as their members say",
        ))),
    ],
};

static ENTERPRISE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    name: "EnterpriseUser",
    about: "A person's place in an organisation",
    attributes: &[
        text("employeeNumber", "The number of the employee"),
        text("costCenter", "The cost centre"),
        text("organization", "The organisation"),
        text("division", "The division"),
        text("department", "The department"),
        complex(
            "manager",
            &[exact(text("value", "The manager's id")), read_only(text("displayName", "The manager's name"))],
            "Whom the person reports to",
        ),
    ],
};

static GROUP_SCHEMA: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:Group",
    name: "Group",
    about: "A group of people",
    attributes: &[
        required(unique(text("displayName", "The name that lines of the policy know it by"))),
        many(complex(
            "members",
            &[
                exact(immutable(text("value", "The person's id"))),
                immutable(reference("$ref", &["User"], "The person's address")),
                one_of(immutable(text("type", "Always User: groups of groups are not kept")), &["User"]),
            ],
            "Who is in it",
        )),
    ],
};

const ABOUT_ATTRIBUTE: &[Attribute] = &[
    required(exact(read_only(text("name", "The attribute's name")))),
    required(exact(read_only(text("type", "The kind of its values")))),
    required(read_only(flag("multiValued", "Whether there can be several"))),
    read_only(text("description", "What it is")),
    read_only(flag("required", "Whether it must be there")),
    many(exact(read_only(text("canonicalValues", "Values that are usual")))),
    read_only(flag("caseExact", "Whether case counts")),
    exact(read_only(text("mutability", "Who may set it"))),
    exact(read_only(text("returned", "When it is in an answer"))),
    exact(read_only(text("uniqueness", "Among what it is unique"))),
    many(exact(read_only(text("referenceTypes", "What it may refer to")))),
];

static SCHEMA: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:Schema",
    name: "Schema",
    about: "Attributes under one name",
    attributes: &[
        required(exact(read_only(text("id", "The schema's name")))),
        read_only(text("name", "Its name for people")),
        read_only(text("description", "What it is")),
        many(required(read_only(complex("attributes", ABOUT_ATTRIBUTE, "Its attributes")))),
    ],
};

static RESOURCE_TYPE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:ResourceType",
    name: "ResourceType",
    about: "What there can be several of",
    attributes: &[
        read_only(text("id", "Its name")),
        required(read_only(text("name", "Its name for people"))),
        read_only(text("description", "What it is")),
        required(read_only(reference("endpoint", &["uri"], "Where they are"))),
        required(read_only(reference("schema", &["uri"], "The schema of its own attributes"))),
        many(read_only(complex(
            "schemaExtensions",
            &[
                required(read_only(reference("schema", &["uri"], "The schema of more attributes"))),
                required(read_only(flag("required", "Whether each has them"))),
            ],
            "Schemas of more attributes",
        ))),
    ],
};

const SUPPORTED: Attribute = required(read_only(flag("supported", "Whether there is such a thing here")));

static PROVIDER_CONFIG: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig",
    name: "ServiceProviderConfig",
    about: "What this server can do of the standard",
    attributes: &[
        read_only(reference("documentationUri", &["external"], "Where it is told to people")),
        required(read_only(complex("patch", &[SUPPORTED], "Changes of parts"))),
        required(read_only(complex(
            "bulk",
            &[
                SUPPORTED,
                required(read_only(attribute("maxOperations", Kind::Integer, "The most in one request"))),
                required(read_only(attribute(
                    "maxPayloadSize",
                    Kind::Integer,
                    "The most bytes of one request",
                ))),
            ],
            "Several changes in one request",
        ))),
        required(read_only(complex(
            "filter",
            &[
                SUPPORTED,
                required(read_only(attribute("maxResults", Kind::Integer, "The most in one answer"))),
            ],
            "Conditions of a list",
        ))),
        required(read_only(complex("changePassword", &[SUPPORTED], "Passwords"))),
        required(read_only(complex("sort", &[SUPPORTED], "Lists in an order"))),
        required(read_only(complex("etag", &[SUPPORTED], "Entity tags"))),
        many(required(read_only(complex(
            "authenticationSchemes",
            &[
                required(read_only(text("type", "The scheme"))),
                required(read_only(text("name", "Its name for people"))),
                required(read_only(text("description", "How it is used"))),
                read_only(reference("specUri", &["external"], "Its specification")),
                read_only(reference("documentationUri", &["external"], "Where it is told to people")),
                read_only(flag("primary", "Whether it is the one to take")),
            ],
            "How a client shows who it is",
        )))),
    ],
};

/// Every schema that is told.
pub(super) static SCHEMAS: [&Schema; 6] =
    [&USER_SCHEMA, &ENTERPRISE, &GROUP_SCHEMA, &SCHEMA, &RESOURCE_TYPE, &PROVIDER_CONFIG];

/// The one of these that is called so; case does not count (RFC 7643, 2.1).
pub(super) fn named(among: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    among.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

impl Attribute {
    fn described(&self) -> Value {
        let mut told = json!({
            "name": self.name, "type": self.kind.as_str(), "multiValued": self.many,
            "description": self.about, "required": self.required, "caseExact": self.case_exact,
            "mutability": match self.mutability {
                Mutability::ReadWrite => "readWrite",
                Mutability::ReadOnly => "readOnly",
                Mutability::Immutable => "immutable",
            },
            "returned": if self.always { "always" } else { "default" },
            "uniqueness": if self.unique { "server" } else { "none" },
        });
        let mut more = |name: &str, value: Value| {
            if let Some(told) = told.as_object_mut() {
                told.insert(name.to_owned(), value);
            }
        };
        if !self.values.is_empty() {
            more("canonicalValues", json!(self.values));
        }
        if !self.refers_to.is_empty() {
            more("referenceTypes", json!(self.refers_to));
        }
        if !self.parts.is_empty() {
            more("subAttributes", self.parts.iter().map(Self::described).collect());
        }
        told
    }
}

impl Schema {
    /// As `/Schemas` tells it.
    pub(super) fn described(&self, base: &str) -> Value {
        json!({
            "schemas": [SCHEMA.id], "id": self.id, "name": self.name, "description": self.about,
            "attributes": self.attributes.iter().map(Attribute::described).collect::<Vec<_>>(),
            "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", self.id) },
        })
    }
}

impl ResourceType {
    /// As `/ResourceTypes` tells it.
    pub(super) fn described(&self, base: &str) -> Value {
        let extensions: Vec<Value> =
            self.extensions.iter().map(|schema| json!({ "schema": schema.id, "required": false })).collect();
        json!({
            "schemas": [RESOURCE_TYPE.id], "id": self.name, "name": self.name, "description": self.about,
            "endpoint": self.endpoint, "schema": self.schema.id, "schemaExtensions": extensions,
            "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", self.name) },
        })
    }

    /// The extension of this name, or of which `name` names something: then what stands behind.
    pub(super) fn extension<'n>(&self, name: &'n str) -> Option<(&'static Schema, &'n str)> {
        self.extensions.iter().find_map(|schema| Some((*schema, behind(schema.id, name)?)))
    }

    /// `name` without the name of the type's own schema before it.
    pub(super) fn own<'n>(&self, name: &'n str) -> &'n str {
        match behind(self.schema.id, name) {
            Some(rest) if !rest.is_empty() => rest,
            _ => name,
        }
    }

    /// Whether it is an attribute of the standard that is not kept.
    pub(super) fn passes_over(&self, name: &str) -> bool {
        let first = self.own(name).split(['.', '[']).next().unwrap_or_default();
        self.not_kept.iter().any(|other| other.eq_ignore_ascii_case(first))
    }
}

/// What stands behind a schema's name and a colon; nothing where it is the name alone.
fn behind<'n>(schema: &str, name: &'n str) -> Option<&'n str> {
    let head = name.get(..schema.len())?;
    if !head.eq_ignore_ascii_case(schema) {
        return None;
    }
    match name.get(schema.len()..)? {
        "" => Some(""),
        rest => rest.strip_prefix(':').filter(|rest| !rest.is_empty()),
    }
}

/// `/ServiceProviderConfig`.
pub(super) fn provider_config(base: &str, most_operations: usize, most_bytes: usize, most: usize) -> Value {
    let (yes, no) = (json!({ "supported": true }), json!({ "supported": false }));
    json!({
        "schemas": [PROVIDER_CONFIG.id],
        "patch": yes, "sort": yes, "etag": yes, "changePassword": no,
        "bulk": { "supported": true, "maxOperations": most_operations, "maxPayloadSize": most_bytes },
        "filter": { "supported": true, "maxResults": most },
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Service token", "primary": true,
            "description": "Authorization: Bearer bwt_…, with a role that may provision",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig"),
        },
    })
}

/// Attributes of a resource, under their own names.
pub(super) type Attributes = Map<String, Value>;

/// What a condition calls the value of a simple attribute.
pub(super) const VALUE: Attribute = text("value", "The value");
