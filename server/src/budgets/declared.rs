//! A budget's terms as they stand in the database.

use super::{Budget, TopUp};
use crate::organisation::BudgetSettings;
use crate::store;

impl Budget {
    /// The budget that a row declares, with its top-ups; `None` for one that is retired.
    ///
    /// # Errors
    /// What is wrong with the row, in words.
    pub(crate) fn declared(
        row: &store::budgets::Budget,
        top_ups: Vec<TopUp>,
    ) -> Result<Option<Self>, String> {
        let settings: BudgetSettings =
            serde_json::from_value(row.settings.clone()).map_err(|error| error.to_string())?;
        let thresholds = serde_json::from_value(row.thresholds.clone()).map_err(|error| error.to_string())?;
        let budget = Self {
            id: row.id,
            name: format!("budget {}", row.id),
            unit: row.unit.parse()?,
            limit_nano: row.limit_nano,
            window: row.window.parse()?,
            hard: row.hard,
            lower_output: settings.lower_output,
            top_ups: top_ups.into(),
            carry_over_nano: settings.carry_over_nano,
            thresholds,
            created_ms: row.created_ms,
        };
        Ok((!settings.retired).then_some(budget))
    }
}
