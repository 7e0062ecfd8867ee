//! Service tokens: `bwt_<id>_<secret>`, for CI, the command line, and the first steps.

use crate::keys::secret::{self, NoRandomness};
use crate::store::{self, Store, StoreError};

const PREFIX: &str = "bwt_";
const ID_LEN: usize = 12;
const SECRET_LEN: usize = 43;

/// A token as its holder has it. Its `Debug` form shows the id alone.
#[derive(Clone)]
pub struct ServiceTokenText {
    id: String,
    secret: String,
}

impl std::fmt::Debug for ServiceTokenText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServiceTokenText({})", self.id)
    }
}

impl ServiceTokenText {
    /// Reads the written form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let shape = id.len() == ID_LEN && secret.len() == SECRET_LEN;
        shape.then(|| Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// A new one.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self {
            id: secret::base62(&secret::random::<9>()?, ID_LEN),
            secret: secret::base62(&secret::random::<32>()?, SECRET_LEN),
        })
    }

    /// What is kept of it.
    #[must_use]
    pub fn row(
        &self,
        name: &str,
        scope: &str,
        roles: serde_json::Value,
        now_ms: i64,
    ) -> store::service_tokens::ServiceToken {
        store::service_tokens::ServiceToken {
            id: self.id.clone(),
            secret_hash: secret::digest(&self.secret).to_vec(),
            name: name.to_owned(),
            scope: scope.to_owned(),
            roles,
            created_ms: now_ms,
            expires_ms: None,
            revoked_ms: None,
            created_by: None,
            rotated_to: None,
            last_used_ms: None,
            suspended_ms: None,
            suspended_because: None,
            claimed_by: None,
        }
    }

    /// The public part.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The written form, shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    /// Whether `kept` is the digest of its secret.
    #[must_use]
    pub fn matches(&self, kept: &[u8]) -> bool {
        secret::matches(&self.secret, kept)
    }
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No secret could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Creates a token that holds `roles` at `scope` and never ends: for a first run and a demo.
///
/// # Errors
/// [`TokenError`].
pub async fn create_token(
    store: &Store,
    name: &str,
    scope: &str,
    roles: &[&str],
    now_ms: i64,
) -> Result<ServiceTokenText, TokenError> {
    let token = ServiceTokenText::generate()?;
    let row = token.row(name, scope, serde_json::json!(roles), now_ms);
    store::service_tokens::create(store, row).await?;
    Ok(token)
}
