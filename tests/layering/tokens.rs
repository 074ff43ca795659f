//! Rust text as tokens, without comments and without what is inside literals.

use std::iter::Peekable;
use std::str::Chars;

/// A word, a mark, `::`, or a literal (`"` or `'` alone).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// All tokens of a text.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        rest: text.chars().peekable(),
        line: 1,
        tokens: Vec::new(),
    };
    while lexer.step() {}
    lexer.tokens
}

struct Lexer<'t> {
    rest: Peekable<Chars<'t>>,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    /// Takes one token; `false` at the end.
    fn step(&mut self) -> bool {
        let line = self.line;
        let Some(first) = self.take() else {
            return false;
        };
        match first {
            '/' if self.next_is('/') => self.line_comment(),
            '/' if self.next_is('*') => self.block_comment(),
            '"' => self.string(line),
            '\'' => self.character_or_lifetime(line),
            ':' if self.next_is(':') => {
                self.take();
                self.push("::", line);
            }
            _ if is_of_word(first) => self.word(first, line),
            _ if first.is_whitespace() => {}
            _ => self.push(&first.to_string(), line),
        }
        true
    }

    fn take(&mut self) -> Option<char> {
        let next = self.rest.next();
        if next == Some('\n') {
            self.line += 1;
        }
        next
    }

    fn next_is(&mut self, expected: char) -> bool {
        self.rest.peek() == Some(&expected)
    }

    fn push(&mut self, text: &str, line: usize) {
        self.tokens.push(Token {
            text: text.to_owned(),
            line,
        });
    }

    fn line_comment(&mut self) {
        while !matches!(self.take(), None | Some('\n')) {}
    }

    fn block_comment(&mut self) {
        self.take();
        let mut depth = 1;
        while depth > 0 {
            match self.take() {
                Some('*') if self.next_is('/') => {
                    self.take();
                    depth -= 1;
                }
                Some('/') if self.next_is('*') => {
                    self.take();
                    depth += 1;
                }
                Some(_) => {}
                None => return,
            }
        }
    }

    fn string(&mut self, line: usize) {
        self.push("\"", line);
        loop {
            match self.take() {
                Some('\\') => {
                    self.take();
                }
                Some('"') | None => return,
                Some(_) => {}
            }
        }
    }

    /// After `r` and its hashes: up to a quote followed by as many hashes.
    fn raw_string(&mut self, hashes: usize, line: usize) {
        self.push("\"", line);
        self.take();
        loop {
            match self.take() {
                Some('"') => {
                    let closing = (0..hashes).all(|_| {
                        let is_hash = self.next_is('#');
                        if is_hash {
                            self.take();
                        }
                        is_hash
                    });
                    if closing {
                        return;
                    }
                }
                Some(_) => {}
                None => return,
            }
        }
    }

    fn character_or_lifetime(&mut self, line: usize) {
        let first = self.take();
        if first == Some('\\') {
            self.take();
            while !matches!(self.take(), Some('\'') | None) {}
            self.push("'", line);
        } else if self.next_is('\'') {
            self.take();
            self.push("'", line);
        } else {
            while self.rest.peek().copied().is_some_and(is_of_word) {
                self.take();
            }
        }
    }

    fn word(&mut self, first: char, line: usize) {
        let mut word = String::from(first);
        while let Some(next) = self.rest.peek().copied().filter(|next| is_of_word(*next)) {
            word.push(next);
            self.take();
        }
        let is_prefix = matches!(word.as_str(), "r" | "b" | "br" | "c" | "cr");
        match self.rest.peek() {
            Some('"') if is_prefix && word.ends_with('r') => self.raw_string(0, line),
            Some('"') if is_prefix => {
                self.take();
                self.string(line);
            }
            Some('\'') if word == "b" => {
                self.take();
                self.character_or_lifetime(line);
            }
            Some('#') if is_prefix && word.ends_with('r') => self.raw(line),
            _ => self.push(&word, line),
        }
    }

    /// After an `r` before a hash: a raw string or a raw name.
    fn raw(&mut self, line: usize) {
        let mut hashes = 0;
        while self.next_is('#') {
            self.take();
            hashes += 1;
        }
        if self.next_is('"') {
            self.raw_string(hashes, line);
        }
    }
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
