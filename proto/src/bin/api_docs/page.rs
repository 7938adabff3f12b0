//! The contract as Markdown.

use std::{collections::HashSet, fmt::Write as _};

use crate::contract::{Call, Contract, Enum, Field, Kind, Message, Value};

const INTRODUCTION: &str = "\
# The API: `livedrop.v1`

Everything that clients may rely on: the calls with their errors, what they take and give, and every reason that a call can fail for.
Made from the comments in `proto/livedrop/v1` by `cargo run -p livedrop-proto --bin api_docs`; change those, not this page.

One port speaks gRPC and grpc-web. A signed-in call carries the header `authorization: Bearer ACCESS_TOKEN` (AuthService). Ids are UUIDs
as text, money is an amount in minor units, times are the server's. A list is read page by page until `next_page_token` is empty. Calls
with a `request_id` may be sent again with the same id: nothing happens twice. An error has a gRPC code, and in its details a
`google.rpc.ErrorInfo` whose reason is one of `ErrorReason`. What all streams have in common is in `proto/README.md`.
";

/// The whole page.
pub(crate) fn of(contract: &Contract) -> String {
    let calls = contract.services.iter().flat_map(|service| &service.calls);
    let of_calls: HashSet<&str> = calls
        .flat_map(|call| [call.request.as_str(), call.response.as_str()])
        .collect();
    let shared: Vec<&Message> = contract
        .messages
        .iter()
        .filter(|message| !of_calls.contains(message.name.as_str()))
        .collect();

    let page = Page {
        contract,
        of_calls: &of_calls,
    };
    let mut text = INTRODUCTION.to_owned();
    text += &contents(contract, &shared);
    for service in &contract.services {
        text += &format!("\n## {}\n\n{}", service.name, paragraphs(&service.comment));
        for call in &service.calls {
            text += &page.call(&service.name, call);
        }
    }
    text += "\n## Messages\n\nWhat several calls have in common.\n";
    for message in shared {
        text += &format!("\n### {}\n\n{}", message.name, paragraphs(&message.comment));
        text += &page.fields(message);
    }
    text += "\n## Enums\n\nClients meet values that they don't know yet: newer servers may send them.\n";
    for kind in &contract.enums {
        text += &values(kind);
    }
    text
}

/// What GitHub makes of a heading.
pub(crate) fn anchor(heading: &str) -> String {
    let heading = heading.trim().to_lowercase().replace(' ', "-");
    heading
        .chars()
        .filter(|it| it.is_alphanumeric() || ['-', '_'].contains(it))
        .collect()
}

/// A comment as text, its lines joined to paragraphs.
pub(crate) fn paragraphs(comment: &str) -> String {
    let mut text = String::new();
    for paragraph in comment.split("\n\n") {
        let lines: Vec<&str> = paragraph.lines().map(str::trim).collect();
        let line = lines.join(" ");
        if !line.trim().is_empty() {
            let separator = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{separator}{}", line.trim());
        }
    }
    text
}

/// A comment as a cell of a table.
pub(crate) fn cell(comment: &str) -> String {
    let words: Vec<&str> = comment.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}

fn contents(contract: &Contract, shared: &[&Message]) -> String {
    let mut text = "\n## Contents\n\n| service | calls |\n|---|---|\n".to_owned();
    for service in &contract.services {
        let name = &service.name;
        let calls = service.calls.iter().map(|call| {
            let anchor = anchor(&format!("{name}.{}", call.name));
            format!("[{}](#{anchor})", call.name)
        });
        let calls: Vec<String> = calls.collect();
        let _ = writeln!(text, "| {} | {} |", linked(name), calls.join(", "));
    }
    let messages = shared.iter().map(|message| linked(&message.name));
    let enums = contract.enums.iter().map(|kind| linked(&kind.name));
    for (what, names) in [
        ("Messages", messages.collect::<Vec<_>>()),
        ("Enums", enums.collect()),
    ] {
        let _ = writeln!(text, "\n{}: {}", linked(what), names.join(", "));
    }
    text
}

fn linked(heading: &str) -> String {
    format!("[{heading}](#{})", anchor(heading))
}

fn values(kind: &Enum) -> String {
    let mut text = format!("\n### {}\n\n{}", kind.name, paragraphs(&kind.comment));
    text += "\n| value | meaning |\n|---|---|\n";
    for value in &kind.values {
        let _ = writeln!(text, "| `{}` | {} |", value.name, cell(&value.comment));
    }
    text
}

struct Page<'a> {
    contract: &'a Contract,
    /// Requests and responses: they are shown with their call.
    of_calls: &'a HashSet<&'a str>,
}

impl Page<'_> {
    fn call(&self, service: &str, call: &Call) -> String {
        let Call { name, comment, .. } = call;
        let mut text = format!("\n### {service}.{name}\n\n{}", paragraphs(comment));
        let stream = if call.is_stream {
            ", a stream of these"
        } else {
            ""
        };
        for (name, what) in [(&call.request, ""), (&call.response, stream)] {
            let Some(message) = self.contract.messages.iter().find(|it| it.name == *name) else {
                continue;
            };
            let comment = paragraphs(&message.comment);
            let _ = write!(text, "\n**{name}**{what}: {comment}");
            text += &self.fields(message);
        }
        text
    }

    fn fields(&self, message: &Message) -> String {
        if message.fields.is_empty() {
            return "\nNo fields.\n".to_owned();
        }
        let mut text = "\n| field | type | meaning |\n|---|---|---|\n".to_owned();
        for field in &message.fields {
            let (name, meaning) = (&field.name, cell(&field.comment));
            let _ = writeln!(text, "| `{name}` | {} | {meaning} |", self.kind(field));
        }
        text
    }

    fn kind(&self, field: &Field) -> String {
        let kind = match &field.kind {
            Kind::One(value) => self.value(value),
            Kind::Optional(value) => format!("{}, optional", self.value(value)),
            Kind::Many(value) => format!("list of {}", self.value(value)),
            Kind::Map(key, value) => {
                format!("map of {} to {}", self.value(key), self.value(value))
            }
        };
        match &field.one_of {
            Some(group) => format!("{kind}; one of `{group}`"),
            None => kind,
        }
    }

    fn value(&self, value: &Value) -> String {
        match value {
            Value::Ours(name) if !self.of_calls.contains(name.as_str()) => linked(name),
            Value::Ours(name) | Value::Plain(name) => name.clone(),
        }
    }
}
