//! `jose` from npm, in a `node` of its own for each call.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};
use session_test_servers::requirements::{leave_out, program};

use crate::harness::SECRET;

const VERSION: &str = "6.2.3";
/// Of the package's archive: what runs here is what was looked at.
const INTEGRITY: &str =
    "sha512-YYVDInQKFJfR/xa3ojUTl8c2KoTwiL1R5Wg9YCydwH0x0B9grbzlg5HC7mMjCtUJjbQ/YnGEZIhI5tCgfTb4Hw==";
const SCRIPT: &str = include_str!("next.mjs");

/// An application that signs and reads with `jose`.
pub(super) struct Jose {
    node: PathBuf,
    /// Has `node_modules`.
    folder: PathBuf,
    secret: String,
}

/// What a reader says of a token.
#[derive(Debug, Deserialize)]
pub(super) struct Reading {
    #[serde(default)]
    pub(super) header: Value,
    #[serde(default)]
    pub(super) claims: Value,
    /// The code of the error.
    pub(super) refused: Option<String>,
}

/// A key pair that `jose` made.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyPair {
    pub(super) private_pem: String,
    pub(super) public_pem: String,
    pub(super) private_jwk: Value,
    pub(super) public_jwk: Value,
}

impl Jose {
    /// With the secret of the tests. `None` says that the test is left out.
    pub(super) fn find() -> Option<Self> {
        static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let node = program("node", "nodejs")?;
        let npm = program("npm", "npm")?;
        match INSTALLED.get_or_init(|| install(&npm)) {
            Ok(folder) => Some(Self { node, folder: folder.clone(), secret: SECRET.to_owned() }),
            Err(why) => {
                leave_out(why);
                None
            }
        }
    }

    /// The same with another `JWT_SECRET`.
    pub(super) fn with_secret(&self, secret: &str) -> Self {
        Self { node: self.node.clone(), folder: self.folder.clone(), secret: secret.to_owned() }
    }

    /// A login: the value of the cookie.
    pub(super) fn create(&self, user: &Value) -> String {
        self.call(&json!({ "call": "create", "user": user }))
    }

    /// Signs what a token says once more, for another 24 hours.
    pub(super) fn renew(&self, token: &str) -> String {
        self.call(&json!({ "call": "renew", "token": token }))
    }

    /// As `jwtVerify(token, secret, { algorithms: ["HS256"] })`.
    pub(super) fn read(&self, token: &str) -> Reading {
        self.read_with(token, json!({}))
    }

    /// With more to check, or something else.
    pub(super) fn read_with(&self, token: &str, options: Value) -> Reading {
        self.call(&json!({ "call": "read", "token": token, "options": options }))
    }

    /// With a public key.
    pub(super) fn read_by(&self, public_pem: &str, token: &str, options: Value) -> Reading {
        self.call(&json!({ "call": "read", "token": token, "publicKey": public_pem, "options": options }))
    }

    /// Any claims under any header.
    pub(super) fn sign(&self, header: Value, claims: &Value) -> String {
        self.call(&json!({ "call": "sign", "header": header, "claims": claims }))
    }

    /// Any claims under any header, sealed with the key that is derived for a type and a realm.
    pub(super) fn seal(&self, header: Value, claims: &Value, typ: &str, realm: &str) -> String {
        self.call(&json!({ "call": "seal", "header": header, "claims": claims, "typ": typ, "realm": realm }))
    }

    /// A sealed token of a realm, with more to check.
    pub(super) fn open(&self, token: &str, realm: &str, options: Value) -> Reading {
        self.call(&json!({ "call": "open", "token": token, "realm": realm, "options": options }))
    }

    /// The sealed payload of a record that is bound to these bytes, in base64url.
    pub(super) fn open_record(&self, sealed: &str, realm: &str, bound: &str) -> Reading {
        self.call(&json!({ "call": "openRecord", "sealed": sealed, "realm": realm, "bound": bound }))
    }

    /// With `alg: none`.
    pub(super) fn unsecured(&self, claims: &Value) -> String {
        self.call(&json!({ "call": "unsecured", "claims": claims }))
    }

    pub(super) fn key_pair(&self, alg: &str) -> KeyPair {
        self.call(&json!({ "call": "keyPair", "alg": alg }))
    }

    fn call<T: for<'de> Deserialize<'de>>(&self, call: &Value) -> T {
        let mut node = Command::new(&self.node)
            .args(["--input-type=module", "--eval", SCRIPT])
            // What the script imports is looked for here.
            .current_dir(&self.folder)
            .env("JWT_SECRET", &self.secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("node to start");
        node.stdin.take().unwrap().write_all(call.to_string().as_bytes()).unwrap();
        let output = node.wait_with_output().unwrap();
        assert!(output.status.success(), "{call}: {}", first_lines(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{call}: {error}"))
    }
}

impl Reading {
    #[track_caller]
    pub(super) fn accepted(self) -> Self {
        assert_eq!(self.refused, None);
        self
    }
}

/// A folder in the build directory with the package, installed now unless it is there. Runs in parallel do not meet:
/// each installs into a folder of its own and moves the whole into place, and the first one wins.
fn install(npm: &Path) -> Result<PathBuf, String> {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = build.join(format!("jose-{VERSION}"));
    if !place.exists() {
        std::fs::create_dir_all(build).unwrap();
        let aside = tempfile::tempdir_in(build).unwrap();
        let folder = aside.path().join("jose");
        let output = Command::new(npm)
            .args([
                "install",
                "--no-save",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--fetch-retries=1",
            ])
            .arg("--prefix")
            .arg(&folder)
            .arg(format!("jose@{VERSION}"))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("npm does not start: {error}"))?;
        if !output.status.success() {
            return Err(format!("npm could not install jose {VERSION}: {}", first_lines(&output)));
        }
        let moved = std::fs::rename(&folder, &place);
        assert!(place.exists(), "{moved:?}");
    }
    assert_eq!(integrity(&place), INTEGRITY, "another archive of jose {VERSION} than the one of these tests");
    Ok(place)
}

fn integrity(place: &Path) -> String {
    let lock = std::fs::read_to_string(place.join("node_modules/.package-lock.json")).unwrap();
    let lock: Value = serde_json::from_str(&lock).unwrap();
    lock["packages"]["node_modules/jose"]["integrity"].as_str().unwrap_or_default().to_owned()
}

fn first_lines(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().take(10).collect::<Vec<_>>().join("\n")
}
