//! The names that people have had, whom somebody turned out to be, who answers for a service token, and attributes of ID
//! tokens apart from groups.

use std::collections::BTreeSet;

use sea_orm_migration::prelude::*;

use crate::table::{int_null, reference, text, text_null};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const NAMES: &str = "person_names";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    // SQLite's default would leave half a migration behind.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(NAMES)
                    .col(text("person"))
                    // In small letters: case does not count.
                    .col(text("name"))
                    .primary_key(Index::create().col("person").col("name"))
                    .foreign_key(&mut reference("person", "people", "id"))
                    .take(),
            )
            .await?;
        // The person who this one turned out to be.
        manager
            .alter_table(Table::alter().table("people").add_column(text_null("joined_into")).take())
            .await?;
        // Null: what a server of the release before wrote has attributes among the groups.
        let claims = ColumnDef::new("claims").json().null().take();
        manager.alter_table(Table::alter().table("identities").add_column(claims).take()).await?;
        // One column a statement: SQLite adds no more.
        for column in [int_null("suspended_ms"), text_null("suspended_because"), text_null("claimed_by")] {
            manager.alter_table(Table::alter().table("service_tokens").add_column(column).take()).await?;
        }
        names(manager).await
    }
}

/// Puts down what people are called now: of earlier names nothing is left.
async fn names(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let mut found: BTreeSet<(String, String)> = BTreeSet::new();
    let people = Query::select().columns(["id", "email"]).from("people").take();
    for row in db.query_all(&people).await? {
        let email: Option<String> = row.try_get_by("email")?;
        if let Some(email) = email {
            found.insert((row.try_get_by("id")?, email.to_lowercase()));
        }
    }
    let columns = ["person", "user_name", "external_id", "attributes"];
    let users = Query::select().columns(columns).from("scim_users").take();
    for row in db.query_all(&users).await? {
        let person: String = row.try_get_by("person")?;
        let name: String = row.try_get_by("user_name")?;
        let external_id: Option<String> = row.try_get_by("external_id")?;
        let attributes: sea_orm::JsonValue = row.try_get_by("attributes")?;
        let emails = attributes.get("emails").and_then(sea_orm::JsonValue::as_array);
        let emails = emails.into_iter().flatten().filter_map(|email| email.get("value")?.as_str());
        let all = std::iter::once(name).chain(external_id).chain(emails.map(str::to_owned));
        found.extend(all.map(|name| (person.clone(), name.to_lowercase())));
    }
    for (person, name) in found.into_iter().filter(|(_, name)| !name.is_empty()) {
        let insert = Query::insert()
            .into_table(NAMES)
            .columns(["person", "name"])
            .values_panic([person.into(), name.into()])
            .take();
        manager.execute(insert).await?;
    }
    Ok(())
}
