//! The W3C WebDriver protocol, JSON over HTTP, as chromedriver speaks it.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct WebDriver {
    http: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl WebDriver {
    /// Asks the driver on `port` for a session; tells what it granted.
    pub(super) async fn begin(port: u16, options: Value) -> (Self, Value) {
        let mut driver = Self {
            http: Client::builder(TokioExecutor::new()).build_http(),
            base: format!("http://127.0.0.1:{port}/session"),
        };
        let wanted = json!({ "capabilities": { "alwaysMatch": options } });
        let session = driver.send(Method::POST, "", Some(&wanted)).await;
        driver.base += &format!("/{}", session["sessionId"].as_str().unwrap());
        (driver, session["capabilities"].clone())
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, None).await
    }

    pub(super) async fn delete(&self, path: &str) -> Value {
        self.send(Method::DELETE, path, None).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap();
        let answer = self.http.request(request).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{path}: {value}");
        value
    }
}
