//! Changes of a row as somebody saw it, and of no other.

use sea_orm::{DatabaseTransaction, EntityTrait, QuerySelect, Select};

use super::StoreError;

/// Refuses where the row is another one than was seen. It stays as it is until the transaction ends.
pub(super) async fn unchanged<E>(
    transaction: &DatabaseTransaction,
    row: Select<E>,
    seen: Option<&E::Model>,
) -> Result<(), StoreError>
where
    E: EntityTrait,
    E::Model: PartialEq,
{
    let Some(seen) = seen else { return Ok(()) };
    match row.lock_exclusive().one(transaction).await? {
        Some(now) if now == *seen => Ok(()),
        _ => Err(StoreError::Changed),
    }
}
