//! Marionette, Firefox's own protocol: each message is its length, a colon and JSON, over TCP.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

#[derive(Debug)]
pub struct Marionette {
    stream: BufReader<TcpStream>,
    count: u64,
}

impl Marionette {
    /// Begins a session with the browser on `port`; tells what it granted.
    pub async fn begin(port: u16) -> (Self, Value) {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut marionette = Self {
            stream: BufReader::new(stream),
            count: 0,
        };
        let hello = marionette.receive().await;
        assert_eq!(hello["marionetteProtocol"], 3);
        let session = marionette.send("WebDriver:NewSession", &json!({})).await;
        (marionette, session["capabilities"].clone())
    }

    pub async fn send(&mut self, command: &str, parameters: &Value) -> Value {
        self.count += 1;
        let message = json!([0, self.count, command, parameters]).to_string();
        let framed = format!("{}:{message}", message.len());
        self.stream.write_all(framed.as_bytes()).await.unwrap();
        let mut answer = self.receive().await;
        assert_eq!(answer[1], self.count, "{answer}");
        assert!(answer[2].is_null(), "{command}: {}", answer[2]);
        answer[3].take()
    }

    async fn receive(&mut self) -> Value {
        let mut length = Vec::new();
        self.stream.read_until(b':', &mut length).await.unwrap();
        length.pop();
        let length: usize = String::from_utf8(length).unwrap().parse().unwrap();
        let mut message = vec![0; length];
        self.stream.read_exact(&mut message).await.unwrap();
        serde_json::from_slice(&message).unwrap()
    }
}
