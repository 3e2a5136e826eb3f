//! A login over a socket, and load from wrk.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;

use crate::scenario::LOGIN;

/// Logs in and gives the `Cookie` header that the server's answer leads to, if it sets any.
///
/// # Errors
///
/// When the server cannot be reached.
pub fn cookie_of(port: u16) -> io::Result<Option<String>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(
        stream,
        "POST {LOGIN} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\
         Content-Length: 0\r\n\r\n"
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

/// How wrk is asked to push.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Connections that stay open.
    pub connections: usize,
    /// For how many seconds.
    pub seconds: usize,
}

impl Load {
    /// Requests a second.
    ///
    /// # Errors
    ///
    /// When wrk fails, or the server answers anything but success.
    pub fn push(self, port: u16, cookie: &str) -> io::Result<f64> {
        let run = Command::new("wrk")
            .arg("-t1")
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", self.seconds))
            .args([
                "-H",
                "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101",
            ])
            .args(["-H", "Accept: text/html,application/xhtml+xml,*/*;q=0.8"])
            .arg("-H")
            .arg(format!("Cookie: {cookie}"))
            .arg(format!("http://127.0.0.1:{port}/"))
            .output()?;
        let said = String::from_utf8_lossy(&run.stdout);
        let fault = ["Non-2xx", "Socket errors"]
            .into_iter()
            .find(|f| said.contains(f));
        let rate = said.lines().find_map(|l| l.strip_prefix("Requests/sec:"));
        match (fault, rate.and_then(|r| r.trim().parse().ok())) {
            (None, Some(rate)) => Ok(rate),
            _ => Err(io::Error::other(said.into_owned())),
        }
    }
}
