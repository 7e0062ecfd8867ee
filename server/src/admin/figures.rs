//! Figures of single people: where the budgets and limits of a user stand, and those of a key that is one person's. Who
//! asks for them has a right of its own and says why, and the log has both before anybody is told.

use bailiwick_ledger::Kind;
use serde_json::{Value, json};

use super::Problem;
use crate::app::{Act, App};
use crate::identity::Permit;
use crate::store::budgets::Budget;

/// The right.
const OBJECT: &str = "console:people-figures";
const ACTION: &str = "read";
/// Characters of a reason.
const LONGEST_REASON: usize = 500;

/// Whether a list shows them.
pub(super) struct Figures {
    permit: Permit,
    reason: Option<String>,
    /// Those that are in the list.
    shown: Vec<i64>,
    /// How many are left out.
    withheld: u64,
}

impl Figures {
    /// What a query asks for: without a `reason`, nobody's.
    pub(super) fn asked(permit: &Permit, reason: Option<&str>) -> Result<Self, Problem> {
        let permit = permit.and(OBJECT, ACTION);
        let reason = reason.map(|text| text.trim().to_owned());
        if let Some(reason) = &reason {
            if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
                let told = format!("it says why, in 1 to {LONGEST_REASON} characters");
                return Err(Problem::wrong_parameter("reason", &told));
            }
            if permit.scopes().is_empty() {
                return Err(permit.forbidden(None));
            }
        }
        Ok(Self { permit, reason, shown: Vec::new(), withheld: 0 })
    }

    /// Whether a row may be told; counts those that may not.
    pub(super) fn admits(&mut self, app: &App, row: &Budget, scope: &str) -> bool {
        let key = row.key_id.as_ref();
        let is_somebodys = row.owner.is_some()
            || key.is_some_and(|id| app.gateway.snapshot.load().key(id).is_some_and(|key| key.owned));
        if !is_somebodys {
            return true;
        }
        let admits = self.reason.is_some() && self.permit.covers(scope);
        if admits {
            self.shown.push(row.id);
        } else {
            self.withheld += 1;
        }
        admits
    }

    /// Why one that [`admits`](Self::admits) does not is not told.
    pub(super) fn refused(&self) -> Problem {
        match self.reason {
            Some(_) => self.permit.forbidden(None),
            None => Problem::wrong_parameter(
                "reason",
                "this is a figure of a single person: say why it is asked for",
            ),
        }
    }

    /// Records that those on the page are told, and says in the answer how many are not.
    pub(super) async fn told(
        self,
        app: &App,
        mut answer: Value,
        list: &'static str,
        page: impl IntoIterator<Item = i64>,
    ) -> Result<Value, Problem> {
        self.record(app, list, page).await?;
        if let Some(answer) = answer.as_object_mut() {
            answer.insert(String::from("of_people_withheld"), self.withheld.into());
        }
        Ok(answer)
    }

    /// Records that those of these are told that are a person's.
    pub(super) async fn record(
        &self,
        app: &App,
        list: &'static str,
        told: impl IntoIterator<Item = i64>,
    ) -> Result<(), Problem> {
        let told: Vec<i64> = told.into_iter().filter(|id| self.shown.contains(id)).collect();
        if told.is_empty() {
            return Ok(());
        }
        let act = Act {
            kind: Kind::Admin,
            principal: self.permit.subject(),
            scope: Some("/"),
            name: "people_figures_read",
            what: json!({ "list": list, "ids": told, "reason": self.reason }),
        };
        app.act_aside(act, |()| Value::Null, async { Ok::<_, Problem>(()) }).await
    }
}
