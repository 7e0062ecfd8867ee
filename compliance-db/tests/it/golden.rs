//! What is known of each endpoint on one day, as a table to read in review.

use std::fmt::Write;

use bailiwick_compliance_db::Attribute;

use crate::support::{resolve, seven};

#[test]
fn every_attribute_of_every_endpoint() {
    let mut table = String::new();
    for endpoint in seven() {
        writeln!(table, "{}", endpoint.name).unwrap();
        for attribute in Attribute::ALL {
            let resolved = resolve(&endpoint, attribute);
            let value = resolved.value.map_or("unknown".to_owned(), |value| value.to_string());
            writeln!(table, "  {attribute}: {value}").unwrap();
            for fact in &resolved.facts {
                writeln!(table, "    by {fact}").unwrap();
            }
            for missing in &resolved.missing {
                writeln!(table, "    missing: {missing}").unwrap();
            }
            if let Some(until) = resolved.valid_until {
                writeln!(table, "    until {}", until.date_naive()).unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}
