//! The test provider's 3-D Secure page: two buttons, no script. Served where the test provider is in use.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::{
        HeaderName, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::{
    domain::Money,
    payments::{
        PaymentStatus, ProviderError,
        test::{Challenge, PAGE_PATH, TestProvider},
    },
};

const TEMPLATE: &str = include_str!("test_provider.html");

const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    ),
    (CACHE_CONTROL, "no-store"),
    // The address is the secret.
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Currencies whose minor unit is not a hundredth, and how many decimals they have.
const DECIMALS: [(&str, u32); 23] = [
    ("BHD", 3),
    ("BIF", 0),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

type Answer = Result<Option<Challenge>, ProviderError>;

/// `GET` the page at `/test-provider/3ds/{page}`, `POST` to its `/approve` and `/decline`. Bodies are not read.
pub fn router(provider: Arc<TestProvider>) -> Router {
    let page = async |State(provider): State<Arc<TestProvider>>, Path(page): Path<String>| {
        show(&page, provider.challenge(&page).await)
    };
    let approve = async |State(provider): State<Arc<TestProvider>>, Path(page): Path<String>| {
        back(&page, provider.approve(&page).await)
    };
    let decline = async |State(provider): State<Arc<TestProvider>>, Path(page): Path<String>| {
        back(&page, provider.decline(&page).await)
    };
    Router::new()
        .route(&format!("{PAGE_PATH}/{{page}}"), get(page))
        .route(&format!("{PAGE_PATH}/{{page}}/approve"), post(approve))
        .route(&format!("{PAGE_PATH}/{{page}}/decline"), post(decline))
        .with_state(provider)
}

/// After a button: the page again, so that reloading it sends nothing.
fn back(page: &str, answer: Answer) -> Response {
    match answer {
        // The page is known, so its name is of our making.
        Ok(Some(_)) => {
            let to = [(LOCATION, format!("{PAGE_PATH}/{page}"))];
            (StatusCode::SEE_OTHER, HEADERS, to).into_response()
        }
        answer @ (Ok(None) | Err(_)) => show(page, answer),
    }
}

fn show(page: &str, answer: Answer) -> Response {
    let (status, amount, content) = match answer {
        Ok(Some(Challenge { amount, status })) => {
            (StatusCode::OK, shown(amount), content(page, &status))
        }
        Ok(None) => (
            StatusCode::NOT_FOUND,
            String::new(),
            "<p>There is no such payment.</p>".to_owned(),
        ),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            String::new(),
            "<p>This can't be answered now. Try again later.</p>".to_owned(),
        ),
    };
    let html = TEMPLATE
        .replace("{amount}", &escape(&amount))
        .replace("{content}", &content);
    (status, HEADERS, html).into_response()
}

fn content(page: &str, status: &PaymentStatus) -> String {
    let text = match status {
        PaymentStatus::ActionRequired { .. } => {
            let path = format!("{PAGE_PATH}/{}", escape(page));
            return format!(
                "<p>Do you approve this payment?</p>\n\
                 <form method=\"post\" action=\"{path}/approve\"><button class=\"yes\">Approve</button></form>\n\
                 <form method=\"post\" action=\"{path}/decline\"><button>Decline</button></form>"
            );
        }
        PaymentStatus::ConfirmationRequired | PaymentStatus::Captured | PaymentStatus::Pending => {
            "Approved. You can close this page."
        }
        PaymentStatus::Failed(_) => {
            "Declined or cancelled: nothing is paid. You can close this page."
        }
    };
    format!("<p>{text}</p>")
}

/// Such as `49.99 EUR`.
fn shown(money: Money) -> String {
    let code = money.currency.as_str();
    let known = DECIMALS.iter().find(|(other, _)| *other == code);
    let decimals = known.map_or(2, |(_, decimals)| *decimals);
    let unit = 10_u64.pow(decimals);
    let minor = money.amount_minor.unsigned_abs();
    match usize::try_from(decimals).unwrap_or(0) {
        0 => format!("{minor} {code}"),
        width => format!("{}.{:0width$} {code}", minor / unit, minor % unit),
    }
}

fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, char| {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            plain => escaped.push(plain),
        }
        escaped
    })
}

#[cfg(test)]
mod tests;
