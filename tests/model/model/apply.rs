//! Operations on the keys of sessions, through handles.

use sessiondb::{Error, Transaction};

use super::answer::{Answer, Failure, answer, ask_session, ask_transaction};
use super::commit::{Changed, Renewed};
use super::draft::Draft;
use super::handle::Handle;
use super::operation::{Action, Renewal};
use super::run::Run;
use super::state::Moment;
use super::step::Step;

/// Why a transaction's closure ends with an error.
#[derive(Debug)]
enum Refusal {
    Chosen,
    /// A step's answer was not the expected one.
    Surprise,
    Database(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// Where only an error of the database will do: none of the operations in a
/// closure has this one.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Database(error) => error,
            Refusal::Chosen | Refusal::Surprise => Self::SessionExists,
        }
    }
}

/// How much a transaction may hold: what certainly fits is never refused.
#[derive(Debug, Clone, Copy)]
struct Budget {
    spent: u64,
    limit: u64,
}

impl Budget {
    fn may_refuse(self, step: &Step) -> bool {
        let weight = step.weight();
        weight > 0 && self.spent + weight > self.limit / 2
    }

    fn is_tight(self) -> bool {
        self.spent > self.limit / 2
    }
}

/// A transaction's closure, with what the model makes of it.
struct Closure<'r> {
    actions: &'r [Action],
    fails: bool,
    draft: Draft,
    stamp: &'r mut u64,
    budget: Budget,
    /// The last step, what had to come of it and what came.
    last: Option<(Step, Answer, Answer)>,
    /// What was refused for its size takes the whole transaction with it.
    refused: bool,
}

impl Closure<'_> {
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Refusal> {
        for action in self.actions {
            self.step(transaction, action);
            match &self.last {
                Some((_, expected, actual)) if expected != actual => return Err(Refusal::Surprise),
                _ => {}
            }
        }
        if self.fails {
            Err(Refusal::Chosen)
        } else {
            Ok(())
        }
    }

    /// Does one step, to the map only when it succeeds.
    fn step(&mut self, transaction: &mut Transaction<'_>, action: &Action) {
        let mut after = self.draft.clone();
        let step = action.resolve(&self.draft, self.stamp);
        let mut expected = step.expect(&mut after);
        let actual = ask_transaction(transaction, &step);
        if actual == Failure::TooLarge.into() && self.budget.may_refuse(&step) {
            expected = actual.clone();
            self.refused = true;
        }
        if !matches!(expected, Answer::Failure(_)) {
            self.draft = after;
            self.budget.spent += step.weight();
        }
        self.last = Some((step, expected, actual));
    }

    /// The step that the database answered otherwise.
    fn surprise(&self) -> Option<&(Step, Answer, Answer)> {
        let last = self.last.as_ref();
        last.filter(|(_, expected, actual)| expected != actual)
    }
}

impl Run {
    fn budget(&self) -> Budget {
        Budget {
            spent: 256,
            limit: self.config.journal_bytes.1,
        }
    }

    /// The same action about a key of the session that has a deadline.
    pub(crate) fn about_a_limited_key(&self, slot: usize, which: usize, action: &Action) -> Action {
        let held = self.handles.get(slot).and_then(Option::as_ref);
        let session = held.and_then(|handle| self.kept(handle));
        let keys = session.map(|session| session.keys.iter().collect::<Vec<_>>());
        let mut keys = keys.unwrap_or_default();
        keys.retain(|(_, held)| held.deadline.is_some());
        match keys.get(which % keys.len().max(1)) {
            Some((key, _)) => action.about(key),
            None => action.clone(),
        }
    }

    pub(crate) fn act(&mut self, slot: usize, action: &Action) {
        let Some(mut handle) = self.take(slot) else {
            return;
        };
        let moment = self.moment();
        let draft = self.draft(&handle, &moment);
        let is_gone = draft.is_none();
        let mut draft = draft.unwrap_or_else(|| Draft::fresh(moment.now));
        let before = draft.clone();
        let step = action.resolve(&draft, &mut self.stamp);
        let mut expected = step.expect(&mut draft);
        let is_invalid =
            expected == Failure::InvalidKey.into() || expected == Failure::InvalidOwner.into();
        // What fails by itself does not try to write.
        let is_late = !matches!(expected, Answer::Failure(_))
            && !step.is_read()
            && handle.comes_too_late(&draft, &moment);
        if is_late || is_gone && !is_invalid {
            expected = Failure::SessionGone.into();
        }
        let actual = ask_session(&handle.session, &step);
        if actual == Failure::TooLarge.into() && self.budget().may_refuse(&step) {
            expected = actual.clone();
        }
        self.notice_the_end_of_things(&handle, &step, &moment);
        let agreed = self.agrees(&(handle.name, &step), &expected, &actual);
        let is_effective = match &expected {
            Answer::Failure(failure) => is_late && *failure == Failure::SessionGone,
            _ => true,
        };
        let changed = if is_effective && !step.is_read() {
            self.conclude(&mut handle, &draft, Renewed::Stays)
        } else {
            Changed::default()
        };
        if agreed {
            self.acknowledge(&handle, changed, &actual);
            self.spend(&handle, &before, &step, &actual);
        }
        self.hold(slot, handle);
    }

    pub(crate) fn transact(&mut self, slot: usize, actions: &[Action], fails: bool) {
        self.close_over(slot, None, actions, fails);
    }

    pub(crate) fn end_with(
        &mut self,
        slot: usize,
        renewal: Renewal,
        actions: &[Action],
        fails: bool,
    ) {
        self.close_over(slot, Some(renewal), actions, fails);
    }

    fn close_over(
        &mut self,
        slot: usize,
        renewal: Option<Renewal>,
        actions: &[Action],
        fails: bool,
    ) {
        let Some(mut handle) = self.take(slot) else {
            return;
        };
        let moment = self.moment();
        let draft = match renewal {
            Some(Renewal::Flush) => Some(Draft::fresh(moment.now)),
            _ => self.draft(&handle, &moment),
        };
        let is_gone = draft.is_none();
        let budget = self.budget();
        let mut closure = Closure {
            actions,
            fails,
            draft: draft.unwrap_or_else(|| Draft::fresh(moment.now)),
            stamp: &mut self.stamp,
            budget,
            last: None,
            refused: false,
        };
        let session = &mut handle.session;
        let result = match renewal {
            None => session.try_transaction(|tx| closure.run(tx)),
            Some(Renewal::Flush) => renewed(session.flush_with(|tx| Ok(closure.run(tx)?))),
            Some(Renewal::Cycle) => renewed(session.cycle_id_with(|tx| Ok(closure.run(tx)?))),
        };
        let actual = match result {
            Ok(()) => Answer::Done,
            Err(Refusal::Database(Error::SessionExists) | Refusal::Chosen) if fails => {
                Failure::Refused.into()
            }
            Err(Refusal::Database(error)) => error.into(),
            Err(refusal) => Failure::Trouble(format!("{refusal:?}")).into(),
        };
        let (draft, surprise) = (closure.draft.clone(), closure.surprise().cloned());
        let is_too_large =
            closure.refused || closure.budget.is_tight() && actual == Failure::TooLarge.into();
        if let Some((step, expected, actual)) = surprise {
            self.agrees(
                &("in a transaction", handle.name, &step),
                &expected,
                &actual,
            );
            self.hold(slot, handle);
            return;
        }
        // A flush's new session has nothing that waits for it.
        let is_late = renewal != Some(Renewal::Flush) && handle.comes_too_late(&draft, &moment);
        let expected = match (is_gone, fails) {
            (true, _) => Failure::SessionGone.into(),
            (false, true) => Failure::Refused.into(),
            (false, false) if is_too_large => Failure::TooLarge.into(),
            (false, false) if is_late => Failure::SessionGone.into(),
            (false, false) => Answer::Done,
        };
        let what = ("a transaction", renewal, handle.name, &handle.life);
        let agreed = self.agrees(&what, &expected, &actual);
        let turn = self.turn(&handle, renewal);
        // One that failed before it had its new ID has done nothing.
        let is_effective = match expected {
            Answer::Done => renewal.is_none() || turn != Renewed::Stays,
            _ => is_late && expected == Failure::SessionGone.into(),
        };
        if agreed && renewal.is_some() {
            let has_moved = turn != Renewed::Stays;
            assert_eq!(
                has_moved,
                expected == Answer::Done,
                "{}: {renewal:?} and the ID",
                self.label
            );
            self.tally.life.ended_with_writes += u64::from(has_moved && draft.has_written());
        }
        let changed = if is_effective {
            self.conclude(&mut handle, &draft, turn)
        } else {
            Changed::default()
        };
        if agreed {
            self.acknowledge(&handle, changed, &actual);
        }
        self.hold(slot, handle);
    }

    /// What has become of a handle's ID.
    pub(crate) fn turn(&mut self, handle: &Handle, renewal: Option<Renewal>) -> Renewed {
        let id = handle.session.id();
        if self.ids.get(handle.name.0) == Some(&id) {
            return Renewed::Stays;
        }
        let name = self.name(id);
        match renewal {
            Some(Renewal::Flush) => Renewed::Replaces(name),
            _ => Renewed::Cycles(name),
        }
    }

    /// Counts answers that are as they are because a time is over.
    fn notice_the_end_of_things(&mut self, handle: &Handle, step: &Step, moment: &Moment) {
        let Some(session) = self.kept(handle) else {
            return;
        };
        if !moment.sees(session) {
            self.tally.life.sessions_over += 1;
            return;
        }
        let concerns = |key: &String| match step {
            Step::RemovePrefix(prefix) => key.starts_with(prefix),
            Step::Walk(_) => true,
            _ => step.key() == Some(key),
        };
        let mut keys = session.keys.iter();
        let is_over = keys.any(|(key, held)| concerns(key) && held.is_over(moment.now));
        self.tally.life.keys_over += u64::from(is_over);
    }

    /// Notes what was handed out for good.
    fn spend(&mut self, handle: &Handle, before: &Draft, step: &Step, answer: &Answer) {
        let popped = match (step, answer) {
            (Step::Pop(key, _), Answer::Value(Some(_)))
            | (Step::PopIf(key, _), Answer::Flag(true)) => before.value(key),
            _ => None,
        };
        if let Some(value) = popped.filter(|value| handle.immediate && value.is_unique()) {
            let first = self.spent.insert(value.mark());
            assert!(first, "{}: {value:?} was popped twice", self.label);
        }
    }

    pub(crate) fn commit(&mut self, slot: Option<usize>) {
        let held = slot.and_then(|slot| self.handles.get(slot)?.as_ref());
        let (result, position) = match held {
            Some(handle) => (handle.session.commit(), handle.written),
            None => (self.database().commit(), self.history.position()),
        };
        let told = answer(result, |()| Answer::Done);
        if self.agrees(&("commit", slot), &Answer::Done, &told) {
            self.history.settle(position);
        }
    }
}

/// As of a transaction that gives no new ID.
fn renewed<T>(result: Result<T, Error>) -> Result<(), Refusal> {
    result.map(drop).map_err(Refusal::Database)
}
