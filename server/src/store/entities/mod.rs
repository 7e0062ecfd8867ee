//! The tables as sea-orm entities, a file each.

pub(crate) mod budget_spend;
pub(crate) mod budgets;
pub(crate) mod checkpoints;
pub(crate) mod decisions;
pub(crate) mod endpoints;
pub(crate) mod people;
pub(crate) mod records;
pub(crate) mod scopes;
pub(crate) mod service_tokens;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod setup_links;
pub(crate) mod tree_head;
pub(crate) mod tree_tiles;
pub(crate) mod virtual_keys;
