//! A client: a login over a socket, and requests over many, by turns to one server and another.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use crate::scenario::LOGIN;

/// The same at every request: a stack may hold a session to its browser.
const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101\r\n\
                       Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";

/// How many connections are open at a time.
pub const CONNECTIONS: usize = 32;

/// Logs in and gives the `Cookie` header that the server's answer leads to, if it sets any.
///
/// # Errors
///
/// When the server cannot be reached.
pub fn cookie_of(port: u16) -> io::Result<Option<String>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(
        stream,
        "POST {LOGIN} HTTP/1.1\r\nHost: app.example\r\n{BROWSER}\
         Connection: close\r\nContent-Length: 0\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let cookies = answer.lines().filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("set-cookie")
            .then(|| value.split(';').next())?
    });
    let cookies: Vec<_> = cookies.collect();
    Ok((!cookies.is_empty()).then(|| cookies.join("; ")))
}

/// Connections that stay open, and the request that goes over each.
pub struct Client {
    connections: Vec<TcpStream>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    /// Opens the connections.
    ///
    /// # Errors
    ///
    /// When the server refuses them.
    pub fn connect(port: u16, cookie: &str) -> io::Result<Self> {
        let connect = |_| {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let request =
            format!("GET / HTTP/1.1\r\nHost: app.example\r\n{BROWSER}Cookie: {cookie}\r\n\r\n");
        Ok(Self {
            connections: (0..CONNECTIONS).map(connect).collect::<io::Result<_>>()?,
            request: request.into_bytes(),
            answer: Vec::new(),
        })
    }

    /// Sends one request over every connection, then takes the answers, so many times.
    ///
    /// # Errors
    ///
    /// When a connection fails, or the server answers anything but success.
    pub fn push(&mut self, rounds: usize) -> io::Result<()> {
        for _ in 0..rounds {
            for stream in &mut self.connections {
                stream.write_all(&self.request)?;
            }
            for stream in &mut self.connections {
                take_answer(stream, &mut self.answer)?;
            }
        }
        Ok(())
    }
}

/// Reads one answer with a `Content-Length`.
fn take_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
    answer.clear();
    let fault = |answer: &[u8]| io::Error::other(String::from_utf8_lossy(answer).into_owned());
    let mut whole = None;
    while whole.is_none_or(|len| answer.len() < len) {
        let mut part = [0; 4096];
        let len = stream.read(&mut part)?;
        if len == 0 {
            return Err(fault(answer));
        }
        answer.extend_from_slice(&part[..len]);
        if whole.is_none()
            && let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n")
        {
            let fields = str::from_utf8(&answer[..head]).map_err(|_| fault(answer))?;
            if !fields.starts_with("HTTP/1.1 2") {
                return Err(fault(answer));
            }
            let body = fields.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.parse::<usize>().ok())?
            });
            whole = Some(head + 4 + body.ok_or_else(|| fault(answer))?);
        }
    }
    Ok(())
}
