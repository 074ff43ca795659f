//! Which steps of its work a database is in, as its spans tell whoever listens.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, ThreadId};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The step of another thread than the one that is listened to.
pub(crate) const AHEAD: &str = "journal_ahead";
/// Of an opening.
pub(crate) const OPEN: &str = "open";
/// Where nothing is written through the disk: the index alone changes.
const PAUSES: [&str; 2] = ["publish_session", "sweep_generation"];

/// What is done at a pause, which is before a step or after it.
type Pause = Box<dyn FnMut(&'static str, bool) + Send>;

struct Inner {
    /// The thread that is listened to.
    thread: ThreadId,
    /// The names of the spans it is in.
    entered: Vec<&'static str>,
    /// Whether the checkpoint under way has split a page.
    has_split: bool,
    /// Every name that was heard; its place is the number of the span.
    names: Vec<&'static str>,
    pause: Option<Pause>,
}

/// The steps of one thread. Clones listen to the same one.
#[derive(Clone)]
pub(crate) struct Steps(Arc<Mutex<Inner>>);

impl fmt::Debug for Steps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Steps({:?})", self.lock().entered)
    }
}

impl Steps {
    /// Of the calling thread.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            thread: thread::current().id(),
            entered: Vec::new(),
            has_split: false,
            names: Vec::new(),
            pause: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nobody panics with it")
    }

    /// Those that the calling thread is in, each once.
    pub(crate) fn now(&self) -> Vec<&'static str> {
        let inner = self.lock();
        if inner.thread != thread::current().id() {
            return vec![AHEAD];
        }
        let mut now = inner.entered.clone();
        if inner.has_split {
            now.push("split");
        }
        now.sort_unstable();
        now.dedup();
        if now.is_empty() {
            now.push("commit");
        }
        now
    }

    /// What is to be done at every pause from now on.
    pub(crate) fn set_pause(&self, pause: Option<Pause>) {
        self.lock().pause = pause;
    }

    /// The pause is taken out meanwhile: what it does has steps, too.
    fn pause(&self, name: &'static str, is_before: bool) {
        if !PAUSES.contains(&name) {
            return;
        }
        let Some(mut pause) = self.lock().pause.take() else {
            return;
        };
        pause(name, is_before);
        self.lock().pause = Some(pause);
    }

    fn name_of(&self, id: &Id) -> &'static str {
        let place = usize::try_from(id.into_u64() - 1).expect("a place");
        self.lock().names[place]
    }
}

impl Subscriber for Steps {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let name = span.metadata().name();
        let names = &mut self.lock().names;
        let known = names.iter().position(|known| *known == name);
        let place = known.unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        Id::from_u64(place as u64 + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, id: &Id) {
        let name = self.name_of(id);
        {
            let mut inner = self.lock();
            inner.entered.push(name);
            inner.has_split |= name == "split";
        }
        self.pause(name, true);
    }

    fn exit(&self, id: &Id) {
        let name = self.name_of(id);
        self.pause(name, false);
        let mut inner = self.lock();
        let last = inner.entered.iter().rposition(|entered| *entered == name);
        if let Some(last) = last {
            inner.entered.remove(last);
        }
        inner.has_split &= name != "checkpoint";
    }
}
