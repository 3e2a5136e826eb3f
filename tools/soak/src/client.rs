//! The least of an HTTP/1.1 client: one connection, one request at a time, two cookies.

use std::{error::Error, net::SocketAddr};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

const NAMES: [&str; 2] = ["__Host-Http-session", "__Host-Http-session-guest"];

pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    /// The values of the session cookie and of the guest cookie.
    jar: [Option<String>; 2],
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Client {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            jar: [None, None],
        }
    }

    /// Sends a request with `extra` in place of the client's own cookies, and keeps what comes back.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        extra: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        let cookies = match extra {
            Some(extra) => extra.to_owned(),
            None => {
                let pairs = NAMES.iter().zip(&self.jar).filter_map(|(name, value)| {
                    let value = value.as_ref()?;
                    Some(format!("{name}={value}"))
                });
                pairs.collect::<Vec<_>>().join("; ")
            }
        };
        let cookies = match &*cookies {
            "" => String::new(),
            cookies => format!("cookie: {cookies}\r\n"),
        };
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n{cookies}\r\n");
        stream.write_all(head.as_bytes()).await?;

        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).ok_or("no status")?.parse()?;
        let mut length = 0;
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Err("the server hung up".into());
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name {
                "content-length" => length = value.parse()?,
                "set-cookie" if extra.is_none() => self.keep(value),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        self.stream = Some(stream);
        let body = String::from_utf8(body)?;
        Ok(Answer { status, body })
    }

    fn keep(&mut self, set_cookie: &str) {
        let pair = set_cookie.split(';').next().unwrap_or_default();
        for (name, place) in NAMES.iter().zip(&mut self.jar) {
            if let Some(value) = pair
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('='))
            {
                *place = Some(value.to_owned()).filter(|value| !value.is_empty());
            }
        }
    }
}
