//! Simulated embeddings: the same vector for the same input and model, of nearly unit length.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::text;

const DEFAULT_DIMENSIONS: usize = 1_536;
const MAX_DIMENSIONS: usize = 4_096;
const MAX_INPUTS: usize = 2_048;

/// The `data` and token count of an answer; `Err` is what the service would complain of.
pub(super) fn answer(model: &str, request: &Value) -> Result<(Value, u64), &'static str> {
    let inputs = inputs(request.get("input").unwrap_or(&Value::Null))?;
    let asked = ["dimensions", "output_dimension"].iter().find_map(|name| request.get(name)?.as_u64());
    let dimensions = asked.map_or(Some(DEFAULT_DIMENSIONS), |n| usize::try_from(n).ok());
    let dimensions =
        dimensions.filter(|n| (1..=MAX_DIMENSIONS).contains(n)).ok_or("Invalid value for 'dimensions'.")?;
    let base64 = match request.get("encoding_format").and_then(Value::as_str) {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err("Invalid value for 'encoding_format': use 'float' or 'base64'."),
    };
    let mut tokens = 0;
    let mut data = Vec::with_capacity(inputs.len());
    for (index, (input, counted)) in inputs.iter().enumerate() {
        tokens += counted;
        let vector = vector(model, input, dimensions);
        let embedding = if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            Value::String(STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        data.push(json!({"object": "embedding", "index": index, "embedding": embedding}));
    }
    Ok((Value::Array(data), tokens))
}

/// Each input as bytes to hash, with its tokens. A list of numbers is one input of that many tokens.
fn inputs(input: &Value) -> Result<Vec<(String, u64)>, &'static str> {
    const INVALID: &str = "'input' must be a string, a list of strings, a list of tokens or a list of those.";
    let one = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Ok((text.clone(), text::count(text))),
        Value::Array(tokens) if !tokens.is_empty() && tokens.iter().all(Value::is_u64) => {
            Ok((value.to_string(), tokens.len() as u64))
        }
        _ => Err(INVALID),
    };
    match input {
        Value::Array(list) if list.len() > MAX_INPUTS => Err(INVALID),
        Value::Array(list) if !list.is_empty() && !list.iter().all(Value::is_u64) => {
            list.iter().map(one).collect()
        }
        _ => Ok(vec![one(input)?]),
    }
}

/// Numbers of either sign between 2^-6 and 2^-5, made from hash bits without arithmetic: 1,536 of them have a
/// length of about 0.94.
fn vector(model: &str, input: &str, dimensions: usize) -> Vec<f32> {
    const EXPONENT: u32 = (127 - 6) << 23;
    const SIGN_AND_MANTISSA: u32 = 0x807F_FFFF;
    let seed = Sha256::new().chain_update(model).chain_update([0]).chain_update(input).finalize();
    let mut vector = Vec::with_capacity(dimensions);
    let mut block = 0_u32;
    while vector.len() < dimensions {
        let bits = Sha256::new().chain_update(seed).chain_update(block.to_le_bytes()).finalize();
        let numbers = bits.as_chunks::<4>().0.iter();
        let numbers =
            numbers.map(|four| f32::from_bits(u32::from_le_bytes(*four) & SIGN_AND_MANTISSA | EXPONENT));
        vector.extend(numbers.take(dimensions - vector.len()));
        block += 1;
    }
    vector
}
