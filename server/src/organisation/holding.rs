//! Budgets and limits that hold, each by its number. A declaration knows them by what they hold for and their window; a
//! number is what the API calls one.

use super::Organisation;
use super::changes::changes;
use super::export::{Held, Names, called, declared};
use crate::store::budgets::Budget;
use crate::store::keys::VirtualKey;
use crate::store::{self, Store, StoreError};

/// Every budget and limit that is stored, and the keys that they may be of.
pub struct Holding {
    names: Names,
    keys: Vec<VirtualKey>,
    rows: Vec<Budget>,
}

impl Holding {
    /// What is stored now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn now(store: &Store, now_ms: i64) -> Result<Self, StoreError> {
        let keys = store::keys::list(store).await?;
        let rows = store::budgets::list(store).await?;
        Ok(Self { names: Names::new(&keys, now_ms), keys, rows })
    }

    /// The row of a number.
    #[must_use]
    pub fn row(&self, id: i64) -> Option<&Budget> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// A declaration of this one alone, its key by scope and name. `None` where it holds no more, or where it is a key's
    /// own `requests_per_minute`, which is declared with the key.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn declared(&self, row: &Budget) -> Result<Option<Organisation>, StoreError> {
        Ok(declared(row, &self.names)?.map(|held| match held {
            Held::Budget(budget) => Organisation { budgets: vec![budget], ..Organisation::default() },
            Held::Limit(limit) => Organisation { limits: vec![limit], ..Organisation::default() },
        }))
    }

    /// What [`Change`](super::Change) calls the one thing that is declared here; `None` of nothing.
    #[must_use]
    pub fn name(&self, one: &Organisation) -> Option<String> {
        let named = |id: &str| self.names.named(&self.keys, id);
        changes(&Organisation::default(), one, false, named).pop().map(|change| change.name)
    }

    /// The one that holds and is called so.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn find(&self, kind: &str, name: &str) -> Result<Option<&Budget>, StoreError> {
        for row in &self.rows {
            if called(row, &self.names)?.is_some_and(|(of, its)| of == kind && its == name) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Whether a key that lives is called so: by its id, or by its scope and name.
    #[must_use]
    pub fn knows_key(&self, written: &str) -> bool {
        self.names.has(written) || self.names.named(&self.keys, written).is_some()
    }
}
