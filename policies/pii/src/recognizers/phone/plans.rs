//! Numbering plans, by calling code and by region.

use std::sync::OnceLock;

use phonenumber::Metadata;
use phonenumber::metadata::DATABASE;

use super::NATIONAL;
use super::pattern::Pattern;
use crate::phone_regions::{self, PhoneRegions};

/// The patterns of the numbering plans, compiled when a calling code first occurs.
#[derive(Debug)]
pub(crate) struct Plans {
    codes: Vec<OnceLock<Option<Pattern>>>,
    /// By the number of a region.
    regions: Vec<OnceLock<Option<Region>>>,
}

/// The national numbers of one region.
#[derive(Debug)]
pub(super) struct Region {
    plan: Pattern,
    /// What is dialled before a national number.
    prefix: String,
    /// How numbers are written: those that begin so, of this form, with that prefix or without.
    formats: Vec<(Option<Pattern>, Pattern, bool)>,
}

impl Region {
    fn new(region: &str) -> Option<Self> {
        let metadata = DATABASE.by_id(region)?;
        let prefix = metadata.national_prefix().unwrap_or_default().to_owned();
        // `$1` stands for the first group of the number.
        let written = |rule: &str| rule.replace("$1", "").contains(&prefix) || rule.contains("$NP");
        let formats = metadata.formats().iter().filter_map(|format| {
            let with = !prefix.is_empty() && !format.is_national_prefix_optional();
            let leading = format.leading_digits().last().and_then(|of| Pattern::new(of.as_str()));
            let whole = Pattern::new(format.pattern().as_str())?;
            Some((leading, whole, with && format.national_prefix().is_some_and(written)))
        });
        let formats = formats.collect();
        Some(Self { plan: pattern_of(&[metadata])?, prefix, formats })
    }

    /// Whether these digits are a national number as it is written in the region.
    pub(super) fn knows(&self, digits: &str) -> bool {
        let without = digits.strip_prefix(&self.prefix).filter(|_| !self.prefix.is_empty());
        without.is_some_and(|national| self.plan.is_match(national))
            || self.plan.is_match(digits) && !self.needs_prefix(digits)
    }

    /// Whether this number is written with the prefix within the region.
    fn needs_prefix(&self, digits: &str) -> bool {
        let of = |(leading, whole, _): &&(Option<Pattern>, Pattern, bool)| {
            leading.as_ref().is_none_or(|leading| leading.begins(digits)) && whole.is_match(digits)
        };
        self.formats.iter().find(of).is_some_and(|(_, _, with)| *with)
    }
}

impl Plans {
    pub(crate) fn new() -> Self {
        let plans = Self {
            codes: (0..1000).map(|_| OnceLock::new()).collect(),
            regions: (0..PhoneRegions::count()).map(|_| OnceLock::new()).collect(),
        };
        plans.get(1);
        for code in NATIONAL {
            plans.get(code);
        }
        plans
    }

    pub(super) fn get(&self, code: u16) -> Option<&Pattern> {
        self.codes.get(usize::from(code))?.get_or_init(|| compile(code)).as_ref()
    }

    /// Compiles the plan of a region, so that no scan has to.
    pub(crate) fn prepare(&self, region: usize) {
        self.region(region);
    }

    pub(super) fn region(&self, region: usize) -> Option<&Region> {
        self.regions.get(region)?.get_or_init(|| Region::new(&phone_regions::code(region))).as_ref()
    }

    /// Whether the plan of a calling code knows a national number (without trunk prefix).
    pub(super) fn knows(&self, code: u16, national: &str) -> bool {
        self.get(code).is_some_and(|plan| plan.is_match(national))
    }

    /// Splits digits that begin with a calling code.
    pub(super) fn split<'d>(&self, digits: &'d str) -> Option<(u16, &'d str)> {
        (1..=3).find_map(|len| {
            let (code, national) = digits.split_at_checked(len)?;
            let code: u16 = code.parse().ok()?;
            self.get(code).map(|_| (code, national))
        })
    }
}

/// One pattern for all kinds of numbers in all regions of a calling code.
fn compile(code: u16) -> Option<Pattern> {
    pattern_of(&DATABASE.by_code(&code)?)
}

/// One pattern for all kinds of numbers of these plans.
fn pattern_of(plans: &[&Metadata]) -> Option<Pattern> {
    let mut patterns = Vec::new();
    for metadata in plans {
        let kinds = metadata.descriptors();
        let kinds = [
            kinds.fixed_line(),
            kinds.mobile(),
            kinds.toll_free(),
            kinds.premium_rate(),
            kinds.shared_cost(),
            kinds.personal_number(),
            kinds.voip(),
            kinds.uan(),
            kinds.pager(),
        ];
        patterns.extend(kinds.into_iter().flatten().map(|kind| kind.national_number().as_str().to_owned()));
    }
    patterns.sort_unstable();
    patterns.dedup();
    Pattern::new(&patterns.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbering plans say what one of their numbers is, for each kind of it.
    #[test]
    fn every_plan_is_read_and_knows_its_own_examples() {
        let (plans, mut seen) = (Plans::new(), 0);
        for region in 0..PhoneRegions::count() {
            let code = phone_regions::code(region);
            let Some(metadata) = DATABASE.by_id(&code) else { continue };
            let known = plans.region(region).unwrap_or_else(|| panic!("the plan of {code} cannot be read"));
            assert_eq!(known.formats.len(), metadata.formats().len(), "{code}");
            let kinds = metadata.descriptors();
            for example in
                [kinds.fixed_line(), kinds.mobile()].into_iter().flatten().filter_map(|of| of.example())
            {
                assert!(known.plan.is_match(example), "{code}: {example}");
                assert!(plans.knows(metadata.country_code(), example), "{code}: {example}");
                assert!(!known.plan.is_match(&format!("{example}0000000000")), "{code}: {example}");
                seen += 1;
            }
        }
        assert!(seen > 400, "{seen} examples");
    }
}
