//! The three keys of the sample organisation behave as their scopes demand.

use std::collections::BTreeMap;

use bailiwick::demo::simulator::Behaviour;
use serde_json::{Value, json};

use crate::app::{TestApp, message};

const IN_THE_EU: [&str; 2] = ["vllm-germany", "bedrock-eu"];
const WITH_A_BAA: [&str; 2] = ["azure-sweden", "bedrock-us-east-1"];

fn only(app: &TestApp, allowed: &[&str]) -> BTreeMap<String, u64> {
    let received = app.received();
    let others: Vec<&String> = received.keys().filter(|name| !allowed.contains(&name.as_str())).collect();
    assert!(others.is_empty(), "{received:?}");
    received
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eu_prompt_never_leaves_the_eu() {
    let app = TestApp::start().await;
    let models: Vec<String> = ids(&app.get("/v1/models", "research").await.json());
    assert!(models.len() > 8, "{models:?}");
    let games: &[&[(&str, &str)]] = &[
        &[],
        &[("x-bailiwick-subject-region", "US")],
        &[("x-bailiwick-data-class", "public")],
        &[("x-bailiwick-data-class", "phi,restricted"), ("x-bailiwick-subject-region", "BR")],
        &[("x-bailiwick-purpose", "research")],
        &[("x-bailiwick-user", "root"), ("x-bailiwick-session", "s")],
        &[("x-forwarded-for", "8.8.8.8"), ("x-bailiwick-subject", "p-1")],
    ];
    let mut answered = 0;
    for model in &models {
        for game in games {
            for stream in [false, true] {
                let mut body = message(model, "Write to zoe.quill@kunde.example, +49 30 901820 about it.");
                body["stream"] = json!(stream);
                let reply = app.post("support", "/v1/chat/completions", game, body.to_string()).await;
                answered += u32::from(reply.status == 200);
            }
            let body = json!({ "model": model, "input": ["zoe.quill@kunde.example", "plain"] });
            let reply = app.post("support", "/v1/embeddings", game, body.to_string()).await;
            answered += u32::from(reply.status == 200);
        }
    }
    assert!(answered > 20, "{answered}");
    let received = only(&app, &IN_THE_EU);
    assert!(received.values().sum::<u64>() >= u64::from(answered), "{received:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eu_prompt_stays_in_the_eu_when_its_endpoints_fail() {
    let app = TestApp::start().await;
    for name in IN_THE_EU {
        app.simulator(name).set_behaviour(Behaviour::Status { code: 500, retry_after: None });
    }
    for _ in 0..6 {
        let reply = app.ask("support", "assistant", "Hello").await.refused(502, "upstream_failed");
        assert_eq!(reply.header("x-should-retry"), Some("true"));
    }
    assert_eq!(only(&app, &IN_THE_EU).len(), 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_data_reaches_only_endpoints_with_a_baa() {
    let app = TestApp::start().await;
    let models = ids(&app.get("/v1/models", "research").await.json());
    for model in &models {
        for stream in [false, true] {
            let mut body = message(model, "Patient Jane Roe, SSN 536-90-4399, has a cough.");
            body["stream"] = json!(stream);
            app.chat("clinic", &body).await;
        }
        let body = json!({ "model": model, "input": "Patient Jane Roe has a cough." });
        app.post("clinic", "/v1/embeddings", &[], body.to_string()).await;
    }
    let received = only(&app, &WITH_A_BAA);
    assert_eq!(received.len(), 2, "{received:?}");
    for simulator in app.simulators() {
        for request in simulator.received() {
            assert!(!request.contains("536-90-4399"), "{request:?}");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_data_falls_back_only_to_the_other_endpoint_with_a_baa() {
    let app = TestApp::start().await;
    let first = app.ask("clinic", "assistant", "A cough").await.is(200).endpoint().to_owned();
    let second = WITH_A_BAA.into_iter().find(|name| *name != first).unwrap();
    app.forget();
    app.simulator(&first).set_behaviour(Behaviour::Close);
    let reply = app.ask("clinic", "assistant", "A cough").await.is(200);
    assert_eq!(reply.endpoint(), second);
    assert_eq!(only(&app, &WITH_A_BAA).len(), 2);
    let records = app.records_of(&reply.decision()).await;
    let told: Vec<(String, Value)> = records
        .iter()
        .map(|record| {
            (
                record.header.kind.clone(),
                record.sections.get("attempt").map_or(Value::Null, |a| a["endpoint"].clone()),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("decision".to_owned(), json!(first)),
            ("outcome".to_owned(), Value::Null),
            ("attempt".to_owned(), json!(second)),
            ("outcome".to_owned(), Value::Null)
        ]
    );
    app.simulator(second).set_behaviour(Behaviour::Status { code: 503, retry_after: None });
    app.ask("clinic", "assistant", "A cough").await.is(502);
    only(&app, &WITH_A_BAA);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn research_may_use_every_endpoint() {
    let app = TestApp::start().await;
    for (name, model) in app.endpoints() {
        let reply = app.ask("research", &model, "Public knowledge").await.is(200);
        assert_eq!(reply.endpoint(), name);
    }
    assert_eq!(app.received().len(), app.simulators().count());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_an_ineligible_endpoint_serves_is_refused_with_reasons() {
    let app = TestApp::start().await;
    let reply = app.ask("support", "gpt-4.1-mini", "Hello").await.refused(403, "no_eligible_endpoint");
    assert_eq!(reply.header("x-should-retry"), Some("false"));
    let body = reply.json();
    let ours = &body["bailiwick"];
    assert_eq!(ours["decision"], reply.decision());
    assert!(ours["rules"].as_array().unwrap().contains(&json!("eu-personal-data-stays-in-the-eu")), "{ours}");
    let excluded = ours["excluded"].as_array().unwrap();
    assert!(!excluded.is_empty());
    for reason in excluded {
        assert_eq!(
            (&reason["endpoint"], &reason["rule"]),
            (&json!("openai-us"), &json!("eu-personal-data-stays-in-the-eu"))
        );
        assert!(reason["reason"].as_str().unwrap().contains("US"), "{reason}");
    }
    let fix = ours["fix"].as_str().unwrap();
    assert!(fix.contains("openai-us") && fix.contains("anthropic.claude-haiku-4-5"), "{fix}");
    let fix = app.ask("clinic", "gpt-4.1-mini", "A cough").await.refused(403, "no_eligible_endpoint").json();
    assert!(fix["bailiwick"]["fix"].as_str().unwrap().contains("baa"), "{fix}");
    assert!(app.received().is_empty());
    let records = app.records_of(&reply.decision()).await;
    assert_eq!((records.len(), records[0].header.kind.as_str()), (1, "refusal"));
    assert_eq!(records[0].sections["refusal"]["code"], "no_eligible_endpoint");
    app.finish().await;
}

/// The edits that the gateway makes are these and no others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_provider_receives_differs_only_by_the_stated_edits() {
    let app = TestApp::start().await;
    let sent = concat!(
        "{ \"model\" : \"assistant\",\n\t\"messages\":[{\"zzz\":1.0e+2, \"content\":\"caf\\u00e9 caf\u{e9} \\/ \\ud83d\\ude00\", \"role\":\"user\",\"x\":null, \"big\":12345678901234567890123}],",
        "\"temperature\":0.70, \"max_tokens\": 17,\"seed\":-0, \"metadata\":{\"b\":\"1\",\"a\":\"2\"} }\r\n"
    );
    let reply = app.post("clinic", "/v1/chat/completions", &[], sent).await.is(200);
    assert_eq!(reply.endpoint(), "azure-sweden");
    assert_eq!(app.only_body("azure-sweden"), sent.replace("assistant", "gpt-4.1"));
    let request = &app.simulator("azure-sweden").received()[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/openai/v1/chat/completions"));
    app.forget();

    // A member that nobody knows goes on as it came, where no rule asks for what it may do.
    let sent = r#"{ "zzz":1.0e+2,"model":"assistant","messages":[{"role":"user","content":"x"}],"max_tokens":17,"extra":{"k\u0065y": [1,2.50]},"big":12345678901234567890123}"#;
    let reply = app.post("research", "/v1/chat/completions", &[], sent).await.is(200);
    let got = app.only_body(reply.endpoint());
    let upstream = serde_json::from_str::<Value>(&got).unwrap()["model"].as_str().unwrap().to_owned();
    assert_eq!(got, sent.replace("assistant", &upstream));
    app.forget();

    // A card number is masked, an address replaced; nothing around them changes.
    let sent = r#"{"model":"assistant", "messages":[{"role":"user","content":"Pay 4111 1111 1111 1111 of max@kunde.example  now", "extra":{"k\u0065y": [1,2.50]}}],"max_completion_tokens":9}"#;
    app.post("support", "/v1/chat/completions", &[], sent).await.is(200);
    let got = app.only_body("vllm-germany");
    let start = got.find("<EMAIL_").unwrap();
    let end = start + got[start..].find('>').unwrap() + 1;
    let expected = sent
        .replace("\"assistant\"", "\"gpt-oss-120b\"")
        .replace("4111 1111 1111 1111", "****")
        .replace("max@kunde.example", &got[start..end]);
    assert_eq!(got, expected);
    app.forget();

    // A stream gets usage, and a limit where nobody set one.
    let sent = r#"{"model":"assistant","stream":true,"messages":[{"role":"user","content":"x"}]}"#;
    app.post("support", "/v1/chat/completions", &[], sent).await.is(200);
    assert_eq!(
        app.only_body("vllm-germany"),
        r#"{"model":"gpt-oss-120b","stream":true,"messages":[{"role":"user","content":"x"}],"max_completion_tokens":16384,"stream_options":{"include_usage":true}}"#
    );
    app.forget();

    // Embeddings.
    let sent = r#"{"input":["one","two"],"model":"text-embedding-3-small","encoding_format":"float","dimensions":8}"#;
    let reply = app.post("clinic", "/v1/embeddings", &[], sent).await.is(200);
    assert_eq!(app.only_body("azure-sweden"), sent);
    let body = reply.json();
    assert_eq!((body["data"].as_array().unwrap().len(), body["object"].as_str()), (2, Some("list")));
    app.finish().await;
}

/// As [`what_a_provider_receives_differs_only_by_the_stated_edits`] says, at every endpoint, whatever its dialect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_receives_the_bytes_that_were_sent_but_for_its_dialects_edits() {
    let app = TestApp::start().await;
    let whole = concat!(
        "{ \"model\" : \"assistant\",\n\t\"messages\":[{ \"content\":\"caf\\u00e9 caf\u{e9} \\/ \\ud83d\\ude00\", \"role\":\"user\"}],",
        "\"temperature\":0.70, \"max_tokens\": 17 }\r\n"
    );
    let streamed = r#"{"model":"assistant","max_completion_tokens": 17,"stream":true, "messages":[{"role":"user","content":"x"}]}"#;
    let told = r#"{"model":"assistant","max_tokens":17,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}"#;
    let embedded = r#"{ "input":["one" ,"tw\u006f"],"model":"embedder" }"#;
    let names: Vec<String> = app.endpoints().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 7, "{names:?}");
    let mut embedding = 0;
    for name in &names {
        let new = json!({ "scope": "/acme/research", "name": name, "endpoints": [name] });
        let (_, key) = app.create_key(new).await;
        let definition = app.endpoint(name).await;
        let upstream = |alias: &str| {
            let mut models = definition["models"].as_array().unwrap().iter();
            let model = models.find(|model| model["alias"] == alias)?;
            model["upstream"].as_str().map(str::to_owned)
        };
        let prefix =
            if name.starts_with("azure") || name.starts_with("bedrock") { "/openai/v1" } else { "/v1" };
        let chat = upstream("assistant").unwrap();
        let of = |sent: &str| sent.replacen("\"assistant\"", &format!("\"{chat}\""), 1);
        // One knows a single name for the limit, and tells the usage unasked.
        let (limited, asked) = if name == "mistral-eu" {
            let told = of(told).replace(r#""stream_options":{"include_usage":true},"#, "");
            (of(streamed).replace("max_completion_tokens", "max_tokens"), told)
        } else {
            let end = r#"}],"stream_options":{"include_usage":true}}"#;
            (format!("{}{end}", of(streamed).strip_suffix("}]}").unwrap()), of(told))
        };
        let mut calls = vec![("chat/completions", whole, of(whole)), ("chat/completions", streamed, limited)];
        calls.push(("chat/completions", told, asked));
        if let Some(model) = upstream("embedder") {
            calls.push(("embeddings", embedded, embedded.replace("embedder", &model)));
            embedding += 1;
        }
        for (path, sent, expected) in calls {
            app.forget();
            let reply = app.post(&key, &format!("/v1/{path}"), &[], sent).await.is(200);
            assert_eq!(reply.endpoint(), name);
            assert_eq!(app.only_body(name), expected, "{name}");
            let request = &app.simulator(name).received()[0];
            assert_eq!((request.method.as_str(), &request.path), ("POST", &format!("{prefix}/{path}")));
        }
    }
    assert_eq!(embedding, 4, "of these endpoints embed");
    app.finish().await;
}

fn ids(models: &Value) -> Vec<String> {
    models["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_are_those_that_the_key_may_use() {
    let app = TestApp::start().await;
    let list = |key| app.get("/v1/models", key);
    let support = list("support").await.is(200).json();
    assert_eq!(support["object"], "list");
    assert_eq!(
        ids(&support),
        ["anthropic.claude-haiku-4-5", "assistant", "bge-m3", "embedder", "gpt-oss-120b"]
    );
    assert_eq!(
        ids(&list("clinic").await.json()),
        ["anthropic.claude-sonnet-4-5", "assistant", "embedder", "gpt-4.1", "text-embedding-3-small"]
    );
    assert_eq!(ids(&list("research").await.json()).len(), 12);
    // A declaration may come before the endpoint that it is about.
    let narrow = json!({ "scope": "/acme/research", "name": "narrow", "models": ["gpt-4.1", "none-such"] });
    let applied = app.apply(json!({ "keys": [narrow] })).await;
    let key = applied["created_keys"][0]["key"].as_str().unwrap();
    assert_eq!(ids(&list(key).await.json()), ["gpt-4.1"]);
    app.ask(key, "assistant", "Hello").await.refused(404, "model_not_found");
    list("").await.refused(401, "invalid_api_key");
    assert!(app.received().is_empty());
    app.finish().await;
}

/// What a request cost is what all of its attempts cost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_costs_both_attempts() {
    let app = TestApp::start().await;
    app.impatient().await;
    // They took the request and never answered: what was held for it is booked. The cheapest costs nothing.
    let order =
        app.post("research", "/v1/decisions:explain", &[], message("assistant", "x").to_string()).await;
    let order = order.is(200).json()["decision"]["order"].clone();
    for at in 0..2 {
        app.simulator(order[at].as_str().unwrap()).push_behaviour(Behaviour::Hang);
    }
    let reply = app.ask("research", "assistant", "Hello").await.is(200);
    assert_eq!(reply.endpoint(), order[2]);
    app.settled().await;
    let costs: Vec<i64> = app
        .records_of(&reply.decision())
        .await
        .iter()
        .filter_map(|record| record.sections.get("usage")?["cost_nano"].as_i64())
        .collect();
    assert_eq!(costs.len(), 3);
    let list = app.admin(reqwest::Method::GET, "/api/v1/decisions", None).await.is(200).json();
    let rows = list["decisions"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == reply.decision().as_str()).unwrap();
    let sum: i64 = costs.iter().sum();
    assert!(costs[1] > 0 && costs[2] > 0, "{costs:?}");
    assert_eq!(row["cost_nanos"], sum, "{row}");
    let told = reply.header("x-bailiwick-cost").unwrap();
    assert_eq!(bailiwick::budgets::parse_usd(told).unwrap(), sum, "{told}");
    app.finish().await;
}

/// A model is asked only for what it does: the other requests would fail at every provider.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_serves_its_own_operation_alone() {
    let app = TestApp::start().await;
    let embed = |model: &str| json!({ "model": model, "input": "x" }).to_string();
    let chats = app.ask("research", "embedder", "x").await.refused(404, "model_not_found").json();
    let fix = chats["bailiwick"]["fix"].as_str().unwrap();
    assert!(
        fix.starts_with("`embedder` serves embeddings: send the request to `POST /v1/embeddings`"),
        "{fix}"
    );
    assert!(fix.contains("assistant") && !fix.contains("text-embedding"), "{fix}");
    let embeds = app.post("research", "/v1/embeddings", &[], embed("assistant")).await;
    let embeds = embeds.refused(404, "model_not_found").json();
    let fix = embeds["bailiwick"]["fix"].as_str().unwrap();
    assert!(fix.contains("`POST /v1/chat/completions`") && fix.contains("embedder"), "{fix}");

    // Undeclared, what the compliance database knows of a model decides.
    app.edit_endpoint("openai-us", |definition| {
        for model in definition["models"].as_array_mut().unwrap() {
            model.as_object_mut().unwrap().remove("operations");
        }
    })
    .await;
    app.ask("research", "text-embedding-3-small", "x").await.refused(404, "model_not_found");
    app.post("research", "/v1/embeddings", &[], embed("gpt-4.1-mini")).await.refused(404, "model_not_found");
    assert!(app.received().is_empty(), "{:?}", app.received());
    app.post("research", "/v1/embeddings", &[], embed("text-embedding-3-small")).await.is(200);
    app.ask("research", "gpt-4.1-mini", "x").await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_decides_and_sends_nothing() {
    let app = TestApp::start().await;
    let dry = &[("x-bailiwick-dry-run", "1")];
    let body = message("assistant", "Write to zoe@kunde.example");
    let before = app.records().await.len();
    let reply = app.post("support", "/v1/chat/completions", dry, body.to_string()).await.is(200);
    let told = reply.json();
    assert_eq!(told["bailiwick"]["order"], json!(IN_THE_EU));
    assert_eq!(told["bailiwick"]["redactions"], json!({ "EMAIL": 1 }));
    assert!(told["choices"][0]["message"]["content"].as_str().unwrap().contains("Dry run"));
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let reply = app.post("support", "/v1/chat/completions", dry, streamed.to_string()).await.is(200);
    assert!(reply.streamed().contains("Dry run") && reply.events().last() == Some(&json!("[DONE]")));
    let embed = json!({ "model": "embedder", "input": "x" }).to_string();
    app.post("support", "/v1/embeddings", dry, embed).await.is(200);
    let refused = message("gpt-4.1-mini", "Hello").to_string();
    app.post("support", "/v1/chat/completions", dry, refused.clone())
        .await
        .refused(403, "no_eligible_endpoint");

    let explain = |body: String| app.post("support", "/v1/decisions:explain", &[], body);
    let allowed = explain(body.to_string()).await.is(200).json();
    assert_eq!((&allowed["allowed"], &allowed["decision"]["order"]), (&json!(true), &json!(IN_THE_EU)));
    let denied = explain(refused).await.is(200).json();
    assert_eq!((&denied["allowed"], &denied["decision"]["order"]), (&json!(false), &json!([])));
    let endpoints = denied["decision"]["explanation"]["endpoints"].as_array().unwrap();
    assert_eq!((&endpoints[0]["name"], &endpoints[0]["eligible"]), (&json!("openai-us"), &json!(false)));
    assert!(denied["decision"]["explanation"]["fix"].is_string());
    let embeddings = explain(json!({ "model": "embedder", "input": "x" }).to_string()).await.is(200).json();
    assert_eq!(embeddings["decision"]["facts"]["operation"], "embeddings");

    assert!(app.received().is_empty());
    assert_eq!(app.spend().await.values().sum::<i64>(), 0);
    // Four dry runs were recorded, as such; explanations are not. The export itself is a record too.
    let records = app.records().await;
    let recorded: Vec<&str> = records[before..].iter().map(|record| record.header.kind.as_str()).collect();
    assert_eq!(recorded, ["dry_run", "dry_run", "dry_run", "dry_run", "export"]);
    let list = app.admin(reqwest::Method::GET, "/api/v1/decisions", None).await.is(200).json();
    let rows = list["decisions"].as_array().unwrap();
    assert!(rows.len() == 4 && rows.iter().all(|row| row["dry_run"] == true), "{list}");
    assert_eq!((&rows[0]["outcome"], &rows[0]["code"]), (&json!("denied"), &json!("no_eligible_endpoint")));
    assert_eq!((&rows[3]["outcome"], &rows[3]["endpoint"]), (&json!("allowed"), &json!(IN_THE_EU[0])));
    for row in rows {
        let receipt = app.get(&format!("/v1/decisions/{}", row["id"].as_str().unwrap()), "support").await;
        let receipt = bailiwick_ledger::Receipt::parse(&receipt.is(200).body).unwrap();
        assert_eq!(receipt.verify(Some(&app.public_key())).unwrap().records.len(), 1);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_tells_what_was_done() {
    let app = TestApp::start().await;
    let reply = app
        .ask("support", "assistant", "Mail a@kunde.example and b@kunde.example, IBAN DE89370400440532013000")
        .await
        .is(200);
    assert_eq!(reply.endpoint(), "vllm-germany");
    assert_eq!(reply.header("x-bailiwick-countries"), Some("DE"));
    assert_eq!(reply.header("x-bailiwick-redactions"), Some("EMAIL=2,IBAN=1"));
    assert!(reply.header("x-bailiwick-policy").unwrap().starts_with("sha256:"));
    assert_eq!(reply.header("x-bailiwick-cost"), Some("0"));
    let dear = app.ask("research", "gpt-4.1", "Hello").await.is(200);
    let usage = dear.json()["usage"].clone();
    let cost = dear.header("x-bailiwick-cost").unwrap();
    assert!(cost.starts_with("0.0") && cost.len() > 4, "{cost}");
    let outcome = app.outcome(&dear.decision()).await;
    let booked = &outcome.sections["usage"];
    assert_eq!(booked["cost_nano"].as_i64().map(bailiwick::budgets::format_usd).as_deref(), Some(cost));
    assert_eq!(
        (&booked["input_tokens"], &booked["output_tokens"]),
        (&usage["prompt_tokens"], &usage["completion_tokens"])
    );
    for name in ["set-cookie", "openai-organization", "apim-request-id", "x-simulated", "x-ms-region"] {
        assert_eq!(dear.header(name), None);
    }
    app.finish().await;
}
