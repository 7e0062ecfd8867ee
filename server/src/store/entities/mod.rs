//! The tables as sea-orm entities, a file each.

pub mod budget_spend;
pub mod budget_thresholds;
pub mod budget_top_ups;
pub mod budgets;
pub mod checkpoints;
pub mod decisions;
pub mod endpoints;
pub mod key_use;
pub mod kill_switches;
pub mod model_groups;
pub mod people;
pub mod policy_versions;
pub mod records;
pub mod replicas;
pub mod revision;
pub mod scopes;
pub mod service_tokens;
pub mod sessions;
pub mod settings;
pub mod setup_links;
pub mod tree_head;
pub mod tree_runs;
pub mod tree_tiles;
pub mod virtual_keys;
