//! What `docs/openapi.json` says of an operation: its examples, and what its answers look like.

use serde_json::Value;

use super::is_time;

/// The query of the parameters of an operation, each with its example.
pub(super) fn examples(parameters: &Value) -> String {
    let parameters = parameters.as_array().into_iter().flatten();
    let pairs = parameters.filter_map(|it| Some((it["name"].as_str()?, it["example"].as_str()?)));
    let pairs: Vec<String> = pairs
        .map(|(name, example)| format!("{name}={example}"))
        .collect();
    match pairs.is_empty() {
        true => String::new(),
        false => format!("?{}", pairs.join("&")),
    }
}

/// Compares a value with a schema, in the words that the document uses.
pub(super) fn validate(
    document: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
    problems: &mut Vec<String>,
) {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = document.pointer(&name[1..]).unwrap();
        return validate(document, schema, value, at, problems);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let mut fewest: Option<Vec<String>> = None;
        for choice in choices {
            let mut found = Vec::new();
            validate(document, choice, value, at, &mut found);
            let is_better = |known: &Vec<String>| found.len() < known.len();
            if fewest.as_ref().is_none_or(is_better) {
                fewest = Some(found);
            }
        }
        problems.extend(fewest.unwrap_or_default());
        return;
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_kind = |name: &Value| *name == kind || (*name == "number" && kind == "integer");
    let is_right = match &schema["type"] {
        Value::Array(names) => names.iter().any(is_kind),
        Value::Null => true,
        name => is_kind(name),
    };
    let is_known = |known: &Vec<Value>| known.contains(value);
    let is_listed = schema["enum"].as_array().is_none_or(is_known);
    let is_moment = schema["format"] != "date-time" || value.as_str().is_none_or(is_time);
    if !is_right || !is_listed || !is_moment {
        problems.push(format!("{at}: {value} is not {schema}"));
    }
    for item in value.as_array().into_iter().flatten() {
        validate(
            document,
            &schema["items"],
            item,
            &format!("{at}[]"),
            problems,
        );
    }
    let Some(fields) = value.as_object() else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !fields.contains_key(name.as_str().unwrap()) {
            problems.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, value) in fields {
        let schema = match schema["properties"].get(name) {
            Some(schema) => schema,
            None => &schema["additionalProperties"],
        };
        let at = format!("{at}.{name}");
        if schema.is_null() {
            problems.push(format!("{at} is not in the document"));
        }
        validate(document, schema, value, &at, problems);
    }
}
