//! Rows of the list of decisions, as the console shows them.

use bailiwick_ui::view::{ActivityBucket, Count, DecisionRow, Outcome};

use crate::snapshot::Snapshot;
use crate::store::decisions::DecisionRow as Stored;

/// A stored row with the names that the configuration in force gives to its ids.
#[must_use]
pub fn view(row: &Stored, snapshot: &Snapshot) -> DecisionRow {
    let place =
        row.endpoint.as_deref().and_then(|name| snapshot.places.iter().find(|place| place.name == name));
    let dry = row.outcome.strip_prefix("dry_");
    DecisionRow {
        id: row.id.clone(),
        time_ms: row.time_ms,
        outcome: Outcome::from_name(dry.unwrap_or(&row.outcome)).unwrap_or(Outcome::Running),
        code: row.code.clone(),
        dry_run: dry.is_some(),
        scope: row.scope.clone(),
        key: row.key_id.as_deref().and_then(|id| snapshot.key(id)).map(|key| key.name.clone()),
        model: row.model.clone(),
        endpoint: row.endpoint.clone(),
        countries: place.map(|place| place.countries.clone()).unwrap_or_default(),
        simulated: place.is_some_and(|place| place.simulated),
        redactions: row.redactions.as_deref().map(counts).unwrap_or_default(),
        data_classes: row
            .classes
            .as_deref()
            .map(|classes| classes.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        cost_nanos: row.cost_nano,
        overhead_micros: row.overhead_us.and_then(|us| u64::try_from(us).ok()),
    }
}

/// `EMAIL=2,IBAN=1`.
#[must_use]
pub fn counts(text: &str) -> Vec<Count> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(kind, count)| Some(Count { kind: kind.to_owned(), count: count.parse().ok()? }))
        .collect()
}

/// Whether a row holds `words`, in lower case, in its id or one of its names.
#[must_use]
pub fn mentions(row: &DecisionRow, words: &str) -> bool {
    let holds = |text: &str| text.to_lowercase().contains(words);
    holds(&row.id)
        || holds(&row.scope)
        || [&row.key, &row.model, &row.endpoint, &row.code].into_iter().flatten().any(|text| holds(text))
        || row.data_classes.iter().any(|class| holds(class))
        || row.redactions.iter().any(|count| holds(&count.kind))
}

const BUCKETS: i64 = 24;

/// Counts by equal steps of time over the rows of a page.
#[must_use]
pub fn activity(rows: &[DecisionRow]) -> Vec<ActivityBucket> {
    let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else { return Vec::new() };
    let span = newest.time_ms - oldest.time_ms;
    if rows.len() < 3 || span <= 0 {
        return Vec::new();
    }
    let step = span / BUCKETS + 1;
    let mut buckets: Vec<ActivityBucket> = (0..BUCKETS)
        .map(|at| ActivityBucket { start_ms: oldest.time_ms + at * step, allowed: 0, denied: 0, failed: 0 })
        .collect();
    for row in rows {
        let at = usize::try_from((row.time_ms - oldest.time_ms) / step).unwrap_or(0);
        let Some(bucket) = buckets.get_mut(at) else { continue };
        match row.outcome {
            Outcome::Allowed | Outcome::Running => bucket.allowed += 1,
            Outcome::Denied => bucket.denied += 1,
            Outcome::Failed => bucket.failed += 1,
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_back() {
        let read = counts("EMAIL=2,IBAN=1");
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].kind.as_str(), read[0].count), ("EMAIL", 2));
    }

    #[test]
    fn every_kind_has_a_name_for_people() {
        use bailiwick_ui::text::{Lang, entity};
        for kind in bailiwick_pii::EntityType::ALL {
            for (lang, count) in [(Lang::En, 1), (Lang::En, 2), (Lang::De, 1), (Lang::De, 2)] {
                let name = entity(kind.as_str(), count, lang);
                // Some are called the same by everybody.
                let same = count == 1 && ["URL", "IBAN"].contains(&kind.as_str());
                assert!(same || name != format!("{count} {kind}"), "{name}");
            }
        }
    }
}
