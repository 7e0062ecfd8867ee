//! The connection that writes, for single statements.
//!
//! A statement is a transaction by itself, so what holds for those holds for it: where the database undid it, it is
//! done again (see [`super::retry`]). It is the only way to write outside of [`Store::transaction`](super::Store), so no
//! statement can do without.

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    Statement, TransactionOptions, TransactionTrait as _,
};

use super::error::is_contended;
use super::retry::Tries;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Writes(DatabaseConnection);

impl Writes {
    pub(super) const fn new(connection: DatabaseConnection) -> Self {
        Self(connection)
    }

    /// The connection itself, for what is done again as a whole, or must not be.
    pub(super) const fn once(&self) -> &DatabaseConnection {
        &self.0
    }

    pub(super) async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        self.0.begin_with_options(options).await
    }
}

/// Does `$work` until the database does not undo it.
macro_rules! contended {
    ($work:expr) => {{
        let mut tries = Tries::new();
        loop {
            match $work.await {
                Err(error) if is_contended(&error) && tries.again(&error).await => {}
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
        contended!(self.0.execute_raw(statement.clone()))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        contended!(self.0.execute_unprepared(sql))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        contended!(self.0.query_one_raw(statement.clone()))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        contended!(self.0.query_all_raw(statement.clone()))
    }
}
