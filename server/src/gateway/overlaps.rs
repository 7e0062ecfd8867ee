//! Findings of several detectors at the same places: which of them count, and what is replaced.
//!
//! They are kept side by side, because which of two matters is the rules' to say. A finding that a plan leaves alone (its kind is
//! not named, it is not certain enough) is in nobody's way. Of those that the plan has replaced a secret goes first, because
//! nothing of it may come back, then what was found here, then the others in the order of the text; of each is replaced what
//! is left of its place, in pieces. So every byte of every finding that the plan applies to is replaced, once.

use std::collections::BTreeMap;

use bailiwick_pii::{EntityType, Finding, RedactionPlan};

use super::classify::SpanFinding;

/// What a plan has replaced, in the order of the text, no two at the same place.
pub(super) fn to_replace(
    here: &[SpanFinding],
    others: &[SpanFinding],
    plan: &RedactionPlan,
) -> Vec<SpanFinding> {
    let applies = |found: &&SpanFinding| plan.applies_to(&found.finding).is_some();
    if others.is_empty() {
        return here.iter().filter(applies).copied().collect();
    }
    let mut all: Vec<&SpanFinding> = here.iter().chain(others).filter(applies).collect();
    all.sort_by_key(|found| found.finding.entity.is_restorable());
    let mut taken = BTreeMap::new();
    for found in all {
        take(&mut taken, found.span, found.finding);
    }
    taken.into_iter().map(|((span, _), finding)| SpanFinding { span, finding }).collect()
}

/// Takes what is still free of a finding's place.
fn take(taken: &mut BTreeMap<(usize, usize), Finding>, span: usize, finding: Finding) {
    let mut start = finding.start;
    if let Some((_, before)) = taken.range((span, 0)..=(span, start)).next_back() {
        start = start.max(before.end);
    }
    if start >= finding.end {
        return;
    }
    let within = taken.range((span, start)..(span, finding.end));
    let within: Vec<(usize, usize)> = within.map(|((_, start), known)| (*start, known.end)).collect();
    for (next, end) in within.into_iter().chain([(finding.end, finding.end)]) {
        if start < next {
            taken.insert((span, start), Finding { start, end: next, ..finding });
        }
        start = start.max(end);
    }
}

/// Tells of each kind that was not known at a place: findings of one kind that overlap are one.
pub(super) fn new_kinds(
    known: impl Iterator<Item = Finding>,
    found: &[Finding],
    mut tell: impl FnMut(EntityType),
) {
    let known = known.map(|finding| (finding, true));
    let mut all: Vec<(Finding, bool)> = known.chain(found.iter().map(|finding| (*finding, false))).collect();
    all.sort_by_key(|(finding, _)| (finding.entity.as_str(), finding.start));
    let mut rest = all.as_slice();
    while let Some(((first, is_known), mut after)) = rest.split_first() {
        let (mut end, mut any_known) = (first.end, *is_known);
        while let Some(((next, is_known), more)) = after.split_first()
            && next.entity == first.entity
            && next.start < end
        {
            (end, any_known, after) = (end.max(next.end), any_known || *is_known, more);
        }
        if !any_known {
            tell(first.entity);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_pii::{Confidence, How, Redaction};
    use proptest::prelude::*;

    use super::*;

    fn finding(entity: EntityType, start: usize, end: usize, percent: u8) -> Finding {
        Finding { entity, start, end, confidence: Confidence::new(percent) }
    }

    const KINDS: [EntityType; 4] =
        [EntityType::Url, EntityType::Person, EntityType::UsSsn, EntityType::Credential];

    fn plan() -> RedactionPlan {
        let mut plan = RedactionPlan::empty();
        plan.add(EntityType::Person, Redaction { min_confidence: 60, ..Redaction::new(How::Token) });
        plan.add(EntityType::UsSsn, Redaction::new(How::Mask));
        plan.add(EntityType::Credential, Redaction::new(How::Drop));
        plan
    }

    fn findings() -> impl Strategy<Value = Vec<SpanFinding>> {
        let one = (0..3_usize, 0..4_usize, 0..30_usize, 1..12_usize, 50..100_u8);
        proptest::collection::vec(one, 0..8).prop_map(|all| {
            let one = |(span, kind, start, len, percent): (usize, usize, usize, usize, u8)| SpanFinding {
                span,
                finding: finding(KINDS[kind], start, start + len, percent),
            };
            all.into_iter().map(one).collect()
        })
    }

    proptest! {
        #[test]
        fn every_byte_that_the_plan_applies_to_is_replaced_once(
            here in findings(), others in findings(),
        ) {
            let plan = plan();
            // What was found here does not overlap.
            let nothing = RedactionPlan::of(bailiwick_pii::EntitySet::all(), Redaction::new(How::Mask));
            let here = to_replace(&[], &here, &nothing);
            let replaced = to_replace(&here, &others, &plan);
            let bytes = |found: &[SpanFinding]| -> Vec<(usize, usize)> {
                found.iter().flat_map(|one| (one.finding.start..one.finding.end).map(|at| (one.span, at))).collect()
            };
            let got = bytes(&replaced);
            prop_assert!(got.is_sorted_by(|one, other| one < other), "in order, and none twice: {replaced:?}");
            let applies = |found: &&SpanFinding| plan.applies_to(&found.finding).is_some();
            let all: Vec<SpanFinding> = here.iter().chain(&others).filter(applies).copied().collect();
            let mut wanted = bytes(&all);
            wanted.sort_unstable();
            wanted.dedup();
            prop_assert_eq!(got, wanted);
            // Nothing of a secret is replaced by what could come back.
            let secret = |found: &&SpanFinding| !found.finding.entity.is_restorable();
            let all: Vec<SpanFinding> = all.iter().filter(secret).copied().collect();
            let got: Vec<SpanFinding> = replaced.iter().filter(secret).copied().collect();
            let (got, wanted) = (bytes(&got), bytes(&all));
            prop_assert!(wanted.iter().all(|byte| got.contains(byte)));
        }
    }

    #[test]
    fn what_overlaps_its_own_kind_counts_once_and_another_kind_hides_nothing() {
        let told = |known: &[Finding], found: &[Finding]| {
            let mut told = Vec::new();
            new_kinds(known.iter().copied(), found, |entity| told.push(entity));
            told
        };
        let (url, person) = (finding(EntityType::Url, 4, 30, 85), finding(EntityType::Person, 20, 36, 85));
        assert_eq!(told(&[url], &[person]), [EntityType::Person]);
        let again = finding(EntityType::Person, 30, 40, 85);
        let other = finding(EntityType::Person, 40, 50, 85);
        assert!(told(&[url, person], &[again]).is_empty());
        assert_eq!(told(&[url], &[person, again, other]), [EntityType::Person, EntityType::Person]);
    }
}
