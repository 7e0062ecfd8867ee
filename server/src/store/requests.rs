//! What one person asked for and another has to approve. What an approval brings about is done in the transaction that
//! says so: of two approvers at once, one does it.

use std::collections::BTreeSet;

use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _},
};

pub use super::entities::requests::Model as Request;
use super::entities::requests::{Column, Entity};
use super::{Store, StoreError, budgets, keys, seen::unchanged};

/// What an approval brings about.
#[derive(Clone, Debug, Default)]
pub struct Effect {
    /// A key, with budgets and limits of its own.
    pub key: Option<(keys::VirtualKey, Vec<budgets::Budget>)>,
    /// A top-up of a budget.
    pub top_up: Option<budgets::TopUp>,
}

/// How a request ends.
#[derive(Clone, Debug)]
pub struct Decision {
    /// `approved`, `refused` or `withdrawn`.
    pub state: &'static str,
    /// By whom.
    pub by: String,
    /// Why.
    pub because: Option<String>,
    /// Until when what was granted holds.
    pub until_ms: Option<i64>,
    /// What came of it.
    pub made: serde_json::Value,
    /// When.
    pub now_ms: i64,
}

/// Up to `limit` requests, newest first; before the one that was made at `before.0` and is called `before.1`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn page(
    store: &Store,
    before: Option<(i64, &str)>,
    limit: u64,
) -> Result<Vec<Request>, StoreError> {
    let mut query = Entity::find().order_by_desc(Column::CreatedMs).order_by_desc(Column::Id).limit(limit);
    if let Some((created_ms, id)) = before {
        let same = Column::CreatedMs.eq(created_ms).and(Column::Id.lt(id));
        query = query.filter(Column::CreatedMs.lt(created_ms).or(same));
    }
    Ok(query.all(&store.read).await?)
}

/// The request with this id.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: &str) -> Result<Request, StoreError> {
    Entity::find_by_id(id.to_owned()).one(&store.read).await?.ok_or(StoreError::NotFound("request"))
}

/// The scopes whose content `principal` may read at `now_ms`, because somebody else has approved it.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn content_access(store: &Store, principal: &str, now_ms: i64) -> Result<Vec<String>, StoreError> {
    let granted = Entity::find()
        .filter(Column::Kind.eq("content_access"))
        .filter(Column::State.eq("approved"))
        .filter(Column::Principal.eq(principal))
        .filter(Column::UntilMs.gt(now_ms))
        .order_by_asc(Column::Scope);
    Ok(granted.all(&store.read).await?.into_iter().map(|request| request.scope).collect())
}

/// Adds one.
///
/// # Errors
/// [`StoreError::Conflict`] where the id is taken, [`StoreError::Unavailable`].
pub async fn ask(store: &Store, request: Request) -> Result<(), StoreError> {
    Entity::insert(request.into_active_model()).exec_without_returning(&store.write).await?;
    Ok(())
}

/// Ends an open request, and brings about what follows; all or nothing.
///
/// # Errors
/// [`StoreError::Conflict`] where it was decided before or has expired, or where what would follow contradicts what is
/// there; [`StoreError::Changed`] where it is not as it was `seen`; [`StoreError::NotFound`],
/// [`StoreError::Unavailable`].
pub async fn decide(
    store: &Store,
    id: &str,
    decision: Decision,
    effect: Effect,
    seen: Option<&Request>,
) -> Result<(), StoreError> {
    get(store, id).await?;
    store
        .transaction(|transaction| {
            let (id, decision, effect) = (id.to_owned(), decision.clone(), effect.clone());
            let seen = seen.cloned();
            Box::pin(async move {
                unchanged(transaction, Entity::find_by_id(id.clone()), seen.as_ref()).await?;
                end(transaction, &id, decision).await?;
                if let Some((key, own)) = effect.key {
                    keys::create_in(transaction, key, own).await?;
                }
                if let Some(top_up) = effect.top_up {
                    budgets::top_up_in(transaction, top_up).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Withdraws what these principals have asked for and nobody has decided, and ends what they were granted to read;
/// inside the caller's transaction. Which.
pub(super) async fn end_of(
    transaction: &DatabaseTransaction,
    principals: &BTreeSet<String>,
    because: &str,
    now_ms: i64,
) -> Result<Vec<String>, StoreError> {
    let theirs = Column::Principal.is_in(principals);
    let open = theirs.clone().and(Column::State.eq("open")).and(Column::ExpiresMs.gt(now_ms));
    let reads = Column::Kind.eq("content_access").and(Column::State.eq("approved"));
    let reads = theirs.and(reads).and(Column::UntilMs.gt(now_ms));
    let ends = Entity::find().filter(open.clone().or(reads.clone())).order_by_asc(Column::Id);
    let ended: Vec<String> = ends.all(transaction).await?.into_iter().map(|request| request.id).collect();
    Entity::update_many()
        .col_expr(Column::State, Expr::value("withdrawn"))
        .col_expr(Column::DecidedBecause, Expr::value(because))
        .col_expr(Column::DecidedMs, Expr::value(now_ms))
        .filter(open)
        .exec(transaction)
        .await?;
    Entity::update_many()
        .col_expr(Column::UntilMs, Expr::value(now_ms))
        .filter(reads)
        .exec(transaction)
        .await?;
    Ok(ended)
}

/// Makes what `from` has asked for somebody's who is the same; inside the caller's transaction.
pub(super) async fn hand_over(
    transaction: &DatabaseTransaction,
    from: &str,
    to: &str,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Principal, Expr::value(to))
        .filter(Column::Principal.eq(from))
        .exec(transaction)
        .await?;
    Ok(())
}

async fn end(transaction: &DatabaseTransaction, id: &str, decision: Decision) -> Result<(), StoreError> {
    let ended = Entity::update_many()
        .col_expr(Column::State, Expr::value(decision.state))
        .col_expr(Column::DecidedBy, Expr::value(decision.by))
        .col_expr(Column::DecidedBecause, Expr::value(decision.because))
        .col_expr(Column::DecidedMs, Expr::value(decision.now_ms))
        .col_expr(Column::UntilMs, Expr::value(decision.until_ms))
        .col_expr(Column::Made, Expr::value(decision.made))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq("open"))
        .filter(Column::ExpiresMs.gt(decision.now_ms))
        .exec(transaction)
        .await?;
    if ended.rows_affected == 1 {
        return Ok(());
    }
    Err(StoreError::Conflict("the request was decided before, or nobody decided it in time".into()))
}
