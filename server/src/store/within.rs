//! Rows of some scopes and those below them.

use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Condition, ExprTrait};

/// A condition on a column that holds scopes. `None` where every scope is meant; of no scope there is no row.
pub(super) fn within(column: impl ColumnTrait, scopes: &[String]) -> Option<Condition> {
    if scopes.iter().any(|scope| scope == "/") {
        return None;
    }
    if scopes.is_empty() {
        return Some(Condition::all().add(column.is_null()));
    }
    Some(scopes.iter().fold(Condition::any(), |any, scope| {
        // `/a/` to `/a0`: '0' follows '/' in ASCII, so the range holds exactly what is below `/a`.
        let below = column.gte(format!("{scope}/")).and(column.lt(format!("{scope}0")));
        any.add(column.eq(scope.as_str())).add(below)
    }))
}
