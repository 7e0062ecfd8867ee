//! Declarations added up along the scope tree.

use bailiwick_compliance_db::{Country, CountrySet, expand};
use bailiwick_pii::{ClassSet, Sensitivity};

use crate::organisation::{Declarations, OpaqueContent};

/// What is declared for a key, from the root of the tree down to the key itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// The nearest controller's establishment.
    pub controller: Option<Country>,
    /// The union of all subject regions; `None` where nobody declared any.
    pub subject_regions: Option<CountrySet>,
    /// The union of all data classes.
    pub classes: ClassSet,
    /// The highest sensitivity.
    pub sensitivity: Option<Sensitivity>,
    /// The nearest word about unreadable content.
    pub opaque_content: OpaqueContent,
}

impl Declared {
    /// Adds what is declared one level further down.
    ///
    /// # Errors
    /// A region that nobody knows: taking it for nothing would loosen every rule that asks about it.
    pub fn add(&mut self, declarations: &Declarations) -> Result<(), String> {
        if declarations.controller.is_some() {
            self.controller = declarations.controller;
        }
        for name in &declarations.subject_regions {
            let countries = expand(name).ok_or_else(|| format!("`{name}` is no known region"))?;
            let known = self.subject_regions.unwrap_or(CountrySet::EMPTY);
            self.subject_regions = Some(known.union(countries));
        }
        self.classes = self.classes.union(declarations.data_classes);
        self.sensitivity = self.sensitivity.max(declarations.sensitivity);
        if let Some(opaque) = declarations.opaque_content {
            self.opaque_content = opaque;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_pii::DataClass;

    use super::*;

    #[test]
    fn declarations_add_up_and_nothing_below_takes_away() {
        let mut declared = Declared::default();
        let root = Declarations {
            subject_regions: vec!["EU".into()],
            data_classes: ClassSet::from(DataClass::Personal),
            sensitivity: Some(Sensitivity::Confidential),
            ..Declarations::default()
        };
        let key = Declarations {
            subject_regions: vec!["US".into()],
            data_classes: ClassSet::from(DataClass::Phi),
            sensitivity: Some(Sensitivity::Public),
            ..Declarations::default()
        };
        declared.add(&root).unwrap();
        declared.add(&key).unwrap();
        assert_eq!(declared.subject_regions.unwrap().len(), 28);
        assert_eq!(declared.classes.len(), 2);
        assert_eq!(declared.sensitivity, Some(Sensitivity::Confidential));
        let typo = Declarations { subject_regions: vec!["Europe".into()], ..Declarations::default() };
        assert!(declared.add(&typo).is_err());
    }
}
