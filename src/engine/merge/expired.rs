//! The search for keys whose time is over in pages that nobody writes to.

use super::super::lookup::Setback;
use super::{Merge, next_affected};
use crate::error::{Error, Result};

impl Merge<'_> {
    /// The next key from `from` on whose page is to be written again.
    pub(super) fn next_affected(&mut self, from: &str) -> Result<Option<String>, Setback> {
        let changed = next_affected(&self.frozen.delta, from);
        if !self.frozen.drops_expired {
            return Ok(changed);
        }
        let expired = self.next_expired(from, changed.as_deref())?;
        Ok(expired.or(changed))
    }

    /// Where the first page begins, from `from` on, that holds a key whose time
    /// is over, unless the page of `changed` comes before.
    fn next_expired(
        &mut self,
        from: &str,
        changed: Option<&str>,
    ) -> Result<Option<String>, Setback> {
        let mut next = Some(Box::from(from));
        while let Some(lower) = next.take() {
            let page = match self.locate(&lower) {
                // Nobody has to suffer from it who does not want to read it.
                Err(Setback::Error(error @ Error::Corrupted { .. })) => {
                    next = self.lower_after(&lower)?;
                    let ends_before = |key| next.as_deref().is_some_and(|next| next <= key);
                    if changed.is_some_and(|key| !ends_before(key)) {
                        break;
                    }
                    tracing::warn!(%error, "keys whose time is over cannot be dropped");
                    self.engine.erasure.note_obstacle(error);
                    let known = self.base.and_then(|base| base.table.first_deadline);
                    self.note_deadline(known);
                    continue;
                }
                located => located?.1,
            };
            if changed.is_some_and(|key| page.fences().contain(key)) {
                break;
            }
            let first = page.first_deadline();
            if first.is_some_and(|first| first <= self.now) {
                return Ok(Some(lower.into()));
            }
            self.note_deadline(first);
            next.clone_from(&page.fences().upper);
        }
        Ok(None)
    }

    /// Where the page behind the one that begins at `lower` does.
    fn lower_after(&self, lower: &str) -> Result<Option<Box<str>>, Setback> {
        let from = [lower, "\0"].concat();
        let pages = self.engine.index.get()?.pages(self.generation, &from, 1)?;
        Ok(pages.into_iter().next().map(|(lower, _)| lower))
    }
}
