//! An empty database that is filled.

use sea_orm::sea_query::{Expr, ExprTrait as _, InsertStatement, OnConflict, Query, UpdateStatement};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, Value as Bound};

use super::row::{self, Row};
use super::table::{Kind, Table, tables};
use crate::store::standing::{self, Standing};
use crate::store::{Store, StoreError};

/// See the module. It is marked as unfinished until [`Target::finish`].
pub(crate) struct Target<'s> {
    store: &'s Store,
    /// Updates of the table that is being filled, which refer to rows that may come after.
    later: Vec<UpdateStatement>,
}

impl<'s> Target<'s> {
    /// Marks `store`, which must hold nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it does; [`StoreError::OutOfService`] where it is marked already.
    pub(crate) async fn begin(
        store: &'s Store,
        unfinished: Standing,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let tables = tables()?;
        store
            .transaction(|transaction| {
                let (tables, unfinished) = (tables.clone(), unfinished.clone());
                Box::pin(async move {
                    standing::check_in(transaction).await?;
                    for table in tables.iter().filter(|table| !table.seeded) {
                        is_empty(transaction, table).await?;
                    }
                    standing::set_in(transaction, &unfinished, now_ms).await
                })
            })
            .await?;
        Ok(Self { store, later: Vec::new() })
    }

    /// Goes on with `store`, which is marked.
    pub(crate) fn resume(store: &'s Store) -> Self {
        Self { store, later: Vec::new() }
    }

    /// Adds rows to `table`, whose rows come one page after the other.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where somebody else writes to the database too; [`StoreError::Corrupt`] where a row does
    /// not fit the table.
    pub(crate) async fn add(&mut self, table: &Table, rows: &[Row]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let insert = self.insert(table, rows)?;
        self.execute(&insert).await
    }

    /// Every row of `table` is there.
    ///
    /// # Errors
    /// As [`Target::add`].
    pub(crate) async fn end(&mut self) -> Result<(), StoreError> {
        for update in std::mem::take(&mut self.later) {
            self.execute(&update).await?;
        }
        Ok(())
    }

    /// The database holds all that it is to hold, and may be served.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn finish(self) -> Result<(), StoreError> {
        standing::clear(self.store).await
    }

    fn insert(&mut self, table: &Table, rows: &[Row]) -> Result<InsertStatement, StoreError> {
        let backend = self.store.write.get_database_backend();
        let mut insert = Query::insert();
        insert.into_table(table.name).columns(table.columns.iter().map(|column| column.name));
        for row in rows {
            let mut values = row::bind(table, row)?;
            self.put_off(table, &mut values)?;
            let values = values.into_iter().zip(&table.columns).map(|(value, column)| {
                // As the text that it is: on its way through the driver it would be written anew, not always alike.
                match column.kind == Kind::Json && backend == DbBackend::Postgres {
                    true => Expr::value(value).cast_as("json"),
                    false => Expr::value(value),
                }
            });
            insert.values(values).map_err(|err| StoreError::Corrupt(err.to_string()))?;
        }
        if table.seeded {
            let (key, rest): (Vec<_>, Vec<_>) =
                (0..table.columns.len()).partition(|place| table.key.contains(place));
            let named = |places: Vec<usize>| {
                places
                    .into_iter()
                    .filter_map(|place| Some(table.columns.get(place)?.name))
                    .collect::<Vec<_>>()
            };
            insert.on_conflict(OnConflict::columns(named(key)).update_columns(named(rest)).to_owned());
        }
        Ok(insert)
    }

    /// A reference to a row of the same table is set once they are all there.
    fn put_off(&mut self, table: &Table, values: &mut [Bound]) -> Result<(), StoreError> {
        let Some((place, column)) = table.later.and_then(|place| Some((place, table.columns.get(place)?)))
        else {
            return Ok(());
        };
        let none = row::bound(table, column, &serde_json::Value::Null)?;
        let Some(value) = values.get_mut(place).filter(|value| **value != none) else { return Ok(()) };
        let value = std::mem::replace(value, none);
        let mut update = Query::update();
        update.table(table.name).value(column.name, value);
        for place in &table.key {
            if let Some((column, key)) = table.columns.get(*place).zip(values.get(*place)) {
                update.and_where(Expr::col(column.name).eq(key.clone()));
            }
        }
        self.later.push(update);
        Ok(())
    }

    async fn execute<S>(&self, statement: &S) -> Result<(), StoreError>
    where
        S: sea_orm::StatementBuilder + Clone + Send + Sync + 'static,
    {
        let done = self.store.transaction(|transaction| {
            let statement = statement.clone();
            Box::pin(async move {
                transaction.execute(&statement).await?;
                Ok(())
            })
        });
        match done.await {
            Err(StoreError::Conflict(why)) => Err(StoreError::Conflict(format!(
                "the database was empty and is not any more, or what is copied contradicts itself: {why}"
            ))),
            done => done,
        }
    }
}

async fn is_empty(transaction: &DatabaseTransaction, table: &Table) -> Result<(), StoreError> {
    match transaction.query_one(&table.page(None, 1)?).await? {
        Some(_) => Err(StoreError::Conflict(format!(
            "the database is not empty (there are rows in `{}`), and nothing is written over",
            table.name
        ))),
        None => Ok(()),
    }
}
