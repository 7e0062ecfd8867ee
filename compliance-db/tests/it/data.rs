use bailiwick_compliance_db::Database;

#[test]
fn the_embedded_database_loads() {
    Database::embedded().unwrap();
}
