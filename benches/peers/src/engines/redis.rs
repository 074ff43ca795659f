//! Redis, where a `redis-server` is on the machine: a server of the run's own,
//! on a socket in its directory, with `appendonly yes` and `appendfsync always`
//! (`everysec` where writes are deferred), so that an answer means that the
//! disk has it. Redis syncs once for all that came in together.
//!
//! A session is a hash that expires by itself, so a lookup is one `HGET`, a load
//! `HGETALL`, a flush `UNLINK`; what sees whether the session lives before it
//! writes is a script, which is how Redis does several things at once. A field
//! without a name keeps a session in being that has no keys. All data are in the
//! server's memory, whatever cache the others are given. Each thread has a
//! connection.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::resp::{Connection, Reply};
use crate::Outcome;
use crate::engine::{Durability, Engine, Entry, Id, Setup};
use crate::row::new_id;

const SERVER: &str = "redis-server";
/// How long it may take to load its log.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What one command may have in arguments.
const COMMAND_KEYS: usize = 10_000;

/// Nothing is written to a session that is over, and what is written renews it
/// where that is due.
const PUT: &str = "
    local left = redis.call('PTTL', KEYS[1])
    if left < 0 then return 0 end
    redis.call('HSET', KEYS[1], unpack(ARGV, 3))
    if ARGV[1] - left >= tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
    return 1";
const POP: &str = "
    local value = redis.call('HGET', KEYS[1], ARGV[3])
    if not value then return false end
    redis.call('HDEL', KEYS[1], ARGV[3])
    local left = redis.call('PTTL', KEYS[1])
    if ARGV[1] - left >= tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
    return value";

struct Redis {
    server: Server,
    socket: PathBuf,
    connections: Mutex<Vec<Connection>>,
    put: Vec<u8>,
    pop: Vec<u8>,
    /// In milliseconds, as an argument: how long a session lives, and how much
    /// of that need not be written down.
    idle: String,
    unrecorded: String,
    is_deferred: bool,
}

/// The server, ended with the run whatever happens.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether there is none on this machine.
pub(super) fn hindrance() -> Option<String> {
    let asked = Command::new(SERVER)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    match asked {
        Ok(status) if status.success() => None,
        _ => Some(format!("no {SERVER} on this machine")),
    }
}

pub(super) fn open(setup: &Setup) -> Outcome<Option<Box<dyn Engine>>> {
    if !setup.background {
        return Ok(None);
    }
    let socket = setup.directory.join("socket");
    let append = match setup.durability {
        Durability::Immediate => "always",
        Durability::Deferred => "everysec",
    };
    let mut server = start(&setup.directory, &socket, append)?;
    let mut first = connect(&mut server, &socket)?;
    let idle = setup.idle_timeout.as_millis();
    Ok(Some(Box::new(Redis {
        put: load_script(&mut first, PUT)?,
        pop: load_script(&mut first, POP)?,
        server,
        socket,
        connections: Mutex::new(vec![first]),
        idle: idle.to_string(),
        unrecorded: (idle / 16).to_string(),
        is_deferred: setup.durability == Durability::Deferred,
    })))
}

fn start(directory: &Path, socket: &Path, append: &str) -> Outcome<Server> {
    let server = Command::new(SERVER)
        .args(["--port", "0", "--unixsocket"])
        .arg(socket)
        .arg("--dir")
        .arg(directory)
        .args(["--appendonly", "yes", "--appendfsync", append])
        .args(["--save", "", "--maxclients", "4096"])
        .stdout(Stdio::null())
        .spawn()?;
    Ok(Server(server))
}

/// Waits until the server has loaded its log.
fn connect(server: &mut Server, socket: &Path) -> Outcome<Connection> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = server.0.try_wait()? {
            return Err(format!("{SERVER} ended: {status}").into());
        }
        let asked = Connection::open(socket).and_then(|mut connection| {
            connection.ask(&[b"PING"])?;
            Ok(connection)
        });
        if let Ok(connection) = asked {
            return Ok(connection);
        }
        thread::sleep(LOOK_EVERY);
    }
    Err(format!("{SERVER} does not answer").into())
}

/// The name of a script.
fn load_script(connection: &mut Connection, script: &str) -> Outcome<Vec<u8>> {
    match connection.ask(&[b"SCRIPT", b"LOAD", script.as_bytes()])? {
        Reply::Text(name) => Ok(name),
        _ => Err("a script was not taken".into()),
    }
}

impl Redis {
    /// Does something with a connection that nobody else has meanwhile.
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Outcome<T>) -> Outcome<T> {
        let kept = self.connections.lock().pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => Connection::open(&self.socket)?,
        };
        let worked = work(&mut connection)?;
        self.connections.lock().push(connection);
        Ok(worked)
    }

    fn ask(&self, words: &[&[u8]]) -> Outcome<Reply> {
        self.with(|connection| connection.ask(words))
    }

    fn run(&self, script: &[u8], id: &Id, words: &[&[u8]]) -> Outcome<Reply> {
        let (idle, unrecorded) = (self.idle.as_bytes(), self.unrecorded.as_bytes());
        let head: [&[u8]; 6] = [b"EVALSHA", script, b"1", id, idle, unrecorded];
        self.ask(&[&head, words].concat())
    }
}

fn words_of(entries: &[Entry]) -> Vec<&[u8]> {
    let words = entries.iter();
    words
        .flat_map(|(key, value)| [key.as_bytes(), value.as_slice()])
        .collect()
}

impl Engine for Redis {
    fn create(&self, sessions: &[Vec<Entry>]) -> Outcome<Vec<Id>> {
        self.with(|connection| {
            let mut ids = Vec::with_capacity(sessions.len());
            let mut asked = 0;
            for entries in sessions {
                let id = new_id()?;
                connection.send(&[b"MULTI"]);
                connection.send(&[b"HSET", &id, b"", b""]);
                for some in entries.chunks(COMMAND_KEYS) {
                    let head: [&[u8]; 2] = [b"HSET", &id];
                    connection.send(&[&head, words_of(some).as_slice()].concat());
                    asked += 1;
                }
                connection.send(&[b"PEXPIRE", &id, self.idle.as_bytes()]);
                connection.send(&[b"EXEC"]);
                asked += 4;
                ids.push(id);
            }
            connection.flush()?;
            for _ in 0..asked {
                connection.receive()?;
            }
            Ok(ids)
        })
    }

    fn set(&self, id: &Id, key: &str, value: &[u8]) -> Outcome<bool> {
        let reply = self.run(&self.put, id, &[key.as_bytes(), value])?;
        Ok(reply == Reply::Number(1))
    }

    fn get(&self, id: &Id, key: &str, look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        match self.ask(&[b"HGET", id, key.as_bytes()])? {
            Reply::Text(value) => {
                look(&value);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn pop(&self, id: &Id, key: &str) -> Outcome<Option<Vec<u8>>> {
        match self.run(&self.pop, id, &[key.as_bytes()])? {
            Reply::Text(value) => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    fn load(&self, id: &Id, look: &mut dyn FnMut(&str, &[u8])) -> Outcome<bool> {
        let Reply::List(replies) = self.ask(&[b"HGETALL", id])? else {
            return Err("a load is no list".into());
        };
        let is_there = !replies.is_empty();
        let mut texts = replies.into_iter().map(Reply::text);
        let mut entries = Vec::new();
        while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
            entries.push((String::from_utf8(key?)?, value?));
        }
        // A hash has no order.
        entries.sort_unstable();
        let named = entries.iter().filter(|(key, _)| !key.is_empty());
        named.for_each(|(key, value)| look(key, value));
        Ok(is_there)
    }

    fn request(
        &self,
        id: &Id,
        changes: &[Entry],
        look: &mut dyn FnMut(&str, &[u8]),
    ) -> Outcome<bool> {
        if !self.load(id, look)? {
            return Ok(false);
        }
        let reply = self.run(&self.put, id, &words_of(changes))?;
        Ok(reply == Reply::Number(1))
    }

    fn flush(&self, id: &Id) -> Outcome<Option<Id>> {
        let reply = self.ask(&[b"UNLINK", id])?;
        let is_there = reply == Reply::Number(1);
        is_there.then(new_id).transpose()
    }

    fn sync(&self) -> Outcome<()> {
        // A write that is answered durably, after all others.
        if self.is_deferred {
            self.ask(&[b"CONFIG", b"SET", b"appendfsync", b"always"])?;
            self.ask(&[b"SET", b"sync", b"1"])?;
            self.ask(&[b"CONFIG", b"SET", b"appendfsync", b"everysec"])?;
        }
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Outcome<()> {
        Engine::sync(&*self)?;
        // The server answers by going away.
        let _ = self.ask(&[b"SHUTDOWN", b"NOSAVE"]);
        self.server.0.wait()?;
        Ok(())
    }

    fn process(&self) -> u32 {
        self.server.0.id()
    }
}
