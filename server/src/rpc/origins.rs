//! Whose pages may call from a browser.

use http::{HeaderValue, Uri};

/// Names of this machine: only their pages may come from any port.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// An allow-list of origins; empty for "same origin only". No entry stands for everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Exact(String),
    /// Scheme and host.
    AnyPort(String),
}

/// A text that no browser sends as an origin.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an origin such as \"https://shop.example\": no path, no default port, lower case; \
     `:*` for any port only with http://localhost, http://127.0.0.1 and http://[::1]"
)]
pub struct NoOrigin(pub String);

impl Origins {
    /// Reads a list.
    ///
    /// # Errors
    /// With the first text that is no origin.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, NoOrigin> {
        let read = |text: &T| {
            let text = text.as_ref();
            origin(text).ok_or_else(|| NoOrigin(text.to_owned()))
        };
        texts.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether pages of this origin may call.
    #[must_use]
    pub fn allow(&self, sent: &HeaderValue) -> bool {
        let Ok(sent) = sent.to_str() else {
            return false;
        };
        self.0.iter().any(|origin| match origin {
            Origin::Exact(exact) => sent == exact,
            Origin::AnyPort(host) => sent.strip_prefix(host.as_str()).is_some_and(is_port),
        })
    }
}

/// Taken only as browsers send it: another spelling would never match, and nobody would know why.
fn origin(text: &str) -> Option<Origin> {
    let (scheme, rest) = text.split_once("://")?;
    let default_port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    if let Some(host) = rest.strip_suffix(":*") {
        let host = LOOPBACK.contains(&host).then_some(host)?;
        return Some(Origin::AnyPort(format!("{scheme}://{host}")));
    }
    let uri: Uri = text.parse().ok()?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    let canonical = match uri.port_u16() {
        None => format!("{scheme}://{host}"),
        Some(port) if port == default_port => return None,
        Some(port) => format!("{scheme}://{host}:{port}"),
    };
    (canonical == text && !host.contains(|it: char| it.is_ascii_uppercase() || it == '*'))
        .then_some(Origin::Exact(canonical))
}

/// `:5173`, or nothing for the default port.
fn is_port(rest: &str) -> bool {
    let Some(digits) = rest.strip_prefix(':') else {
        return rest.is_empty();
    };
    (1..=5).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(listed: &[&str], sent: &'static str) -> bool {
        let origins = Origins::parse(listed).unwrap();
        origins.allow(&HeaderValue::from_static(sent))
    }

    #[test]
    fn only_what_is_listed_is_allowed() {
        let listed = [
            "https://shop.example",
            "http://a.example:8080",
            "http://localhost:*",
        ];
        for good in [
            "https://shop.example",
            "http://a.example:8080",
            "http://localhost",
            "http://localhost:1",
            "http://localhost:65535",
        ] {
            assert!(allow(&listed, good), "{good}");
            assert!(!allow(&[], good), "{good}");
        }
        for bad in [
            "null",
            "",
            "*",
            "http://shop.example",
            "https://shop.example:8443",
            "https://shop.example.evil.example",
            "https://evil.example",
            "http://a.example",
            "http://localhost.evil.example",
            "http://localhost:",
            "http://localhost:80.evil.example",
            "http://localhost:123456",
            "http://localhost@evil.example",
            "https://localhost:1",
            "http://127.0.0.1:1",
        ] {
            assert!(!allow(&listed, bad), "{bad}");
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for bad in [
            "*",
            "null",
            "",
            "shop.example",
            "https://",
            "https://*",
            "https://*.example",
            "https://shop.example:*",
            "http://*:*",
            "https://shop.example/",
            "https://shop.example/path",
            "https://shop.example?x",
            "https://ann@shop.example",
            "https://Shop.example",
            "https://shop.example:443",
            "http://shop.example:80",
            "https://shop.example:0443",
            "ftp://shop.example",
            "https://läden.example",
            "https://a.example, https://b.example",
        ] {
            assert_eq!(
                Origins::parse(&[bad]),
                Err(NoOrigin(bad.to_owned())),
                "{bad}"
            );
        }
    }
}
