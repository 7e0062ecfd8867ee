//! Prices and limits of models.

use bailiwick_compliance_db::{Database, EndpointProfile, EvidenceKind, ModelKind, Unsaid};

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

/// Of every model it is said how much it takes and gives and whether it calls functions, or that nobody was found to say so.
#[test]
fn what_a_model_can_do_is_said_or_said_to_be_unknown() {
    let asked = |kind| match kind {
        ModelKind::Chat => vec![Unsaid::ContextTokens, Unsaid::MaxOutputTokens, Unsaid::Tools],
        // It makes no text and calls nothing.
        ModelKind::Embedding => vec![Unsaid::ContextTokens],
    };
    let mut lacking = Vec::new();
    for model in database().models() {
        for what in asked(model.kind) {
            if model.says(what) == model.unknown.contains(&what) {
                lacking.push(format!("{} {}: {what:?}", model.service, model.model.as_str()));
            }
        }
        assert!(!model.input.is_empty(), "{} {}", model.service, model.model.as_str());
        // The kind says what comes out; a price for sound or images in answers would say that there is more.
        let mut prices = model.variants.iter().map(|variant| variant.price).chain([model.price]);
        let more = prices.any(|price| price.image_output.is_some() || price.audio_output.is_some());
        assert!(!more, "{} {}: say what comes out of it", model.service, model.model.as_str());
    }
    assert_eq!(lacking, Vec::<String>::new());
}

#[test]
fn an_entry_does_not_say_what_it_says_to_be_unknown() {
    let mut files: std::collections::BTreeMap<String, String> = Database::embedded_files().collect();
    let models = files.get_mut("models.yaml").unwrap();
    assert!(models.contains("    unknown: [max_output_tokens]\n"));
    *models = models.replacen(
        "    unknown: [max_output_tokens]\n",
        "    max_output_tokens: 7\n    unknown: [max_output_tokens]\n",
        1,
    );
    let refused = Database::load(files).unwrap_err().to_string();
    assert!(refused.contains("what it says to be unknown it says as well"), "{refused}");
}

/// The vendors whose own prices could be read, and of how many of their models.
#[test]
fn prices_are_from_the_vendors_own_pages_where_those_could_be_read() {
    let of = |service: &str| {
        let database = database();
        let models: Vec<_> = database.models().filter(|model| model.service == service).collect();
        let vendors = models.iter().filter(|model| {
            model.evidence.iter().any(|evidence| {
                evidence.kind == EvidenceKind::VendorDoc && evidence.says.contains("a million tokens")
            })
        });
        (vendors.count(), models.len())
    };
    // As `docs/reference/compliance-db.md` says.
    for service in ["anthropic-api", "mistral-api"] {
        let (vendors, all) = of(service);
        assert_eq!(vendors, all, "{service}");
        assert!(all > 0);
    }
    for service in ["openai-api", "azure-openai"] {
        assert_eq!(of(service).0, 0, "{service}");
    }
}
