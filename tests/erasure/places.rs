//! A marked key, value and owner in each of the places that they can be in.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Database, ManualClock, Session};

use crate::support::{assert_erased, assert_there, by_hand, clock};

/// Where the marked key lies when it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Only in the journal.
    Journal,
    /// In the image of a small session.
    Image,
    /// In the middle of a page.
    Page,
    /// It is the first of a page, and so the upper fence of the one before.
    Fence,
    /// It has pages of its own, and a value of several pages' size.
    Large,
    /// In a copy that compaction has made.
    Copied,
    /// In a page, and the index was copied to a fresh directory.
    Renewed,
    /// In a page, and the index was made anew from the segments.
    Rebuilt,
}

pub(crate) const ALL: [Place; 8] = [
    Place::Journal,
    Place::Image,
    Place::Page,
    Place::Fence,
    Place::Large,
    Place::Copied,
    Place::Renewed,
    Place::Rebuilt,
];

/// The three that differ most.
pub(crate) const SOME: [Place; 3] = [Place::Journal, Place::Image, Place::Fence];

/// So many sessions an owner may have.
pub(crate) const CAP: usize = 3;

/// A marked key in its place, and a session that nothing happens to.
pub(crate) struct Scene {
    directory: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) db: Database,
    pub(crate) session: Session,
    bystander: Session,
}

fn fill(session: &Session, place: Place) {
    let (keys, bytes) = match place {
        Place::Journal | Place::Image => (0, 0),
        Place::Page | Place::Copied | Place::Renewed | Place::Rebuilt => (60, 300),
        // One key a page.
        Place::Fence | Place::Large => (4, 3000),
    };
    let value = match place {
        Place::Large => ["marked-value", &"-".repeat(20_000), "marked-value"].concat(),
        Place::Fence => ["marked-value", &"-".repeat(3000)].concat(),
        _ => "marked-value".to_owned(),
    };
    let padding = "p".repeat(bytes);
    let filled = session.transaction(|tx| {
        (0..keys).try_for_each(|number| tx.set(&format!("a{number:04}"), &padding))?;
        tx.set("marked-key", &value)?;
        (0..keys).try_for_each(|number| tx.set(&format!("z{number:04}"), &padding))
    });
    filled.unwrap();
}

fn index_directory(path: &Path) -> PathBuf {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let mut indexes = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("in"));
    indexes.next().unwrap().path()
}

/// Overwrites keys of another session in the same files, and compacts.
fn copy_by_compaction(db: &Database) {
    let other = db.create_session();
    for _ in 0..2 {
        for number in 0..20 {
            let key = format!("other{number}");
            other.set_bytes(&key, &[7; 2000]).unwrap();
        }
        db.checkpoint().unwrap();
    }
    assert!(db.compact().unwrap().freed_bytes > 0);
}

impl Scene {
    pub(crate) fn new(place: Place) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = clock();
        let builder = by_hand(&clock).sessions_per_owner(Some(CAP));
        let builder = builder.index_renewal_bytes(match place {
            Place::Renewed => 0,
            _ => 1 << 30,
        });
        let db = builder.clone().open(directory.path()).unwrap();
        let bystander = db.create_session();
        bystander.set("staying-key", "staying-value").unwrap();
        bystander.set_owner(Some("staying-owner")).unwrap();
        let session = db.create_session();
        fill(&session, place);
        session.set_owner(Some("marked-owner")).unwrap();
        let mut scene = Self {
            directory,
            clock,
            db,
            session,
            bystander,
        };
        if place != Place::Journal {
            scene.db.checkpoint().unwrap();
        }
        match place {
            Place::Copied => copy_by_compaction(&scene.db),
            Place::Renewed => drop(scene.db.compact().unwrap()),
            Place::Fence | Place::Rebuilt => {
                let ids = [scene.session.id(), scene.bystander.id()];
                scene.db.close().unwrap();
                let index = index_directory(scene.path());
                if place == Place::Fence {
                    assert_there(&index, "marked-key");
                } else {
                    std::fs::remove_dir_all(index).unwrap();
                }
                scene.db = builder.open(scene.path()).unwrap();
                let [session, bystander] =
                    ids.map(|id| scene.db.open_session(&id).unwrap().unwrap());
                (scene.session, scene.bystander) = (session, bystander);
            }
            _ => {}
        }
        for text in ["marked-key", "marked-value", "marked-owner"] {
            assert_there(scene.path(), text);
        }
        scene
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Erases, and looks at the files: these texts are gone, then and when the
    /// database is closed, and whoever stands by is untouched.
    pub(crate) fn assert_erases(self, gone: &[&str], what: &str) {
        self.clock.advance(Duration::from_secs(1));
        assert!(self.db.stats().erasure_age.is_some(), "{what}: no age");
        self.db.erase().unwrap();
        let age = self.db.stats().erasure_age;
        assert_eq!(age, None, "{what}: it has an age");
        for text in gone {
            assert_erased(self.path(), text, what);
        }
        for text in ["staying-key", "staying-value", "staying-owner"] {
            assert_there(self.path(), text);
        }
        let value: Option<String> = self.bystander.get("staying-key").unwrap();
        assert_eq!(value.as_deref(), Some("staying-value"));
        assert_eq!(self.db.sessions_of("staying-owner").unwrap().len(), 1);
        self.db.verify().unwrap();
        self.db.close().unwrap();
        for text in gone {
            assert_erased(self.path(), text, what);
        }
    }
}
