//! The life of a login: `cargo run --example devices`.
//!
//! A visitor logs in on three devices, sees them listed, logs out everywhere
//! else, lets a code expire, and in the end all of it expires. The clock is a
//! manual one, so that days pass in no time; a server leaves `clock` out.

use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Clock as _, Database, Expiry, ManualClock, Result, Session, SessionId};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

fn main() -> Result<()> {
    let clock = Arc::new(ManualClock::default());
    let db = Database::builder()
        .clock(clock.clone())
        .idle_timeout(Some(14 * DAY)) // renewed by every write, and by `touch`
        .absolute_timeout(Some(90 * DAY)) // whatever happens
        .sessions_per_owner(Some(3))
        .temporary()?;

    let phone = log_in(&db, "phone", Expiry::Idle(60 * DAY))?;
    clock.advance(DAY);
    let laptop = log_in(&db, "laptop", Expiry::Default)?;
    clock.advance(DAY);
    log_in(&db, "library", Expiry::BrowserSession)?;
    show(&db, &clock, "Three devices, the one seen last first")?;

    clock.advance(DAY);
    log_in(&db, "tablet", Expiry::Default)?;
    show(&db, &clock, "A fourth login: the owner may have three")?;
    println!(
        "   the phone's old cookie: {}, known to be dead: {}",
        opens(&db, &phone.id())?,
        db.is_retired(phone.id())?
    );

    laptop.set_with_ttl("code", &271_828, 5 * MINUTE)?;
    clock.advance(5 * MINUTE);
    println!("\nA code that was good for five minutes");
    println!("   pop(\"code\")  {:?}", laptop.pop::<u32>("code")?);

    let revoked = db.revoke_owner_except("user:42", &laptop.id())?;
    show(
        &db,
        &clock,
        &format!("Logged out everywhere else, {revoked} devices"),
    )?;

    clock.advance(13 * DAY);
    laptop.touch()?;
    clock.advance(13 * DAY);
    println!("\n26 days later, with a visit after 13");
    println!("   the laptop: {}", opens(&db, &laptop.id())?);
    clock.advance(DAY);
    println!("A day more, 14 since the visit");
    println!("   the laptop: {}", opens(&db, &laptop.id())?);
    println!("   the purge removes {} session", db.purge_expired()?);
    db.close()
}

/// A visitor has a cart; with the login comes a new ID, in one frame with the
/// user and the owner.
fn log_in(db: &Database, device: &str, expiry: Expiry) -> Result<Session> {
    let mut session = db.create_session();
    session.set("cart", &["apple"])?;
    session.cycle_id_with(|tx| {
        tx.set("device", device)?;
        tx.set_expiry(expiry);
        tx.set_owner(Some("user:42"))
    })?;
    Ok(session)
}

fn show(db: &Database, clock: &ManualClock, title: &str) -> Result<()> {
    println!("\n{title}");
    for session in db.sessions_of("user:42")? {
        let left = session
            .expires_at
            .and_then(|at| at.duration_since(clock.now()).ok());
        let days = left.unwrap_or_default().as_secs() / DAY.as_secs();
        println!(
            "   {}...  expires in {days} days",
            &session.digest.to_string()[..8]
        );
    }
    Ok(())
}

fn opens(db: &Database, id: &SessionId) -> Result<&'static str> {
    let session = db.open_session(id)?;
    Ok(if session.is_some() {
        "logged in"
    } else {
        "logged out"
    })
}
