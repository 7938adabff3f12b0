//! Writes `docs/api.md`: the contract as one page, from the comments of its `.proto` files.
//!
//! `cargo run -p livedrop-proto --bin api_docs`. A test fails when the page is not what this would write.

mod contract;
mod page;

use std::{error::Error, fs, path::PathBuf};

use contract::Contract;

fn main() -> Result<(), Box<dyn Error>> {
    let contract = Contract::read(livedrop_proto::FILE_DESCRIPTOR_SET)?;
    fs::write(path(), page::of(&contract))?;
    Ok(())
}

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "docs", "api.md"]
        .iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Contract {
        Contract::read(livedrop_proto::FILE_DESCRIPTOR_SET).unwrap()
    }

    #[test]
    fn the_page_is_what_the_contract_says() {
        let written = fs::read_to_string(path()).unwrap_or_default();
        assert!(
            written == page::of(&contract()),
            "docs/api.md is not what the .proto files say; refresh it with `cargo run -p livedrop-proto --bin api_docs`"
        );
    }

    #[test]
    fn links_lead_somewhere_and_headings_are_unique() {
        let page = page::of(&contract());
        let headings: Vec<String> = page
            .lines()
            .filter_map(|line| line.strip_prefix('#'))
            .map(|line| page::anchor(line.trim_start_matches('#')))
            .collect();
        for heading in &headings {
            let same = headings.iter().filter(|it| *it == heading).count();
            assert_eq!(same, 1, "{heading} is there twice");
        }
        let links: Vec<&str> = page
            .split("](#")
            .skip(1)
            .filter_map(|rest| rest.split_once(')').map(|(link, _)| link))
            .collect();
        assert!(links.len() > 100, "the page links its parts");
        for link in links {
            assert!(headings.iter().any(|it| it == link), "{link} leads nowhere");
        }
    }

    #[test]
    fn everything_is_on_the_page() {
        let (contract, page) = (contract(), page::of(&contract()));
        let services = &contract.services;
        assert!(services.iter().any(|it| it.name == "OrderService"));
        for service in services {
            for call in &service.calls {
                let heading = format!("\n### {}.{}\n", service.name, call.name);
                assert!(page.contains(&heading), "{heading}");
            }
        }
        for message in &contract.messages {
            let request_or_response = services.iter().flat_map(|it| &it.calls);
            let is_of_call = request_or_response
                .clone()
                .any(|it| it.request == message.name || it.response == message.name);
            let heading = if is_of_call { "\n**" } else { "\n### " };
            let heading = format!("{heading}{}", message.name);
            assert!(page.contains(&heading), "{heading}");
            for field in &message.fields {
                assert!(page.contains(&format!("| `{}` |", field.name)));
            }
        }
        for (kind, value) in contract
            .enums
            .iter()
            .flat_map(|kind| kind.values.iter().map(move |value| (kind, value)))
        {
            let row = format!("| `{}` |", value.name);
            assert!(page.contains(&row), "{}: {row}", kind.name);
        }
    }

    #[test]
    fn comments_become_paragraphs_and_cells() {
        let text = page::paragraphs(" One line\n goes on.\n\n Errors: none.\n");
        assert_eq!(text, "One line goes on.\n\nErrors: none.\n");
        assert_eq!(page::cell(" a | b\n\n c\n"), "a \\| b c");
    }
}
