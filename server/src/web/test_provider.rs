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

use crate::payments::{
    PaymentStatus, ProviderError,
    test::{Challenge, PAGE_PATH, TestProvider},
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
            (StatusCode::OK, amount.to_string(), content(page, &status))
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
