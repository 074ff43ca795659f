//! The six ways to delete.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Pop,
    Delete,
    /// Half of the keys begin with the prefix.
    RemovePrefix,
    Clear,
    Flush,
    Destroy,
}

impl Operation {
    pub(crate) const ALL: [Self; 6] = [
        Self::Pop,
        Self::Delete,
        Self::RemovePrefix,
        Self::Clear,
        Self::Flush,
        Self::Destroy,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pop => "pop",
            Self::Delete => "delete",
            Self::RemovePrefix => "remove_prefix",
            Self::Clear => "clear",
            Self::Flush => "flush",
            Self::Destroy => "destroy",
        }
    }

    /// Whether a session has about as many keys after it as before.
    pub(crate) fn removes_one_key(self) -> bool {
        matches!(self, Self::Pop | Self::Delete)
    }

    /// What stands for it on bare sled: a session is nothing but its keys
    /// there, so whatever removes them all is the same.
    pub(crate) fn on_bare_sled(self) -> Self {
        match self {
            Self::Clear | Self::Destroy => Self::Flush,
            other => other,
        }
    }
}
