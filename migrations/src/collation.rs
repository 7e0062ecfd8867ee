//! Text compares by its bytes on both databases.
//!
//! SQLite does so by itself. PostgreSQL compares as the language of the database says, in which `/a-b` can stand
//! between two scopes below `/a`, and which can change with the operating system. What looks for a range of scopes,
//! pages through ids or keeps an index over them needs the order of the bytes.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};

/// Every text column that a migration has just made, while its table is empty.
const BY_BYTES: &str = r#"DO $$
DECLARE col record;
BEGIN
  FOR col IN
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'
      AND table_name IN (SELECT table_name FROM information_schema.tables
        WHERE table_schema = current_schema() AND table_type = 'BASE TABLE')
    ORDER BY table_name, column_name
  LOOP
    EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE text COLLATE "C"', col.table_name, col.column_name);
  END LOOP;
END $$"#;

/// Does nothing where there is nothing to do.
pub(crate) async fn by_bytes(db: &DatabaseConnection) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Postgres {
        db.execute_unprepared(BY_BYTES).await?;
    }
    Ok(())
}
