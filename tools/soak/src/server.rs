//! The testbed as a process of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use crate::client::{Client, Failure};

pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) async fn start(store: &str) -> Result<Self, Failure> {
        let binary = std::env::var("SOAK_TESTBED")?;
        let mut process = Command::new(binary)
            .env("TESTBED_STORE", store)
            .env("RUST_LOG", "off")
            // glibc's arenas for each thread keep what they once had; with one, what is measured is what is held.
            .env("MALLOC_ARENA_MAX", "1")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().rsplit('/').next().unwrap_or_default().parse()?;
        Ok(Self { process, address })
    }

    /// The resident memory of the server.
    pub(crate) fn resident_mib(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        Ok((kib.unwrap_or("0").parse::<f64>()? / 102.4).round() / 10.0)
    }

    /// How often the server has called its store.
    pub(crate) async fn store_calls(&self) -> Result<u64, Failure> {
        let (calls, _) = self.stats().await?;
        let numbers = calls.split(|c: char| !c.is_ascii_digit());
        Ok(numbers
            .filter_map(|number| number.parse::<u64>().ok())
            .sum())
    }

    /// How many sessions live, where the store can tell.
    pub(crate) async fn records(&self) -> Result<Option<u64>, Failure> {
        let (_, records) = self.stats().await?;
        let digits: String = records.chars().filter(char::is_ascii_digit).collect();
        Ok(digits.parse().ok())
    }

    /// What the testbed counts: the store's calls, and the records in it.
    async fn stats(&self) -> Result<(String, String), Failure> {
        let answer = Client::new(self.address)
            .send("GET", "/_stats", None)
            .await?;
        let parts = answer.body.split_once("\"records\"");
        let (calls, records) = parts.ok_or("no statistics")?;
        Ok((calls.to_owned(), records.to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
