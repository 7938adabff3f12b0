//! The HTTP side: checks, idempotency keys, faults, routes.

use std::{convert::Infallible, future::pending, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{net::TcpListener, task::AbortHandle};

use crate::{
    SECRET_KEY,
    books::{Account, Books, Movements, Used},
    events::Message,
    form::Form,
    method,
    reply::{Outcome, Reply},
    trouble::Trouble,
};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `GET` or `POST`.
    pub method: Method,
    /// With its query.
    pub path: String,
    /// All of them.
    pub headers: HeaderMap,
    /// A form.
    pub body: Bytes,
}

/// A running fake, on a port of its own, until it is dropped.
#[derive(Debug)]
pub struct FakeStripe {
    account: Arc<Mutex<Account>>,
    base: String,
    server: AbortHandle,
}

impl Drop for FakeStripe {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakeStripe {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let account = Arc::new(Mutex::new(Account {
            base: base.clone(),
            ..Account::default()
        }));
        let shared = Arc::clone(&account);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(&shared, request));
                    let connection = http1::Builder::new();
                    // An error is a connection that was lost, as it should be.
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            account,
            base,
            server: server.abort_handle(),
        }
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// Lets something go wrong with the next request to a route, such as `POST /v1/payment_intents/:id/confirm`. More than one befall the
    /// requests that follow, in this order.
    pub fn trouble(&self, route: &str, trouble: Trouble) {
        let mut account = self.account.lock();
        let troubles = account.troubles.entry(route.to_owned()).or_default();
        troubles.push_back(trouble);
    }

    /// Search finds nothing from now on, as it does of what is new; or what there is.
    pub fn blind_search(&self, is_blind: bool) {
        self.account.lock().search_is_blind = is_blind;
    }

    /// The buyer at the URL of 3-D Secure.
    pub fn authenticate(&self, url: &str, approves: bool) {
        let id = url.rsplit('/').next().unwrap_or_default();
        self.account.lock().authenticate(id, approves);
    }

    /// Lets an attempt's payments and refunds end that are on their way.
    pub fn pass_time(&self, order_id: &str, attempt: i32) {
        self.account.lock().pass_time(order_id, attempt);
    }

    /// The money that moved for an attempt.
    #[must_use]
    pub fn books(&self, order_id: &str, attempt: i32) -> Books {
        self.account.lock().books(order_id, attempt)
    }

    /// What became of every attempt that it has heard of.
    #[must_use]
    pub fn movements(&self) -> Vec<Movements> {
        self.account.lock().movements()
    }

    /// An operator gives a part of an attempt's capture back by hand.
    pub fn refund_by_hand(&self, order_id: &str, attempt: i32, amount: i64) {
        let mut account = self.account.lock();
        let id = account.of(order_id, attempt)[0];
        let id = account.intents[id].id.clone();
        account
            .make_refund(&id, amount, Default::default())
            .unwrap();
    }

    /// The messages about an attempt, oldest first.
    #[must_use]
    pub fn messages(&self, order_id: &str, attempt: i32) -> Vec<Message> {
        let is = |metadata: &std::collections::BTreeMap<String, String>| {
            metadata.get("order_id").is_some_and(|id| id == order_id)
                && metadata.get("attempt") == Some(&attempt.to_string())
        };
        let account = self.account.lock();
        let of_it = account.messages.iter().filter(|(about, _)| is(about));
        of_it.map(|(_, message)| message.clone()).collect()
    }

    /// All messages but the first `count`, oldest first.
    #[must_use]
    pub fn messages_after(&self, count: usize) -> Vec<Message> {
        let account = self.account.lock();
        let later = account.messages.iter().skip(count);
        later.map(|(_, message)| message.clone()).collect()
    }

    /// All requests so far.
    #[must_use]
    pub fn recorded(&self) -> Vec<Recorded> {
        self.account.lock().recorded.clone()
    }
}

/// The connection is to be lost.
#[derive(Debug)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("lost")
    }
}

impl std::error::Error for Lost {}

async fn answer(
    account: &Mutex<Account>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Lost> {
    let (head, body) = request.into_parts();
    let recorded = Recorded {
        method: head.method,
        path: head.uri.to_string(),
        headers: head.headers,
        body: body.collect().await.map_err(|_| Lost)?.to_bytes(),
    };
    account.lock().recorded.push(recorded.clone());
    let trouble = account.lock().next_trouble(&recorded);
    match &trouble {
        Some(Trouble::FailsBefore) => return Ok(failure().response(false)),
        Some(Trouble::TooMany) => {
            let reply = Reply::error(429, "invalid_request_error", "rate_limit", "");
            return Ok(reply.response(false));
        }
        Some(Trouble::Hangs) => match pending::<Infallible>().await {},
        _ => {}
    }
    let (reply, replayed) = match carry_out(account, &recorded, trouble.as_ref()).await {
        Ok(done) => done,
        Err(reply) => (reply, false),
    };
    let loses_answer = {
        let mut account = account.lock();
        let id = reply.body["id"].as_str().unwrap_or_default().to_owned();
        let loses = |intent: &crate::intents::Intent| {
            intent.id == id && intent.has_method(method::LOSES_ANSWER)
        };
        account.intents.iter().any(loses) && account.lost.insert(id)
    };
    match trouble {
        Some(Trouble::LosesAnswer) => Err(Lost),
        _ if loses_answer => Err(Lost),
        Some(Trouble::Garbled) => Ok(Response::new(Full::from("{\"id\":\"pi_"))),
        Some(Trouble::TooLong) => {
            let long = format!("{{\"id\":\"{}\"}}", "x".repeat(1 << 20));
            Ok(Response::new(Full::from(long)))
        }
        _ => Ok(reply.response(replayed)),
    }
}

/// A reply, and whether it is an old one.
async fn carry_out(
    account: &Mutex<Account>,
    recorded: &Recorded,
    trouble: Option<&Trouble>,
) -> Result<(Reply, bool), Reply> {
    check_headers(recorded)?;
    let (path, query) = recorded
        .path
        .split_once('?')
        .unwrap_or((&recorded.path, ""));
    let is_post = recorded.method == Method::POST;
    let form = Form::parse(if is_post {
        &recorded.body
    } else {
        query.as_bytes()
    })?;
    let key = recorded.headers.get("idempotency-key").filter(|_| is_post);
    let key = key.map(|key| key.to_str().unwrap().to_owned());
    if let Some(key) = &key
        && let Some(old) = account.lock().claim(key, path, &form)?
    {
        return Ok((old, true));
    }
    let claim = Claim { account, key };
    if let Some(Trouble::Waits(signal)) = trouble {
        signal.notified().await;
    }
    let mut account = account.lock();
    let reply = match trouble {
        Some(Trouble::FailsForGood) => failure(),
        Some(Trouble::FailsAfter) => {
            let _ = account.route(&recorded.method, path, form);
            failure()
        }
        _ => account.route(&recorded.method, path, form).into(),
    };
    if let Some(key) = claim.key.as_ref().filter(|_| reply.is_remembered()) {
        account.used.get_mut(key).unwrap().reply = Some(reply.clone());
    }
    drop(account);
    Ok((reply, false))
}

/// A key in progress, which is free again if nothing came of it.
struct Claim<'a> {
    account: &'a Mutex<Account>,
    key: Option<String>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let Some(key) = &self.key else { return };
        let used = &mut self.account.lock().used;
        if used.get(key).is_some_and(|used| used.reply.is_none()) {
            used.remove(key);
        }
    }
}

fn check_headers(recorded: &Recorded) -> Result<(), Reply> {
    let header = |name: &str| {
        let value = recorded.headers.get(name);
        value.map(|value| value.to_str().unwrap()).unwrap_or("")
    };
    if header("authorization") != format!("Bearer {SECRET_KEY}") {
        return Err(Reply::error(401, "invalid_request_error", "", ""));
    }
    if header("stripe-version").is_empty() {
        return Err(Reply::invalid("parameter_missing", "Stripe-Version"));
    }
    let is_form = header("content-type") == "application/x-www-form-urlencoded";
    if recorded.method == Method::POST && !recorded.body.is_empty() && !is_form {
        return Err(Reply::invalid("parameter_invalid", "Content-Type"));
    }
    Ok(())
}

impl Account {
    fn next_trouble(&mut self, recorded: &Recorded) -> Option<Trouble> {
        let path = recorded.path.split('?').next().unwrap_or_default();
        let parts = path
            .split('/')
            .map(|part| if part.starts_with("pi_") { ":id" } else { part });
        let parts: Vec<&str> = parts.collect();
        let route = format!("{} {}", recorded.method, parts.join("/"));
        self.troubles.get_mut(&route)?.pop_front()
    }

    /// Claims a key, or answers what came of it before.
    fn claim(&mut self, key: &str, path: &str, form: &Form) -> Result<Option<Reply>, Reply> {
        if let Some(used) = self.used.get(key) {
            if used.path != path || used.form != *form {
                return Err(Reply::error(400, "idempotency_error", "", ""));
            }
            let in_progress =
                || Reply::error(409, "idempotency_error", "idempotency_key_in_use", "");
            return used.reply.clone().map(Some).ok_or_else(in_progress);
        }
        let used = Used {
            path: path.to_owned(),
            form: form.clone(),
            reply: None,
        };
        self.used.insert(key.to_owned(), used);
        Ok(None)
    }

    fn route(&mut self, verb: &Method, path: &str, mut form: Form) -> Outcome {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let form = &mut form;
        let outcome = match (verb.as_str(), parts.as_slice()) {
            ("POST", ["v1", "payment_intents"]) => self.create_intent(form),
            ("GET", ["v1", "payment_intents", "search"]) => self.search_intents(form),
            ("GET", ["v1", "payment_intents", id]) => self.retrieve_intent(id),
            ("POST", ["v1", "payment_intents", id, "confirm"]) => self.confirm_intent(id, form),
            ("POST", ["v1", "payment_intents", id, "capture"]) => self.capture_intent(id),
            ("POST", ["v1", "payment_intents", id, "cancel"]) => self.cancel_intent(id, form),
            ("GET", ["v1", "refunds"]) => self.list_refunds(form),
            ("POST", ["v1", "refunds"]) => self.create_refund(form),
            _ => Err(Reply::missing("path")),
        };
        // Those that change something have looked before.
        outcome.and_then(|answer| form.clone().end().map(|()| answer))
    }
}

fn failure() -> Reply {
    Reply::error(500, "api_error", "", "")
}

impl Reply {
    fn response(&self, replayed: bool) -> Response<Full<Bytes>> {
        let response = Response::builder()
            .status(self.status)
            .header("content-type", "application/json")
            .header("request-id", "req_fake");
        let response = if replayed {
            response.header("idempotent-replayed", "true")
        } else {
            response
        };
        response.body(Full::from(self.body.to_string())).unwrap()
    }
}
