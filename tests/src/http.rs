//! What a browser would see.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The answer of a web server.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code, such as 200.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// What follows them, as text.
    pub body: String,
}

/// An application may boot while a request waits for it. Whatever takes longer has hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks the server on a loopback port for `path`, on a connection of its own.
///
/// # Errors
///
/// If nobody listens, or if the connection ends before the answer is whole.
pub fn get(port: u16, path: &str) -> io::Result<Response> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the answer ends with the connection and comes in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&String::from_utf8_lossy(&bytes)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// `None` unless the head is complete, and the body as long as the head says.
fn parse(text: &str) -> Option<Response> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let response = Response { status, head: head.to_owned(), body: body.to_owned() };
    match response.header("Content-Length").map(str::parse::<usize>) {
        Some(Ok(length)) if body.len() != length => None,
        _ => Some(response),
    }
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "HTTP/1.1 404 Not Found\r\nServer: Apache\r\nContent-Length: 4\r\n\r\ngone";

    #[test]
    fn an_answer_has_a_status_headers_and_a_body() {
        let response = parse(WHOLE).unwrap();
        assert_eq!((response.status, response.body.as_str()), (404, "gone"));
        assert_eq!(response.header("server"), Some("Apache"));
    }

    #[test]
    fn an_answer_that_was_cut_short_is_none() {
        for length in 0..WHOLE.len() {
            assert!(parse(&WHOLE[..length]).is_none(), "{length} bytes");
        }
    }
}
