//! Credentials of providers as rows of their own, workloads that may exchange a token for a key, and the tokens that they
//! have exchanged.
//!
//! Until now an endpoint said itself where its credential is to be had. That reference becomes the credential of the
//! endpoint's name. The endpoint's definition stays as it is: a server of the release before reads it, and one of this
//! release takes a reference there for the credential of the endpoint's own name.

use sea_orm_migration::prelude::*;

use crate::table::{blob, index, int, json, reference, text, text_null};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const CREDENTIALS: &str = "credentials";

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
                    .table(CREDENTIALS)
                    // Random: what is sealed belongs to this row and to no later one of the same name.
                    .col(text("id").primary_key())
                    .col(text("name"))
                    .col(text("scope"))
                    // Where it is to be had; never the credential.
                    .col(json("source"))
                    // The envelope, where it is kept here.
                    .col(text_null("sealed"))
                    .col(int("version"))
                    .col(text_null("fingerprint"))
                    .col(int("created_ms"))
                    .col(int("updated_ms"))
                    .col(text_null("updated_by"))
                    .foreign_key(&mut reference("scope", "scopes", "path"))
                    .check(Expr::col("version").gt(0))
                    .take(),
            )
            .await?;
        manager.create_index(index("credentials_name", CREDENTIALS, &["name"]).unique().take()).await?;
        manager
            .create_table(
                Table::create()
                    .table("workloads")
                    .col(text("name").primary_key())
                    .col(text("scope"))
                    .col(json("definition"))
                    .col(int("created_ms"))
                    .col(int("updated_ms"))
                    .foreign_key(&mut reference("scope", "scopes", "path"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("subject_tokens")
                    // Exchanged once, and not to be taken twice.
                    .col(blob("id_hash").primary_key())
                    .col(int("expires_ms"))
                    .take(),
            )
            .await?;
        // The master keys that a running server has, so that nothing is sealed that another one can't open.
        let told = text_null("master_keys");
        manager.alter_table(Table::alter().table("replicas").add_column(told).take()).await?;
        // Whose exchanged token a key is for; such keys are deleted some time after their end.
        let workload = text_null("workload");
        manager.alter_table(Table::alter().table("virtual_keys").add_column(workload).take()).await?;
        manager.create_index(index("virtual_keys_workload", "virtual_keys", &["workload"])).await?;
        let db = manager.get_connection();
        for statement in crate::m0004_control::raise_on(CREDENTIALS, manager.get_database_backend()) {
            db.execute_unprepared(&statement).await?;
        }
        own_references(manager).await
    }
}

/// Makes the references in endpoints' definitions credentials of the endpoints' names.
async fn own_references(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns = ["name", "scope", "definition", "updated_ms"];
    let endpoints = Query::select().columns(columns).from("endpoints").take();
    for row in manager.get_connection().query_all(&endpoints).await? {
        let definition: sea_orm::JsonValue = row.try_get_by("definition")?;
        let Some(source) = definition.get("credential").filter(|source| source.is_object()) else { continue };
        let name: String = row.try_get_by("name")?;
        let scope: String = row.try_get_by("scope")?;
        let updated_ms: i64 = row.try_get_by("updated_ms")?;
        let insert = Query::insert()
            .into_table(CREDENTIALS)
            .columns(["id", "name", "scope", "source", "version", "created_ms", "updated_ms"])
            .values_panic([
                format!("cr_of_{name}").into(),
                name.into(),
                scope.into(),
                source.clone().into(),
                1_i64.into(),
                updated_ms.into(),
                updated_ms.into(),
            ])
            .take();
        manager.execute(insert).await?;
    }
    Ok(())
}
