//! The log, request by request, against the database and the model.

use std::io::{self, BufRead};
use std::time::{Duration, Instant};

use sessiondb::{Database, Session};

use super::log::{Malformed, Request};
use super::model::{Known, Model};
use super::visit::{self, Answer};
use super::{Failure, failed};

/// How many malformed lines are told apart; the others are only counted.
const SHOWN_LINES: usize = 5;

/// What a replay did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) lines: u64,
    pub(crate) requests: u64,
    pub(crate) malformed: u64,
    /// The first few, with their line numbers.
    pub(crate) shown: Vec<(u64, Malformed)>,
    pub(crate) operations: u64,
    pub(crate) flushes: u64,
    pub(crate) took: Duration,
    pub(crate) differences: Vec<String>,
}

/// A replay in progress.
#[derive(Debug)]
pub(crate) struct Replay<'d> {
    db: &'d Database,
    pub(crate) model: Model,
    pub(crate) tally: Tally,
}

impl<'d> Replay<'d> {
    pub(crate) fn new(db: &'d Database) -> Self {
        Self {
            db,
            model: Model::default(),
            tally: Tally::default(),
        }
    }

    /// Replays all lines; tells how many bytes each of them took.
    pub(crate) fn run(
        &mut self,
        mut log: impl BufRead,
        mut progress: impl FnMut(usize),
    ) -> Result<(), Failure> {
        let start = Instant::now();
        let mut line = Vec::new();
        while next_line(&mut log, &mut line).map_err(failed("cannot read the log"))? {
            progress(line.len());
            self.line(&line)?;
            line.clear();
        }
        self.tally.took = start.elapsed();
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        self.tally.lines += 1;
        // A log may hold any bytes; those that are no text become one mark.
        let line = String::from_utf8_lossy(line);
        match Request::parse(line.trim_end_matches(['\n', '\r'])) {
            Ok(request) => {
                let number = self.tally.lines;
                let done = self.request(request);
                done.map_err(failed(format!("the request in line {number} failed")))
            }
            Err(malformed) => {
                self.tally.malformed += 1;
                if self.tally.shown.len() < SHOWN_LINES {
                    self.tally.shown.push((self.tally.lines, malformed));
                }
                Ok(())
            }
        }
    }

    fn request(&mut self, request: Request<'_>) -> sessiondb::Result<()> {
        let cookie = self.model.visitors.get(&request.visitor);
        let cookie = cookie.map(|known| known.id);
        let Some(mut session) = visit::load(self.db, cookie)? else {
            let number = self.tally.lines;
            self.differs(format!("line {number}: the visitor's session is lost"));
            return Ok(());
        };
        self.log_out_after_silence(&request, &mut session)?;
        let answer = visit::visit(&session, request.page)?;
        self.tally.requests += 1;
        self.tally.operations += visit::OPERATIONS;
        self.compare(request, &session, &answer);
        Ok(())
    }

    fn log_out_after_silence(
        &mut self,
        request: &Request<'_>,
        session: &mut Session,
    ) -> sessiondb::Result<()> {
        let known = self.model.visitors.get(&request.visitor);
        if known.is_some_and(|known| known.was_silent(request.at)) {
            self.model.flushed.push(session.id());
            session.flush()?;
            self.tally.flushes += 1;
            self.tally.operations += 1;
            self.model.visitors.remove(&request.visitor);
        }
        Ok(())
    }

    fn compare(&mut self, request: Request<'_>, session: &Session, answer: &Answer) {
        let known = self.model.visitors.entry(request.visitor);
        let known = known.or_insert_with(|| Known::new(session.id(), request.at));
        let expected = known.visit(request.page, request.at);
        if *answer != expected {
            let number = self.tally.lines;
            self.differs(format!("line {number}: {answer:?} instead of {expected:?}"));
        }
    }

    fn differs(&mut self, difference: String) {
        self.tally.differences.push(difference);
    }
}

/// Reads a line with its end; `false` at the end of the log.
fn next_line(log: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    Ok(log.read_until(b'\n', line)? > 0)
}
