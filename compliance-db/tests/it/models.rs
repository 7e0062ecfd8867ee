//! Prices and limits of models.

use bailiwick_compliance_db::{EndpointProfile, ModelKind};

use chrono::NaiveDate;

use crate::support::{azure, bedrock, database, openai_us, seven};

fn today() -> NaiveDate {
    "2026-11-22".parse().unwrap()
}

#[test]
fn a_model_is_found_by_its_name_and_its_snapshots() {
    let database = database();
    let mini = database.model("openai-api", "gpt-4o-mini").unwrap();
    assert_eq!(mini.price.input.nano_dollars(), 150_000_000);
    assert_eq!(mini.price.cached().nano_dollars(), 75_000_000);
    assert_eq!(mini.price.output.nano_dollars(), 600_000_000);
    assert_eq!(database.model("openai-api", "gpt-4o-mini-2024-07-18"), Some(mini));
    assert_eq!(database.model("openai-api", "gpt-4o-mini-2031-01-01"), None);
    assert_eq!(database.model("nimbus-api", "gpt-4o-mini"), None);
    assert_eq!(database.model("vllm", "anything").unwrap().price.output.nano_dollars(), 0);
    let embed = database.model("openai-api", "text-embedding-3-small").unwrap();
    assert_eq!((embed.kind, embed.price.input.nano_dollars()), (ModelKind::Embedding, 20_000_000));
}

#[test]
fn a_region_can_cost_more() {
    let database = database();
    let model = database.model("azure-openai", "gpt-4.1").unwrap();
    let nano = |hosting_option: &str| {
        model.price_at(&azure(hosting_option, "swedencentral"), today()).input.nano_dollars()
    };
    assert_eq!((nano("global_standard"), nano("data_zone_standard")), (2_000_000_000, 2_200_000_000));
    let unstated = EndpointProfile { hosting_option: None, ..azure("standard", "swedencentral") };
    assert_eq!(
        model.price_at(&unstated, today()).input.nano_dollars(),
        2_200_000_000,
        "in doubt the dearer one"
    );

    let nova = database.model("amazon-bedrock", "amazon.nova-2-lite-v1:0").unwrap();
    let at = |endpoint: &EndpointProfile| nova.price_at(endpoint, today()).input.nano_dollars();
    assert!(at(&bedrock(Some("eu"), "eu-central-1")) > at(&bedrock(None, "us-east-1")));

    let regional = database.model("openai-api", "gpt-5.4").unwrap();
    assert_eq!(regional.price_at(&openai_us(), today()).input.nano_dollars(), 2_750_000_000);
}

#[test]
fn every_known_endpoint_has_a_price() {
    let database = database();
    for endpoint in seven() {
        let known = database.model(&endpoint.service, &endpoint.model).is_some();
        assert_eq!(known, endpoint.name != "mystery", "{}", endpoint.name);
    }
}
