//! The files of `data/`, compiled in. A test compares the list with the folder.

/// A file's path and text, a line each.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../data/", $path)))),*]
    };
}

pub(crate) const FILES: &[(&str, &str)] = files![
    "amazon-bedrock.yaml",
    "azure-openai.yaml",
    "database.yaml",
    "mistral-api.yaml",
    "model-developers.yaml",
    "models.yaml",
    "openai-api.yaml",
    "regions.yaml",
    "vllm.yaml",
];
