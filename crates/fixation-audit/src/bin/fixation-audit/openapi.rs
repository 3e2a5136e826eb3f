//! Requests from an OpenAPI 3 document: an operation's method, path and the body that it asks for.

use serde_json::{Map, Value};

use crate::description::{PickText, StepText};

/// References may lead to references; a document that goes on for longer leads in circles.
const MOST_REFERENCES: usize = 32;
const DEEPEST: usize = 8;

pub(crate) struct Document(Value);

impl Document {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text)
            .map_err(|error| format!("the OpenAPI document is not JSON: {error}"))?;
        match document["openapi"].as_str() {
            Some(version) if version.starts_with("3.") => Ok(Self(document)),
            _ => Err("the document is not OpenAPI 3".to_owned()),
        }
    }

    /// The request of an operation. `given` are fields that the user set; they win over what the schema suggests.
    pub(crate) fn step(&self, id: &str, given: &StepText) -> Result<StepText, String> {
        let (method, path, operation) = self.operation(id)?;
        let mut step = StepText {
            method: Some(method.to_uppercase()),
            path: Some(format!("{}{path}", self.base_path())),
            ..StepText::default()
        };
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = self.resolved(parameter)?;
            let name = parameter["name"].as_str().unwrap_or_default();
            let schema = self.resolved(&parameter["schema"])?;
            let required = parameter["required"] == true;
            if parameter["in"] == "query"
                && let Some(value) = self.value(name, schema, required, 0)?
            {
                step.query.insert(name.to_owned(), plain(&value).into());
            }
        }
        let body = self.resolved(&operation["requestBody"])?;
        let content = |kind: &str| {
            self.resolved(body["content"].get(kind)?.get("schema")?)
                .ok()
        };
        if let Some(schema) = content("application/x-www-form-urlencoded") {
            let given = given.form.iter().map(|(name, values)| {
                let values = values.clone().into_vec();
                (name.clone(), values.join(",").into())
            });
            for (name, value) in self.fields(schema, &given.collect(), 0)? {
                step.form.insert(name, plain(&value).into());
            }
        } else if let Some(schema) = content("application/json") {
            let given = given.json.as_ref().and_then(Value::as_object);
            let given = given.cloned().unwrap_or_default();
            step.json = Some(Value::Object(self.fields(schema, &given, 0)?));
        } else if !body.is_null() && body["required"] == true {
            return Err(format!("the operation {id} takes neither a form nor JSON"));
        }
        if self.answers_with_token(operation) {
            step.pick
                .push(PickText::json("/access_token", "access_token"));
        }
        Ok(step)
    }

    fn operation(&self, id: &str) -> Result<(&str, &str, &Value), String> {
        let paths = self.0["paths"].as_object();
        for (path, item) in paths.into_iter().flatten() {
            let item = self.resolved(item)?;
            for (method, operation) in item.as_object().into_iter().flatten() {
                if operation["operationId"] == id {
                    return Ok((method, path, operation));
                }
            }
        }
        Err(format!("the OpenAPI document has no operation {id}"))
    }

    /// The path of the first server entry; its host is not followed, the user named one.
    fn base_path(&self) -> &str {
        let url = self.0["servers"][0]["url"].as_str().unwrap_or_default();
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => url,
        };
        path.trim_end_matches('/')
    }

    /// Follows `$ref`s within the document.
    fn resolved<'a>(&'a self, mut value: &'a Value) -> Result<&'a Value, String> {
        for _ in 0..MOST_REFERENCES {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
                return Ok(value);
            };
            let pointer = reference
                .strip_prefix('#')
                .ok_or_else(|| format!("the reference {reference} leads out of the document"))?;
            value = self
                .0
                .pointer(pointer)
                .ok_or_else(|| format!("the reference {reference} leads nowhere"))?;
        }
        Err("the document's references lead in circles".to_owned())
    }

    fn fields(
        &self,
        schema: &Value,
        given: &Map<String, Value>,
        depth: usize,
    ) -> Result<Map<String, Value>, String> {
        if depth > DEEPEST {
            return Err("the schema of the body is too deep".to_owned());
        }
        let mut fields = Map::new();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            fields.extend(self.fields(self.resolved(part)?, given, depth + 1)?);
        }
        let required = |name: &str| {
            schema["required"]
                .as_array()
                .is_some_and(|names| names.iter().any(|other| other == name))
        };
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let property = self.resolved(property)?;
            let value = match given.get(name) {
                Some(value) => Some(value.clone()),
                None => self.value(name, property, required(name), depth)?,
            };
            fields.extend(value.map(|value| (name.clone(), value)));
        }
        fields.extend(given.clone());
        Ok(fields)
    }

    /// The account's part where the field is one; otherwise what the schema suggests, where it has to be there.
    fn value(
        &self,
        name: &str,
        schema: &Value,
        required: bool,
        depth: usize,
    ) -> Result<Option<Value>, String> {
        if schema["format"] == "password" || is_one_of(name, &["password", "passwd", "pass", "pwd"])
        {
            return Ok(Some("{password}".into()));
        }
        if is_one_of(
            name,
            &[
                "username",
                "user",
                "email",
                "login",
                "userid",
                "user_name",
                "account",
            ],
        ) {
            return Ok(Some("{username}".into()));
        }
        if !required {
            return Ok(None);
        }
        let suggestions = [
            &schema["const"],
            &schema["default"],
            &schema["example"],
            &schema["examples"][0],
            &schema["enum"][0],
        ];
        if let Some(value) = suggestions.into_iter().find(|value| !value.is_null()) {
            return Ok(Some(value.clone()));
        }
        if schema["properties"].is_object() {
            return Ok(Some(Value::Object(self.fields(
                schema,
                &Map::new(),
                depth + 1,
            )?)));
        }
        Err(format!(
            "the field {name} is required and its schema suggests nothing: set it with --form or --json"
        ))
    }

    fn answers_with_token(&self, operation: &Value) -> bool {
        let answers = operation["responses"].as_object();
        answers
            .into_iter()
            .flatten()
            .filter(|(status, _)| status.starts_with('2'))
            .any(|(_, answer)| {
                let answer = self.resolved(answer).unwrap_or(&Value::Null);
                let schema = self.resolved(&answer["content"]["application/json"]["schema"]);
                schema.is_ok_and(|schema| schema["properties"]["access_token"].is_object())
            })
    }
}

fn is_one_of(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Document, StepText};

    const DOCUMENT: &str = r##"{
        "openapi": "3.1.0", "servers": [{"url": "https://elsewhere.test/api/"}],
        "paths": {"/signin": {"$ref": "#/components/pathItems/signin"},
                  "/loop": {"post": {"operationId": "loop", "requestBody": {"$ref": "#/components/circle"}}}},
        "components": {
            "circle": {"$ref": "#/components/circle"},
            "pathItems": {"signin": {"post": {"operationId": "signIn",
                "requestBody": {"$ref": "#/components/requestBodies/signin"},
                "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Token"}}}}}}}},
            "requestBodies": {"signin": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Signin"}}}}},
            "schemas": {
                "Token": {"properties": {"access_token": {"type": "string"}}},
                "Base": {"properties": {"email": {"type": "string"}}},
                "Signin": {"allOf": [{"$ref": "#/components/schemas/Base"}],
                    "required": ["tenant", "secret"],
                    "properties": {"secret": {"type": "string", "format": "password"},
                                   "tenant": {"type": "string", "default": "main"}, "note": {"type": "string"}}}}}}"##;

    #[test]
    fn references_are_resolved_down_to_the_fields() {
        let step = Document::parse(DOCUMENT)
            .unwrap()
            .step("signIn", &StepText::default())
            .unwrap();
        assert_eq!(step.path.as_deref(), Some("/api/signin"));
        let json = step.json.unwrap();
        let expected =
            serde_json::json!({"email": "{username}", "secret": "{password}", "tenant": "main"});
        assert_eq!(json, expected);
        assert_eq!(step.pick.len(), 1);
    }

    #[test]
    fn circles_and_unknown_operations_end_in_a_message() {
        let document = Document::parse(DOCUMENT).unwrap();
        assert!(
            document
                .step("loop", &StepText::default())
                .is_err_and(|e| e.contains("circles"))
        );
        assert!(
            document
                .step("other", &StepText::default())
                .is_err_and(|e| e.contains("other"))
        );
    }
}
