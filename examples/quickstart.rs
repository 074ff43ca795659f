//! The three deletions, side by side: `cargo run --example quickstart`.
//!
//! A session ends (`flush`), a value is handed out once (`pop`), a key that has
//! to be there is removed (`delete`). Everything happens in a temporary
//! directory, which is closed and opened again at the end: what was deleted
//! stays deleted, and what was not is still there.

use std::path::Path;
use std::time::Instant;

use sessiondb::{Database, Error, Result, SessionId};

/// A visitor after a logout: the cookie before it, and the one after.
struct LoggedOut {
    old: SessionId,
    new: SessionId,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    println!("A database in {}", directory.path().display());
    let visitors = first_run(directory.path())?;
    second_run(directory.path(), &visitors)?;
    Ok(())
}

/// What a server does until it is stopped.
fn first_run(directory: &Path) -> Result<LoggedOut> {
    let db = Database::open(directory)?;
    let visitors = log_out(&db)?;
    hand_out_once(&db, visitors.new)?;
    delete_strictly(&db, visitors.new)?;
    db.close()?;
    Ok(visitors)
}

/// `flush`: everything goes at once, and so does the ID.
fn log_out(db: &Database) -> Result<LoggedOut> {
    println!("\n1. flush: a logout (Django: session.flush())");
    let mut small = db.create_session();
    small.set("user", "eve")?;
    let mut session = db.create_session();
    session.transaction(|tx| {
        tx.set("user", "ada")?;
        (0..10_000).try_for_each(|page: u32| tx.set(&format!("seen/{page}"), &page))
    })?;
    let other_tab = db.open_session(&session.id())?;
    let old = session.id();
    println!("   a session of {} keys", session.len()?);

    let start = Instant::now();
    small.flush()?;
    println!("   flush()         of 1 key took {:?}", start.elapsed());
    let start = Instant::now();
    let new = session.flush()?;
    println!(
        "   flush()         of 10001 keys took {:?}: one write and one sync, either way",
        start.elapsed()
    );
    println!(
        "   the old cookie  opens a session: {}",
        db.open_session(&old)?.is_some()
    );
    println!("   the new one     has {} keys", session.len()?);
    if let Some(other_tab) = other_tab {
        // A slow request that still holds the session cannot undo the logout.
        let late = other_tab.set("user", "ada");
        println!("   another tab     writes late: {}", outcome(&late));
    }
    session.set("theme", "dark")?;
    Ok(LoggedOut { old, new })
}

/// `pop`: removes a value and hands it out, to one caller only.
fn hand_out_once(db: &Database, id: SessionId) -> Result<()> {
    println!("\n2. pop: a cart item and a one-time message (Django: session.pop(key, None))");
    let Some(session) = db.open_session(&id)? else {
        return Err(Error::SessionGone);
    };
    session.set("cart/apple", &3)?;
    session.set("message", "Your order is on its way.")?;
    println!(
        "   pop(\"cart/apple\")  {:?}",
        session.pop::<u32>("cart/apple")?
    );
    println!(
        "   pop(\"cart/apple\")  {:?}: absence is an answer here, not an error",
        session.pop::<u32>("cart/apple")?
    );
    println!(
        "   pop(\"message\")     {:?}",
        session.pop::<String>("message")?
    );
    println!(
        "   pop(\"message\")     {:?}, with a default",
        session.pop::<String>("message")?.unwrap_or_default()
    );
    Ok(())
}

/// `delete`: removes a key that has to be there, and says when it was not.
fn delete_strictly(db: &Database, id: SessionId) -> Result<()> {
    println!("\n3. delete: a setting that has to be there (Django: del session[key])");
    let Some(session) = db.open_session(&id)? else {
        return Err(Error::SessionGone);
    };
    session.set("language", "en")?;
    println!(
        "   delete(\"language\")   {}",
        outcome(&session.delete("language"))
    );
    println!(
        "   delete(\"language\")   {}",
        outcome(&session.delete("language"))
    );
    println!(
        "   discard(\"language\")  {}: the lenient form",
        session.discard("language")?
    );
    Ok(())
}

/// What a server finds after it was started again.
fn second_run(directory: &Path, visitors: &LoggedOut) -> Result<()> {
    println!("\nThe database is closed and opened again");
    let db = Database::open(directory)?;
    println!(
        "   the session before the logout  is there: {}",
        db.open_session(&visitors.old)?.is_some()
    );
    let Some(session) = db.open_session(&visitors.new)? else {
        return Err(Error::SessionGone);
    };
    let keys = session.keys()?.collect::<Result<Vec<String>>>()?;
    println!("   the session after it           has the keys {keys:?}");
    db.close()
}

fn outcome(result: &Result<()>) -> String {
    match result {
        Ok(()) => "done".to_owned(),
        Err(error) => format!("refused: {error}"),
    }
}
