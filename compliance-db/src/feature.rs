//! What a request uses of a service beyond plain text in and out. Facts often hold only without some of it.

use crate::name_set::name_set;

name_set! {
    /// Something that a request uses and that changes what happens to its data.
    enum Feature {
        /// A tool of the provider that searches the live web.
        WebSearch = "web_search",
        /// Files uploaded to the provider beforehand and referred to by id.
        Files = "files",
        /// Asynchronous batch processing.
        Batch = "batch",
        /// Work that goes on at the provider after the response (`background: true`).
        Background = "background",
        /// A code interpreter or container of the provider.
        CodeExecution = "code_execution",
        /// Images in the request.
        ImageInput = "image_input",
        /// Documents such as PDF inlined in the request.
        FileInput = "file_input",
        /// Audio in or out.
        Audio = "audio",
        /// Images out.
        ImageGeneration = "image_generation",
        /// State kept at the provider for later requests (`store: true`, `previous_response_id`, conversations).
        StoredState = "stored_state",
        /// Tools on a remote MCP server that the provider calls.
        RemoteMcp = "remote_mcp",
        /// Prompt caching beyond memory, such as the 24-hour cache.
        PromptCacheExtended = "prompt_cache_extended",
        /// Training of a custom model.
        FineTuning = "fine_tuning",
    }

    /// The features that a request uses.
    struct FeatureSet;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_serde() {
        for feature in Feature::ALL {
            assert_eq!(serde_json::to_string(feature).unwrap(), format!("\"{feature}\""));
        }
        let set: FeatureSet = serde_json::from_str(r#"["batch","web_search"]"#).unwrap();
        assert_eq!(set.to_string(), "web_search, batch");
        assert!(set.contains(Feature::Batch) && !set.contains(Feature::Audio));
        assert_eq!(FeatureSet::all().iter().count(), Feature::ALL.len());
    }
}
