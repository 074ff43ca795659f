//! Session IDs, and the digests that stand for them on disk.
//!
//! An ID is a bearer token, so it is never stored and never printed by
//! `Debug`: on disk and in logs a session is known by a truncated SHA-256 of
//! its ID, from which the ID cannot be found again.

use std::fmt;
use std::io;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::block_api::compress256;
use subtle::ConstantTimeEq as _;

use crate::error::Error;

/// Bytes of an ID and of a digest.
const BYTES: usize = 16;
/// Characters of the token form.
const TOKEN_CHARACTERS: usize = 22;
/// Where SHA-256 begins (FIPS 180-4, 5.3.3).
const SHA_256: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The secret name of a session: 128 bits from the operating system.
///
/// `Display` is the token for the cookie, 22 characters of base64url without
/// padding; `FromStr` accepts exactly what `Display` writes. `Debug` shows
/// the digest, never the token.
///
/// ```
/// use sessiondb::SessionId;
///
/// let id = SessionId::from_bytes([7; 16]);
/// let token = id.to_string();
/// assert_eq!(token.len(), 22);
/// assert_eq!(token.parse::<SessionId>()?, id);
/// assert!(!format!("{id:?}").contains(&token));
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Clone, Copy, Eq)]
pub struct SessionId([u8; BYTES]);

impl SessionId {
    /// A fresh ID from the operating system's randomness.
    pub(crate) fn random() -> io::Result<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(bytes))
    }

    /// The ID with these 16 bytes, which should be random.
    ///
    /// Costs nothing.
    ///
    /// ```
    /// use sessiondb::SessionId;
    ///
    /// let id = SessionId::from_bytes([7; 16]);
    /// assert_eq!(id.to_bytes(), [7; 16]);
    /// ```
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes of the ID. They are as secret as the token.
    ///
    /// Costs nothing.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// use sessiondb::SessionId;
    ///
    /// let id = db.create_session().id();
    /// assert_eq!(SessionId::from_bytes(id.to_bytes()), id);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The name under which the session is stored: safe to log, useless as a
    /// cookie. Costs one SHA-256 of 16 bytes.
    ///
    /// ```
    /// use sessiondb::SessionId;
    ///
    /// let digest = SessionId::from_bytes([7; 16]).digest();
    /// assert_eq!(digest.to_string().len(), 32);
    /// ```
    #[must_use]
    pub fn digest(&self) -> SessionDigest {
        // A message of 16 bytes is one block, padded; every lookup asks for
        // its digest.
        let mut block = [0; 64];
        let end = 0x80_u128 << 120;
        let bits = 8 * BYTES as u128;
        let pieces = [u128::from_be_bytes(self.0), end, 0, bits];
        for (to, piece) in block.chunks_exact_mut(BYTES).zip(pieces) {
            to.copy_from_slice(&piece.to_be_bytes());
        }
        let mut state = SHA_256;
        compress256(&mut state, &[block]);
        let mut bytes = [0; BYTES];
        for (to, word) in bytes.chunks_exact_mut(4).zip(state) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        SessionDigest(bytes)
    }
}

/// In constant time, since an ID is a secret.
impl PartialEq for SessionId {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::hash::Hash for SessionId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut token = [0; TOKEN_CHARACTERS];
        URL_SAFE_NO_PAD
            .encode_slice(self.0, &mut token)
            .map_err(|_| fmt::Error)?;
        formatter.write_str(std::str::from_utf8(&token).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SessionId(digest {})", self.digest())
    }
}

impl FromStr for SessionId {
    type Err = Error;

    fn from_str(token: &str) -> Result<Self, Error> {
        if token.len() != TOKEN_CHARACTERS {
            return Err(Error::InvalidId {
                reason: "it does not have 22 characters",
            });
        }
        let mut bytes = [0; BYTES];
        // The engine refuses trailing bits that are not zero, so each ID has
        // exactly one token.
        match URL_SAFE_NO_PAD.decode_slice(token, &mut bytes) {
            Ok(BYTES) => Ok(Self(bytes)),
            _ => Err(Error::InvalidId {
                reason: "it is not canonical base64url",
            }),
        }
    }
}

/// The public name of a session: SHA-256 of its ID, truncated to 128 bits.
///
/// `Display` and `FromStr` use 32 lower-case hexadecimal digits.
///
/// ```
/// use sessiondb::{SessionDigest, SessionId};
///
/// let digest = SessionId::from_bytes([7; 16]).digest();
/// assert_eq!(digest.to_string().parse::<SessionDigest>()?, digest);
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct SessionDigest([u8; BYTES]);

impl SessionDigest {
    /// The digest with these bytes.
    ///
    /// Costs nothing.
    ///
    /// ```
    /// use sessiondb::SessionDigest;
    ///
    /// let digest = SessionDigest::from_bytes([7; 16]);
    /// assert_eq!(digest.to_string(), "07".repeat(16));
    /// ```
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the digest.
    ///
    /// Costs nothing.
    ///
    /// ```
    /// use sessiondb::{SessionDigest, SessionId};
    ///
    /// let digest = SessionId::from_bytes([7; 16]).digest();
    /// assert_eq!(SessionDigest::from_bytes(digest.to_bytes()), digest);
    /// ```
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl From<SessionId> for SessionDigest {
    fn from(id: SessionId) -> Self {
        id.digest()
    }
}

impl From<&SessionId> for SessionDigest {
    fn from(id: &SessionId) -> Self {
        id.digest()
    }
}

impl From<&SessionDigest> for SessionDigest {
    fn from(digest: &SessionDigest) -> Self {
        *digest
    }
}

impl fmt::Display for SessionDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SessionDigest({self})")
    }
}

impl FromStr for SessionDigest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let error = Error::InvalidId {
            reason: "a digest is 32 lower-case hexadecimal digits",
        };
        let canonical = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 2 * BYTES || !canonical {
            return Err(error);
        }
        match u128::from_str_radix(text, 16) {
            Ok(number) => Ok(Self(number.to_be_bytes())),
            Err(_) => Err(error),
        }
    }
}
