//! Who calls, and whether the policy lets them.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use tonic::body::Body;
use tower::Service;

use super::{Decided, refuse};
use crate::{
    auth::Caller,
    rpc::{
        call::Call,
        policy::{Access, Kind, Method},
        status,
    },
};

/// Checks an access token and says whose it is; `None` for any that is not good now. Called for each request, so it caches.
pub type VerifyFn = dyn Fn(&str) -> Option<Caller> + Send + Sync;

/// A shared [`VerifyFn`].
#[derive(Clone)]
pub(crate) struct Verify(pub(crate) Arc<VerifyFn>);

impl fmt::Debug for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verify")
    }
}

/// No token of ours is longer; more is not even looked at.
const TOKEN_BYTES_MAX: usize = 2 * 1024;

/// Refuses calls without a policy entry and callers it does not let in; notes who calls.
#[derive(Debug, Clone)]
pub(crate) struct Authenticate<S> {
    pub(super) inner: S,
    pub(super) verify: Verify,
}

/// The credentials are not good.
#[derive(Debug, PartialEq, Eq)]
struct Bad;

impl<S> Service<Request<Body>> for Authenticate<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Decided<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = request
            .extensions()
            .get::<Call>()
            .and_then(|call| call.method);
        let Some(method) = method else {
            return refuse(status::unimplemented());
        };
        let Ok(caller) = caller(method, request.headers(), &self.verify) else {
            return refuse(status::unauthenticated());
        };
        if let Some(caller) = caller {
            if let Some(call) = request.extensions().get::<Call>() {
                call.set_caller(caller);
            }
            // The services may need no token to know the caller, and what they don't have they can't leak.
            request.headers_mut().remove(AUTHORIZATION);
        }
        Decided::Right(self.inner.call(request))
    }
}

fn caller(method: &Method, headers: &HeaderMap, verify: &Verify) -> Result<Option<Caller>, Bad> {
    // A client whose access token has just ended must be able to get the next one, even if it sends the old one along.
    if method.kind != Kind::Business {
        return Ok(None);
    }
    let caller = match bearer(headers)? {
        Some(token) => Some((verify.0)(token).ok_or(Bad)?),
        None => None,
    };
    match (method.access, caller) {
        (Access::Public, caller) => Ok(caller),
        (Access::SignedIn | Access::Owner, Some(caller)) => Ok(Some(caller)),
        (Access::SignedIn | Access::Owner, None) | (Access::Service, _) => Err(Bad),
    }
}

/// The token in the one `authorization` header; `None` without the header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Bad> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = sent.next() else {
        return Ok(None);
    };
    if sent.next().is_some() {
        return Err(Bad);
    }
    let (scheme, token) = value
        .to_str()
        .map_err(|_| Bad)?
        .split_once(' ')
        .ok_or(Bad)?;
    let good =
        scheme.eq_ignore_ascii_case("bearer") && (1..=TOKEN_BYTES_MAX).contains(&token.len());
    if good { Ok(Some(token)) } else { Err(Bad) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::domain::{AccountId, Timestamp};

    fn ann() -> Caller {
        Caller {
            account_id: AccountId::new(uuid::Uuid::from_u128(1)),
            session_id: uuid::Uuid::from_u128(2),
            expires_at: Timestamp::MAX,
        }
    }

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn who(access: Access, kind: Kind, values: &[&str]) -> Result<Option<Caller>, Bad> {
        let verify = Verify(Arc::new(|token| (token == "good").then(ann)));
        caller(
            &Method {
                path: "/s/m",
                access,
                kind,
            },
            &headers(values),
            &verify,
        )
    }

    #[test]
    fn the_policy_decides_who_needs_a_token() {
        let good = &["Bearer good"][..];
        assert_eq!(who(Access::Public, Kind::Business, &[]), Ok(None));
        assert_eq!(who(Access::Public, Kind::Business, good), Ok(Some(ann())));
        for access in [Access::SignedIn, Access::Owner] {
            assert_eq!(who(access, Kind::Business, &[]), Err(Bad));
            assert_eq!(who(access, Kind::Business, good), Ok(Some(ann())));
        }
        assert_eq!(who(Access::Service, Kind::Business, good), Err(Bad));
    }

    #[test]
    fn a_bad_token_is_refused_even_where_none_is_needed() {
        let long = format!("Bearer {}", "x".repeat(TOKEN_BYTES_MAX + 1));
        for bad in [
            "Bearer bad",
            "Bearer ",
            "Bearer",
            "Basic good",
            "good",
            &long,
        ] {
            assert_eq!(
                who(Access::Public, Kind::Business, &[bad]),
                Err(Bad),
                "{bad}"
            );
            assert_eq!(
                who(Access::Public, Kind::Credentials, &[bad]),
                Ok(None),
                "{bad}"
            );
        }
        assert_eq!(
            who(
                Access::Public,
                Kind::Business,
                &["Bearer good", "Bearer good"]
            ),
            Err(Bad)
        );
    }
}
