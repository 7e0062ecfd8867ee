//! Simulated tool calls: which function, and arguments that fit its JSON Schema and say the prompt's data back.

use serde_json::{Map, Value, json};

use super::text::Prompt;

/// Schemas nested deeper than this get no deeper value.
const MAX_DEPTH: usize = 8;

/// One call: the function's name, and its arguments as the JSON text that goes into `arguments`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: String,
}

/// The calls that a request asks for: by `tool_choice`, or because the last user message names a function or the
/// word "call". None after a tool's result, so that a loop of calls comes to its end.
pub(super) fn calls(request: &Value, prompt: &Prompt) -> Vec<Call> {
    let tools: Vec<&Value> = request.get("tools").and_then(Value::as_array).into_iter().flatten().collect();
    let functions: Vec<&Value> = tools.iter().filter_map(|tool| tool.get("function")).collect();
    let choice = request.get("tool_choice").unwrap_or(&Value::Null);
    if functions.is_empty() || prompt.tool_result.is_some() || choice == "none" {
        return Vec::new();
    }
    let text = prompt.last_user.to_lowercase();
    let forced = choice.pointer("/function/name").and_then(Value::as_str);
    let mut chosen: Vec<&Value> = functions
        .iter()
        .copied()
        .filter(|function| {
            let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
            match forced {
                Some(forced) => forced == name,
                None => text.contains(&name.to_lowercase()),
            }
        })
        .collect();
    let required = choice == "required" || choice == "any";
    if chosen.is_empty() && forced.is_none() && (required || text.split_whitespace().any(|w| w == "call")) {
        chosen.extend(functions.first());
    }
    let mut data =
        Data { entities: prompt.entities(), next: 0, fallback: prompt.last_user.chars().take(200).collect() };
    chosen.into_iter().map(|function| call(function, &mut data)).collect()
}

/// A value that fits `schema`, for `response_format` with a schema.
pub(super) fn structured(schema: &Value, prompt: &Prompt) -> Value {
    let fallback = prompt.last_user.chars().take(200).collect();
    let mut data = Data { entities: prompt.entities(), next: 0, fallback };
    value(schema, &mut data, 0)
}

struct Data {
    entities: Vec<String>,
    next: usize,
    fallback: String,
}

impl Data {
    fn text(&mut self) -> String {
        let turn = self.next;
        self.next += 1;
        let wrapped = turn.checked_rem(self.entities.len()).and_then(|at| self.entities.get(at));
        wrapped.unwrap_or(&self.fallback).clone()
    }
}

fn call(function: &Value, data: &mut Data) -> Call {
    let name = function.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let schema = function.get("parameters").cloned().unwrap_or_else(|| json!({"type": "object"}));
    Call { name, arguments: value(&schema, data, 0).to_string() }
}

fn value(schema: &Value, data: &mut Data, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|list| list.first()) {
        return first.clone();
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).next().unwrap_or("string"),
        _ if schema.get("properties").is_some() => "object",
        _ => "string",
    };
    match kind {
        "object" => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let filled = properties.into_iter().flatten();
            Value::Object(
                filled
                    .map(|(name, part)| (name.clone(), value(part, data, depth + 1)))
                    .collect::<Map<_, _>>(),
            )
        }
        "array" => match schema.get("items") {
            Some(items) => Value::Array(vec![value(items, data, depth + 1)]),
            None => json!([]),
        },
        "integer" | "number" => json!(1),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => Value::String(data.text()),
    }
}
