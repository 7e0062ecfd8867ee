//! Several changes as one: all of them or none, and nothing that is declared changes meanwhile.

use std::sync::Arc;

use sea_orm::{EntityTrait as _, QuerySelect as _};

use super::entities::revision;
use super::retry::Tries;
use super::writes::{Reads, Writes};
use super::{Store, StoreError};

/// An error of what is done as one, which may be the store's.
pub trait MayBeOfStore: From<StoreError> {
    /// The store's, where it is.
    fn of_store(&self) -> Option<&StoreError>;
}

impl MayBeOfStore for StoreError {
    fn of_store(&self) -> Option<&StoreError> {
        Some(self)
    }
}

impl Store {
    /// Does `work` in one transaction, with a store in its place whose every statement is a part of it; again from the
    /// start where the database undid it. What requests are decided by is locked from the beginning on: whoever changes any of it,
    /// on this server or another one, was before or comes after. It must be short, change nothing outside of the database
    /// and not keep the store.
    ///
    /// # Errors
    /// Those of `work`, and then nothing was changed; [`StoreError::Unavailable`].
    pub async fn as_one<T, E, F>(&self, work: impl Fn(Self) -> F + Send + Sync) -> Result<T, E>
    where
        T: Send,
        E: MayBeOfStore + Send,
        F: Future<Output = Result<T, E>> + Send,
    {
        let mut tries = Tries::new();
        loop {
            let done = self.once_as_one(&work).await;
            let Err(error) = &done else { return done };
            let Some(StoreError::Contended(why)) = error.of_store() else { return done };
            if self.write.is_within() || !tries.again(why).await {
                return done;
            }
        }
    }

    async fn once_as_one<T, E, F>(&self, work: &(impl Fn(Self) -> F + Send + Sync)) -> Result<T, E>
    where
        T: Send,
        E: MayBeOfStore + Send,
        F: Future<Output = Result<T, E>> + Send,
    {
        let transaction = Arc::new(self.begin().await?);
        // Each change of what requests are decided by raises the revision, and waits for this. On SQLite the
        // transaction holds the one lock that there is.
        let held = revision::Entity::find_by_id(1_i64).lock_exclusive().one(&*transaction).await;
        held.map_err(StoreError::from)?;
        let within = Self {
            write: Writes::within(Arc::clone(&transaction)),
            read: Reads::within(Arc::clone(&transaction)),
            backend: self.backend.clone(),
        };
        let done = work(within).await;
        let kept = || StoreError::Unavailable(String::from("the transaction is still in use"));
        let transaction = Arc::try_unwrap(transaction).map_err(|_| kept())?;
        match done {
            Ok(done) => {
                transaction.commit().await.map_err(StoreError::from)?;
                Ok(done)
            }
            Err(error) => {
                if let Err(failed) = transaction.rollback().await {
                    tracing::debug!(%failed, "a transaction could not be ended");
                }
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{endpoints, scopes};

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        scopes::put(&store, "/", json!({}), 1).await.unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn what_fails_in_the_middle_leaves_nothing_and_sees_what_it_did() {
        let (_folder, store) = store().await;
        let failed: Result<(), StoreError> = store
            .as_one(|store| async move {
                scopes::put(&store, "/acme", json!({}), 1).await?;
                endpoints::put(&store, "e", "/acme", json!({}), 1).await?;
                assert_eq!(scopes::list(&store).await?.len(), 2, "it sees what it did");
                // What fails of a part leaves the rest: it is undone alone.
                let named = scopes::delete(&store, "/acme").await.unwrap_err();
                assert!(matches!(named, StoreError::Conflict(_)), "{named:?}");
                assert_eq!(endpoints::list(&store).await?.len(), 1);
                scopes::put(&store, "/no/parent", json!({}), 1).await
            })
            .await;
        assert!(matches!(failed, Err(StoreError::Conflict(_))), "{failed:?}");
        assert_eq!(scopes::list(&store).await.unwrap().len(), 1);
        assert!(endpoints::list(&store).await.unwrap().is_empty());
        let done: Result<(), StoreError> =
            store.as_one(|store| async move { scopes::put(&store, "/acme", json!({}), 1).await }).await;
        done.unwrap();
        assert_eq!(scopes::list(&store).await.unwrap().len(), 2);
        store.close().await;
    }

    #[tokio::test]
    async fn two_as_one_come_one_after_the_other() {
        let (_folder, store) = store().await;
        // Each writes one more than it read: where two read the same, one is lost.
        let add = || {
            store.as_one(|store| async move {
                let many = scopes::list(&store).await?.len();
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                scopes::put(&store, &format!("/s{many}"), json!({}), 1).await
            })
        };
        let done: Vec<Result<(), StoreError>> = futures::future::join_all((0..5).map(|_| add())).await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        assert_eq!(scopes::list(&store).await.unwrap().len(), 6);
        store.close().await;
    }
}
