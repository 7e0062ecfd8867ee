//! What a request says, read so that a problem names the field: a JSON pointer into the body (RFC 6901), or the name of a
//! parameter.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::Problem;

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "The body is not said to be JSON",
            )
            .fix("send `content-type: application/json`"));
        }
        let bytes = bytes(request, state).await?;
        read(&bytes).map(Self)
    }
}

/// A JSON body that may be left out; then everything in it has its default.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = bytes(request, state).await?;
        if bytes.is_empty() { Ok(Self(T::default())) } else { read(&bytes).map(Self) }
    }
}

/// The parameters of a query.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let axum::extract::Query(pairs) =
            axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
                .map_err(|error| Problem::invalid(error.body_text()))?;
        // Two values leave it to the reader which one counts.
        for (at, (name, _)) in pairs.iter().enumerate() {
            if pairs.iter().take(at).any(|(before, _)| before == name) {
                return Err(Problem::wrong_parameter(name, "it is given twice"));
            }
        }
        let object = pairs.into_iter().map(|(name, value)| (name, Written(value)));
        let object = serde::de::value::MapDeserializer::<_, serde::de::value::Error>::new(object);
        serde_path_to_error::deserialize(object).map(Self).map_err(|error| {
            let told = error.inner().to_string();
            let name = pointer(error.path(), &told);
            Problem::wrong_parameter(name.trim_start_matches('/'), &told)
        })
    }
}

/// What the path names. What cannot be a name names nothing.
#[derive(Debug)]
pub(crate) struct At<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        named.map(|axum::extract::Path(named)| Self(named)).map_err(|_| Problem::not_found("thing"))
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        let status = rejection.status();
        let code =
            if status == http::StatusCode::PAYLOAD_TOO_LARGE { "too_large" } else { "invalid_request" };
        Problem::new(status, code, "The body cannot be read").detail(rejection.body_text())
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let told = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = told.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut text).map_err(|error| {
        let told = error.inner().to_string();
        let whole = matches!(error.inner().classify(), serde_json::error::Category::Data);
        let at = if whole { pointer(error.path(), &told) } else { String::new() };
        Problem::wrong_field(&at, &told)
    })?;
    text.end().map_err(|error| Problem::wrong_field("", &error.to_string()))?;
    Ok(read)
}

/// The pointer to what is wrong. Of a field that is missing or unknown only the words tell the name.
fn pointer(path: &Path, told: &str) -> String {
    let mut pointer = String::new();
    let mut last = None;
    for segment in path {
        let step = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
        last = Some(step);
    }
    let named = ["missing field `", "unknown field `"]
        .into_iter()
        .find_map(|words| told.strip_prefix(words)?.split('`').next().map(str::to_owned));
    if let Some(named) = named.filter(|named| last.as_ref() != Some(named)) {
        pointer.push('/');
        pointer.push_str(&named.replace('~', "~0").replace('/', "~1"));
    }
    pointer
}

/// A value of a query: text, which is a number or yes or no where one is wanted.
struct Written(String);

impl<'de> serde::de::IntoDeserializer<'de, serde::de::value::Error> for Written {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($name:ident $visit:ident $type:ty, $what:literal;)*) => {
        $(fn $name<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(serde::de::Error::custom(concat!("it is no ", $what))),
            }
        })*
    };
}

impl<'de> serde::Deserializer<'de> for Written {
    type Error = serde::de::value::Error;

    parsed! {
        deserialize_bool visit_bool bool, "`true` or `false`";
        deserialize_u32 visit_u32 u32, "number from 0 on";
        deserialize_u64 visit_u64 u64, "number from 0 on";
        deserialize_i64 visit_i64 i64, "number";
    }

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: serde::de::Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: serde::de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(serde::de::value::StringDeserializer::new(self.0))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        One,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(default)]
        count: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default)]
        list: Vec<Inner>,
    }

    #[test]
    fn a_problem_points_at_the_field() {
        for (body, at) in [
            (r#"{"name":"a","list":[{"count":1},{"count":"x"}]}"#, "/list/1/count"),
            (r#"{"name":"a","list":[{"cout":1}]}"#, "/list/0/cout"),
            (r#"{"name":7}"#, "/name"),
            (r#"{"kind":"two","name":"a"}"#, "/kind"),
            ("{}", "/name"),
            (r#"{"name":"a","nmae":1}"#, "/nmae"),
            (r#"{"name":"a""#, ""),
            (r#"{"name":"a"} x"#, ""),
            ("[]", ""),
        ] {
            let problem = read::<Outer>(body.as_bytes()).unwrap_err();
            let told = problem.body();
            assert_eq!(told["errors"][0]["pointer"], at, "{body}: {told}");
            assert!(told["errors"][0]["detail"].as_str().is_some_and(|text| !text.is_empty()));
        }
        assert!(read::<Outer>(br#"{"name":"a","kind":"one","list":[{"count":1}]}"#).is_ok());
    }

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Query {
        limit: Option<u64>,
        name: Option<String>,
        kind: Option<Kind>,
    }

    async fn asked(query: &str) -> Result<Query, Problem> {
        let (mut parts, ()) = Request::get(format!("/x?{query}")).body(()).unwrap().into_parts();
        Asked::from_request_parts(&mut parts, &()).await.map(|Asked(query)| query)
    }

    #[tokio::test]
    async fn a_problem_names_the_parameter() {
        let fine = asked("limit=7&name=a%20b&kind=one").await.unwrap();
        assert_eq!(fine, Query { limit: Some(7), name: Some("a b".into()), kind: Some(Kind::One) });
        assert_eq!(asked("").await.unwrap(), Query::default());
        for (query, name) in [
            ("limit=x", "limit"),
            ("limit=-1", "limit"),
            ("kind=two", "kind"),
            ("nmae=a", "nmae"),
            ("limit=1&limit=2", "limit"),
        ] {
            let told = asked(query).await.unwrap_err().body();
            assert_eq!(told["errors"][0]["parameter"], name, "{query}: {told}");
        }
    }
}
