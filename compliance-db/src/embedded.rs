//! The files of `data/`, compiled in. A test compares the list with the folder.

/// A file's path and text, a line each.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../data/", $path)))),*]
    };
}

pub(crate) const FILES: &[(&str, &str)] = files![
    "aleph-alpha.yaml",
    "amazon-bedrock.yaml",
    "anthropic-api.yaml",
    "azure-openai.yaml",
    "baseten.yaml",
    "berget.yaml",
    "claude-in-foundry.yaml",
    "claude-platform-on-aws.yaml",
    "cloudflare-workers-ai.yaml",
    "cohere.yaml",
    "database.yaml",
    "deepinfra.yaml",
    "deepseek.yaml",
    "fireworks.yaml",
    "gemini-api.yaml",
    "groq.yaml",
    "huggingface-endpoints.yaml",
    "infercom.yaml",
    "infomaniak.yaml",
    "ionos.yaml",
    "mistral-api.yaml",
    "model-developers.yaml",
    "models.yaml",
    "nebius.yaml",
    "ollama-cloud.yaml",
    "ollama.yaml",
    "openai-api.yaml",
    "openrouter.yaml",
    "ovhcloud.yaml",
    "perplexity.yaml",
    "presidio.yaml",
    "regions.yaml",
    "scaleway.yaml",
    "stackit.yaml",
    "t-systems.yaml",
    "together.yaml",
    "vertex-ai.yaml",
    "vllm.yaml",
    "watsonx.yaml",
    "xai.yaml",
];
