//! The connections that write and read, for single statements; or one transaction in their place.
//!
//! A statement is a transaction by itself, so what holds for those holds for it: where the database undid it, it is
//! done again (see [`super::retry`]). It is the only way to write outside of [`Store::transaction`](super::Store), so no
//! statement can do without. As a part of a transaction it is not done again: that begins anew as a whole (see
//! [`super::whole`]).

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    Statement, TransactionOptions, TransactionTrait as _,
};

use super::StoreError;
use super::error::is_contended;
use super::retry::Tries;

/// Where statements go.
#[derive(Clone, Debug)]
enum To {
    /// Each by itself.
    Pool(DatabaseConnection),
    /// All into one transaction.
    In(Arc<DatabaseTransaction>),
}

impl To {
    fn pool(&self) -> Result<&DatabaseConnection, StoreError> {
        match self {
            Self::Pool(pool) => Ok(pool),
            Self::In(_) => Err(StoreError::Unavailable(String::from("it is no part of a transaction"))),
        }
    }
}

/// The way to write; see the module.
#[derive(Clone, Debug)]
pub(super) struct Writes(To);

/// The way to read; see the module.
#[derive(Clone, Debug)]
pub(super) struct Reads(To);

impl Writes {
    pub(super) const fn new(connection: DatabaseConnection) -> Self {
        Self(To::Pool(connection))
    }

    pub(super) const fn within(transaction: Arc<DatabaseTransaction>) -> Self {
        Self(To::In(transaction))
    }

    /// The connection itself, for what is done again as a whole, or must not be.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] as a part of a transaction.
    pub(super) fn once(&self) -> Result<&DatabaseConnection, StoreError> {
        self.0.pool()
    }

    /// Whether statements are a part of a transaction.
    pub(super) const fn is_within(&self) -> bool {
        matches!(self.0, To::In(_))
    }

    /// Begins a transaction, or a part of one that is kept or undone as a whole.
    pub(super) async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        match &self.0 {
            To::Pool(pool) => pool.begin_with_options(options).await,
            To::In(transaction) => transaction.begin().await,
        }
    }
}

impl Reads {
    pub(super) const fn new(connection: DatabaseConnection) -> Self {
        Self(To::Pool(connection))
    }

    pub(super) const fn within(transaction: Arc<DatabaseTransaction>) -> Self {
        Self(To::In(transaction))
    }

    /// The connection itself.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] as a part of a transaction.
    pub(super) fn pool(&self) -> Result<&DatabaseConnection, StoreError> {
        self.0.pool()
    }
}

/// Does `$work` until the database does not undo it.
macro_rules! contended {
    ($self:ident, $work:expr) => {{
        let mut tries = Tries::new();
        loop {
            match $work.await {
                Err(error) if !$self.is_within() && is_contended(&error) && tries.again(&error).await => {}
                done => break done,
            }
        }
    }};
}

#[async_trait]
impl ConnectionTrait for Writes {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        contended!(self, self.0.execute_raw(statement.clone()))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        contended!(self, self.0.execute_unprepared(sql))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        contended!(self, self.0.query_one_raw(statement.clone()))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        contended!(self, self.0.query_all_raw(statement.clone()))
    }
}

#[async_trait]
impl ConnectionTrait for Reads {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.0.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.0.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.0.query_all_raw(statement).await
    }
}

#[async_trait]
impl ConnectionTrait for To {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Pool(pool) => pool.get_database_backend(),
            Self::In(transaction) => transaction.get_database_backend(),
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Pool(pool) => pool.execute_raw(statement).await,
            Self::In(transaction) => transaction.execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Pool(pool) => pool.execute_unprepared(sql).await,
            Self::In(transaction) => transaction.execute_unprepared(sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Pool(pool) => pool.query_one_raw(statement).await,
            Self::In(transaction) => transaction.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Pool(pool) => pool.query_all_raw(statement).await,
            Self::In(transaction) => transaction.query_all_raw(statement).await,
        }
    }
}
