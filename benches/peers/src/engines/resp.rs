//! As much of Redis's protocol as it takes to ask it for sessions.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::Outcome;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Text(Vec<u8>),
    Number(i64),
    List(Vec<Self>),
    Nothing,
}

impl Reply {
    pub(super) fn text(self) -> Outcome<Vec<u8>> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err("a reply is no text".into()),
        }
    }
}

pub(super) struct Connection {
    stream: BufReader<UnixStream>,
    unsent: Vec<u8>,
}

impl Connection {
    pub(super) fn open(socket: &Path) -> Outcome<Self> {
        Ok(Self {
            stream: BufReader::new(UnixStream::connect(socket)?),
            unsent: Vec::new(),
        })
    }

    pub(super) fn ask(&mut self, words: &[&[u8]]) -> Outcome<Reply> {
        self.send(words);
        self.flush()?;
        self.receive()
    }

    /// A command that goes out with the next flush.
    pub(super) fn send(&mut self, words: &[&[u8]]) {
        self.unsent
            .extend(format!("*{}\r\n", words.len()).into_bytes());
        for word in words {
            self.unsent
                .extend(format!("${}\r\n", word.len()).into_bytes());
            self.unsent.extend_from_slice(word);
            self.unsent.extend_from_slice(b"\r\n");
        }
    }

    pub(super) fn flush(&mut self) -> Outcome<()> {
        self.stream.get_mut().write_all(&self.unsent)?;
        self.unsent.clear();
        Ok(())
    }

    pub(super) fn receive(&mut self) -> Outcome<Reply> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err("the server has gone".into());
        }
        let (kind, rest) = line
            .trim_end()
            .split_at_checked(1)
            .ok_or("a reply is empty")?;
        match kind {
            "+" => Ok(Reply::Text(rest.into())),
            "-" => Err(rest.into()),
            ":" => Ok(Reply::Number(rest.parse()?)),
            "$" | "*" => match usize::try_from(rest.parse::<i64>()?) {
                // Less than nothing is nothing.
                Err(_) => Ok(Reply::Nothing),
                Ok(length) if kind == "$" => self.text(length),
                Ok(length) => {
                    let replies = (0..length).map(|_| self.receive());
                    Ok(Reply::List(replies.collect::<Outcome<_>>()?))
                }
            },
            _ => Err("a reply of an unknown kind".into()),
        }
    }

    fn text(&mut self, length: usize) -> Outcome<Reply> {
        let mut text = vec![0; length];
        self.stream.read_exact(&mut text)?;
        self.stream.read_exact(&mut [0; 2])?;
        Ok(Reply::Text(text))
    }
}
