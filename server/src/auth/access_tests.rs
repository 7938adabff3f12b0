//! What may pass as an access token: ours, unchanged, in time. Nothing else, and no text makes the check panic.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

struct Setup {
    keys: Arc<Keys>,
    tokens: AccessTokens,
    account_id: AccountId,
    session_id: Uuid,
}

fn setup() -> Setup {
    let keys = Arc::new(Keys::generate().unwrap());
    let tokens = AccessTokens::new(Arc::clone(&keys)).unwrap();
    Setup {
        keys,
        tokens,
        account_id: AccountId::new(Uuid::now_v7()),
        session_id: Uuid::now_v7(),
    }
}

impl Setup {
    fn good(&self) -> String {
        self.tokens
            .issue(self.account_id, self.session_id, NOW)
            .unwrap()
            .0
            .expose_secret()
            .to_owned()
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": TYPE, "kid": self.keys.key_id()})
    }

    fn claims(&self) -> Value {
        let iat = NOW.seconds();
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": self.account_id, "sid": self.session_id, "iat": iat, "exp": iat + 60})
    }

    /// A token signed with our key, whatever it says.
    fn signed(&self, header: &str, claims: &str) -> String {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), self.keys.signing(), Algorithm::EdDSA)
                .unwrap();
        format!("{message}.{signature}")
    }

    fn is_accepted(&self, token: &str) -> bool {
        self.tokens.verify(token, NOW).is_some()
    }
}

#[test]
fn a_token_is_good_until_it_ends_cached_or_not() {
    let setup = setup();
    let (token, expires_at) = setup
        .tokens
        .issue(setup.account_id, setup.session_id, NOW)
        .unwrap();
    let token = token.expose_secret();
    assert_eq!(expires_at, NOW + ACCESS_TOKEN_LIFETIME);
    let caller = Caller {
        account_id: setup.account_id,
        session_id: setup.session_id,
        expires_at,
    };
    let last = expires_at - Duration::from_micros(1);
    assert_eq!(setup.tokens.verify(token, expires_at), None, "not cached");
    assert_eq!(setup.tokens.verify(token, last), Some(caller));
    assert_eq!(setup.tokens.verify(token, last), Some(caller), "cached");
    assert_eq!(setup.tokens.verify(token, expires_at), None, "cached");
}

#[test]
fn claims_and_header_must_be_ours_even_if_signed() {
    let setup = setup();
    let (header, claims) = (setup.header(), setup.claims());
    assert!(
        setup.is_accepted(&setup.signed(&header.to_string(), &claims.to_string())),
        "the pattern itself is good"
    );

    for (field, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("ES256")),
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("kid", json!("another")),
        ("kid", Value::Null),
        ("kid", json!(1)),
        ("crit", json!(["exp"])),
    ] {
        let mut changed = header.clone();
        changed[field] = value.clone();
        assert!(
            !setup.is_accepted(&setup.signed(&changed.to_string(), &claims.to_string())),
            "{field}: {value}"
        );
    }

    for (field, value) in [
        ("iss", json!("https://example.com")),
        ("iss", Value::Null),
        ("aud", json!("another")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("exp", json!(NOW.seconds())),
        ("exp", json!(-1)),
        ("exp", json!("9999999999")),
        ("exp", json!(1e300)),
        ("exp", Value::Null),
        ("iat", Value::Null),
        ("sub", json!("")),
        ("sub", json!("ann")),
        ("sub", Value::Null),
        ("sid", json!(7)),
        ("sid", Value::Null),
    ] {
        let mut changed = claims.clone();
        changed[field] = value.clone();
        assert!(
            !setup.is_accepted(&setup.signed(&header.to_string(), &changed.to_string())),
            "{field}: {value}"
        );
        if value.is_null() {
            changed.as_object_mut().unwrap().remove(field);
            assert!(
                !setup.is_accepted(&setup.signed(&header.to_string(), &changed.to_string())),
                "no {field}"
            );
        }
    }
}

#[test]
fn duplicate_claims_are_refused() {
    let setup = setup();
    let (header, claims) = (setup.header().to_string(), setup.claims().to_string());
    for again in [
        r#""sub":"0192f0c1-2345-7abc-8def-0123456789ab","#,
        r#""exp":9999999999,"#,
        r#""aud":"livedrop.v1","#,
    ] {
        let doubled = claims.replacen('{', &format!("{{{again}"), 1);
        assert!(
            !setup.is_accepted(&setup.signed(&header, &doubled)),
            "{again}"
        );
    }
    let doubled = header.replacen('{', r#"{"alg":"EdDSA","#, 1);
    assert!(!setup.is_accepted(&setup.signed(&doubled, &claims)));
}

#[test]
fn other_keys_and_algorithms_prove_nothing() {
    let setup = setup();
    let other = Keys::generate().unwrap();
    let claims = setup.claims();
    let header = |alg| Header {
        typ: Some(TYPE.into()),
        kid: Some(setup.keys.key_id().into()),
        ..Header::new(alg)
    };

    let foreign =
        jsonwebtoken::encode(&header(Algorithm::EdDSA), &claims, other.signing()).unwrap();
    assert!(!setup.is_accepted(&foreign));

    // The classic: a MAC keyed with the public key, which everyone has.
    let public = URL_SAFE_NO_PAD
        .decode(setup.keys.jwks()["keys"][0]["x"].as_str().unwrap())
        .unwrap();
    for algorithm in [Algorithm::HS256, Algorithm::HS512] {
        let key = EncodingKey::from_secret(&public);
        assert!(
            !setup.is_accepted(&jsonwebtoken::encode(&header(algorithm), &claims, &key).unwrap())
        );
    }

    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD
            .encode(json!({"alg": "none", "typ": TYPE, "kid": setup.keys.key_id()}).to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string()),
    );
    assert!(!setup.is_accepted(&unsigned));
}

#[test]
fn a_former_key_is_accepted_until_it_is_removed() {
    let old = setup();
    let token = old.good();
    let former = URL_SAFE_NO_PAD
        .decode(old.keys.jwks()["keys"][0]["x"].as_str().unwrap())
        .unwrap();
    let fresh = Keys::generate().unwrap();
    let (pkcs8, mac) = fresh.expose();
    let rotated = Keys::new(pkcs8.to_vec(), *mac, &[former.try_into().unwrap()]).unwrap();
    assert!(
        AccessTokens::new(Arc::new(rotated))
            .unwrap()
            .verify(&token, NOW)
            .is_some()
    );
    assert!(
        AccessTokens::new(Arc::new(fresh))
            .unwrap()
            .verify(&token, NOW)
            .is_none()
    );
}

#[test]
fn the_shape_must_be_right() {
    let setup = setup();
    let good = setup.good();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let refresh =
        crate::auth::RefreshToken::new(&setup.keys, setup.session_id, 1, &[0; 32]).to_text();
    for bad in [
        "",
        ".",
        "..",
        "...",
        message,
        signature,
        &format!("{good}."),
        &format!(".{good}"),
        &format!("{good}.{signature}"),
        &format!("{header}..{signature}"),
        &format!("{claims}.{header}.{signature}"),
        &format!("{message}.{signature}="),
        &format!("{good} "),
        &format!(" {good}"),
        &format!("{good}\0"),
        &good.to_uppercase(),
        &"a.".repeat(1_000),
        &"a".repeat(10_000_000),
        refresh.expose_secret(),
    ] {
        assert!(
            !setup.is_accepted(bad),
            "{}",
            bad.get(..bad.len().min(80)).unwrap_or_default()
        );
    }
    assert!(setup.is_accepted(&good));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_change_to_a_good_token_passes(at in any::<prop::sample::Index>(), by in any::<char>(), cut in 0..3_usize) {
        thread_local!(static SETUP: Setup = setup());
        SETUP.with(|setup| {
            let good = setup.good();
            let mut chars: Vec<char> = good.chars().collect();
            let at = at.index(chars.len());
            match cut {
                0 => chars[at] = by,
                1 => chars.insert(at, by),
                _ => chars.truncate(at),
            }
            let changed: String = chars.into_iter().collect();
            prop_assert!(changed == good || !setup.is_accepted(&changed));
            Ok(())
        })?;
    }

    #[test]
    fn no_text_passes_or_panics(text in ".{0,300}", header in ".{0,60}", claims in ".{0,60}") {
        thread_local!(static SETUP: Setup = setup());
        SETUP.with(|setup| {
            prop_assert!(!setup.is_accepted(&text));
            prop_assert!(!setup.is_accepted(&setup.signed(&header, &claims)));
            Ok(())
        })?;
    }
}
