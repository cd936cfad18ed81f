//! The secret that signs sessions: from the environment, or kept beside the demo's data.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::private;

/// The least that HS256 should be keyed with (RFC 7518 section 3.2).
const MIN_BYTES: usize = 32;

/// A secret, and where it is from. `Debug` shows the latter only.
pub struct Secret {
    /// At least 32 bytes.
    pub value: String,
    /// For the person who started the demo.
    pub origin: Origin,
}

/// Where a secret is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `JWT_SECRET`.
    Environment,
    /// A file written by an earlier run.
    Kept(PathBuf),
    /// A file written just now.
    Made(PathBuf),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Sessions are signed with JWT_SECRET."),
            Self::Kept(path) => {
                write!(f, "JWT_SECRET is not set: using the one kept in {}.", path.display())
            }
            Self::Made(path) => write!(
                f,
                "JWT_SECRET is not set: made one and keep it in {}, so that a restart logs nobody out.",
                path.display()
            ),
        }
    }
}

impl Secret {
    /// The value of `JWT_SECRET` (`from_env`); without one, what is kept in `directory`; without that, a new one.
    ///
    /// # Errors
    /// A secret that is there and cannot be used is never replaced: the error says what to do about it.
    pub fn find(from_env: Option<OsString>, directory: &Path) -> anyhow::Result<Self> {
        match from_env {
            Some(value) => Self::from_env(value),
            None => Self::from_directory(directory),
        }
    }

    fn from_env(value: OsString) -> anyhow::Result<Self> {
        let Ok(value) = value.into_string() else { bail!("JWT_SECRET is not UTF-8") };
        ensure!(
            value.len() >= MIN_BYTES,
            "JWT_SECRET has {} bytes and needs at least {MIN_BYTES}: `openssl rand -hex 32` makes a good one, and \
             without JWT_SECRET the demo makes its own",
            value.len(),
        );
        Ok(Self { value, origin: Origin::Environment })
    }

    fn from_directory(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("jwt-secret");
        if let Some(value) = read(&path)? {
            return Ok(Self { value, origin: Origin::Kept(path) });
        }
        private::folder(directory)
            .with_context(|| format!("cannot make the directory {}", directory.display()))?;
        let value = random()?;
        let made = write_once(&path, &value).with_context(|| format!("cannot write {}", path.display()))?;
        if made {
            return Ok(Self { value, origin: Origin::Made(path) });
        }
        // Another demo was faster: one secret for both.
        let value = read(&path)?.with_context(|| format!("{} comes and goes", path.display()))?;
        Ok(Self { value, origin: Origin::Kept(path) })
    }
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    let shown = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("cannot read the secret in {shown} (or set JWT_SECRET)"));
        }
    };
    ensure!(
        private::is_private(path)?,
        "others can read the secret in {shown}: run `chmod 600 {shown}` or delete it"
    );
    let value = text.trim_end();
    ensure!(
        value.len() >= MIN_BYTES,
        "the secret in {shown} has {} bytes and needs at least {MIN_BYTES}: delete the file and the demo makes a \
         new one, which logs everybody out",
        value.len(),
    );
    Ok(Some(value.to_owned()))
}

fn random() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other).context("the system has no random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes the whole file or nothing, and never over another one: whether this call wrote it.
fn write_once(path: &Path, value: &str) -> io::Result<bool> {
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let written = private::new_file(&draft).and_then(|mut file| {
        writeln!(file, "{value}")?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match linked {
        Ok(()) => removed.map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.exists() => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(from_env: Option<&str>, directory: &Path) -> Result<Secret, String> {
        Secret::find(from_env.map(Into::into), directory).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_environment_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        let secret = find(Some(&"x".repeat(32)), directory.path()).unwrap();
        assert_eq!((secret.value.len(), secret.origin), (32, Origin::Environment));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_short_one_is_an_error_and_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let error = find(Some("short"), directory.path()).unwrap_err();
        assert!(error.contains("JWT_SECRET has 5 bytes and needs at least 32"), "{error}");
        let path = directory.path().join("jwt-secret");
        writeln!(private::new_file(&path).unwrap(), "short").unwrap();
        let error = find(None, directory.path()).unwrap_err();
        assert!(error.contains("has 5 bytes"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "short\n");
    }

    #[test]
    fn a_made_one_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        let made = find(None, &inner).unwrap();
        let path = inner.join("jwt-secret");
        assert_eq!((made.value.len(), &made.origin), (64, &Origin::Made(path.clone())));
        let kept = find(None, &inner).unwrap();
        assert_eq!((kept.value, kept.origin), (made.value, Origin::Kept(path)));
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "no draft is left");
    }

    #[cfg(unix)]
    #[test]
    fn it_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        find(None, directory.path()).unwrap();
        let path = directory.path().join("jwt-secret");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(find(None, directory.path()).unwrap_err().contains("chmod 600"));
    }

    #[test]
    fn an_unreadable_file_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("jwt-secret")).unwrap();
        assert!(find(None, directory.path()).unwrap_err().contains("cannot read the secret"));
    }

    #[test]
    fn two_that_start_together_agree() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jwt-secret");
        assert!(write_once(&path, "first").unwrap());
        assert!(!write_once(&path, "second").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "first\n");
    }

    #[test]
    fn debug_hides_the_value() {
        let secret = Secret { value: "hush".into(), origin: Origin::Environment };
        assert_eq!(format!("{secret:?}"), "Secret { origin: Environment, .. }");
    }
}
