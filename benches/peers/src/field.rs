//! The engines of a run, each with its own directory and the same kind of data.

use std::fs;
use std::path::PathBuf;

use crate::Outcome;
use crate::engine::{Engine, Id, Kind, Setup};
use crate::run::Run;

pub(crate) struct Member {
    pub(crate) kind: Kind,
    pub(crate) setup: Setup,
    pub(crate) ids: Vec<Id>,
    engine: Option<Box<dyn Engine>>,
}

impl Member {
    pub(crate) fn engine(&self) -> Outcome<&dyn Engine> {
        Ok(self.engine.as_deref().ok_or("an engine is closed")?)
    }

    /// The engine, and the IDs to be changed.
    pub(crate) fn parts(&mut self) -> Outcome<(&dyn Engine, &mut Vec<Id>)> {
        let engine = self.engine.as_deref().ok_or("an engine is closed")?;
        Ok((engine, &mut self.ids))
    }

    pub(crate) fn open(&mut self) -> Outcome<()> {
        self.engine = Some(self.kind.open(&self.setup)?);
        Ok(())
    }

    pub(crate) fn close(&mut self) -> Outcome<()> {
        self.engine.take().map_or(Ok(()), Engine::close)
    }
}

pub(crate) struct Field {
    pub(crate) members: Vec<Member>,
    places: Vec<PathBuf>,
}

impl Field {
    /// Opens all who can be opened like that, in directories of this name.
    pub(crate) fn open(run: &Run, name: &str, setup: impl Fn(PathBuf) -> Setup) -> Outcome<Self> {
        let place = run.workplace.place(name);
        let mut members = Vec::new();
        for kind in &run.kinds {
            let setup = setup(place.join(kind.name));
            fs::create_dir_all(&setup.directory)?;
            let engine =
                (kind.try_open)(&setup).map_err(|error| format!("{}: {error}", kind.name))?;
            if engine.is_some() {
                members.push(Member {
                    kind: *kind,
                    setup,
                    ids: Vec::new(),
                    engine,
                });
            }
        }
        Ok(Self {
            members,
            places: vec![place],
        })
    }

    /// Has each of them do something.
    pub(crate) fn each(
        &mut self,
        mut something: impl FnMut(&mut Member) -> Outcome<()>,
    ) -> Outcome<()> {
        for member in &mut self.members {
            something(member).map_err(|error| format!("{}: {error}", member.kind.name))?;
        }
        Ok(())
    }

    /// Closes all but some.
    pub(crate) fn retain(&mut self, stays: impl Fn(&Member) -> bool) -> Outcome<()> {
        let mut leaving: Vec<Member> = self
            .members
            .extract_if(.., |member| !stays(member))
            .collect();
        leaving.iter_mut().try_for_each(Member::close)
    }

    /// Has others take turns with these.
    pub(crate) fn join(&mut self, mut others: Self) {
        self.members.append(&mut others.members);
        self.places.append(&mut others.places);
    }

    /// Closes them and removes what they had.
    pub(crate) fn remove(mut self) -> Outcome<()> {
        self.each(Member::close)?;
        for place in &self.places {
            fs::remove_dir_all(place)?;
        }
        Ok(())
    }
}
