//! The key file: made with mode 0600 on the first start, refused if others can read it. Its text never reaches an error.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{Keys, SetupError, keys::PUBLIC_KEY_BYTES};

/// The one format so far.
const VERSION: u32 = 1;

/// Room for hundreds of older keys.
const FILE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    signing_key: SecretString,
    mac_key: SecretString,
    #[serde(default)]
    verification_keys: Vec<String>,
}

/// Reads the keys from `path`, after making the file if there is none.
///
/// # Errors
/// If the file can't be read or made, may be read by others, or is malformed.
pub fn load_or_create(path: &Path) -> Result<Keys, SetupError> {
    if !path.exists() {
        create(path)?;
        tracing::info!(path = %path.display(), "new keys: whoever has signed in with others has to do it again");
    }
    load(path)
}

/// Reads the keys from `path`.
///
/// # Errors
/// If the file can't be read, may be read by others, or is malformed.
pub fn load(path: &Path) -> Result<Keys, SetupError> {
    let failed = |source| SetupError::KeyFile {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(SetupError::KeyFileMissing(path.to_owned()));
        }
        opened => opened.map_err(failed)?,
    };
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SetupError::KeyFileExposed {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(failed)?;
    parse(&text).map_err(|problem| SetupError::KeyFileMalformed {
        path: path.to_owned(),
        problem,
    })
}

/// Writes new keys beside `path`, then links them there: the file is whole or absent, and a second server's file wins over ours.
fn create(path: &Path) -> Result<(), SetupError> {
    let text = render(&Keys::generate()?);
    let write = || {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        file.write_all(text.expose_secret().as_bytes())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(path) {
            Ok(_) => File::open(folder)?.sync_all(),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error.error),
        }
    };
    write().map_err(|source| SetupError::KeyFile {
        path: path.to_owned(),
        source,
    })
}

fn render(keys: &Keys) -> SecretString {
    let (pkcs8, mac) = keys.expose();
    let (signing_key, mac_key) = (URL_SAFE_NO_PAD.encode(pkcs8), URL_SAFE_NO_PAD.encode(mac));
    format!(
        "# The keys of a Live Drop server. Who reads this file can sign in as anyone.\n\
         version = {VERSION}\n\
         # Ed25519, PKCS#8: signs access tokens.\n\
         signing_key = \"{signing_key}\"\n\
         # 32 random bytes: authenticate refresh tokens and page tokens.\n\
         mac_key = \"{mac_key}\"\n\
         # Public keys (32 bytes) of former signing keys whose tokens are still accepted.\n\
         verification_keys = []\n"
    )
    .into()
}

fn parse(text: &str) -> Result<Keys, String> {
    // The parser's own message would quote the line, which may hold a key.
    let content: Content = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    if content.version != VERSION {
        return Err(format!(
            "version is {}, this server reads {VERSION}",
            content.version
        ));
    }
    let pkcs8 = URL_SAFE_NO_PAD
        .decode(content.signing_key.expose_secret())
        .map_err(|_| "signing_key is not base64url")?;
    let mac =
        decode_32(content.mac_key.expose_secret()).ok_or("mac_key is not 32 bytes in base64url")?;
    let older: Option<Vec<[u8; PUBLIC_KEY_BYTES]>> = content
        .verification_keys
        .iter()
        .map(|key| decode_32(key))
        .collect();
    let older = older.ok_or("verification_keys has one that is not 32 bytes in base64url")?;
    Keys::new(pkcs8, mac, &older)
        .map_err(|_| "signing_key is not an Ed25519 key in PKCS#8".to_owned())
}

fn decode_32(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_makes_the_file_and_the_next_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/keys.toml");
        let made = load_or_create(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o600
        );
        let read = load_or_create(&path).unwrap();
        assert_eq!(made.expose(), read.expose());
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        load_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = load_or_create(&path).unwrap_err();
            assert!(
                matches!(error, SetupError::KeyFileExposed { .. }),
                "{error}"
            );
            assert!(
                error.to_string().contains(&format!("{mode:04o}")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_malformed_file_is_refused_and_not_shown() {
        let good = render(&Keys::generate().unwrap());
        let good = good.expose_secret();
        assert!(parse(good).is_ok());
        let secret = good.split('"').nth(1).unwrap();
        for bad in [
            String::new(),
            "\u{7f}\0".into(),
            good.replace("version = 1", "version = 2"),
            good.replace("mac_key", "mack_ey"),
            good.replace("mac_key = \"", "mac_key = \"A"),
            good.replace("signing_key = \"", "signing_key = \"A"),
            good.replace("signing_key = \"", "signing_key = \"AAAA"),
            good.replace("keys = []", "keys = [\"AAAA\"]"),
            good.replace("signing_key = \"", "signing_key = "),
            good.get(..good.len() / 2).unwrap().to_owned(),
        ] {
            let problem = parse(&bad).unwrap_err();
            assert!(!problem.contains(secret), "{problem}");
        }
    }

    #[test]
    fn a_former_key_stays_known() {
        let keys = Keys::generate().unwrap();
        let former = URL_SAFE_NO_PAD.encode([9; 32]);
        let text = render(&keys)
            .expose_secret()
            .replace("keys = []", &format!("keys = [\"{former}\"]"));
        assert_eq!(parse(&text).unwrap().jwks()["keys"][1]["x"], former);
    }
}
