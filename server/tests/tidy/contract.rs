//! The contract as compiled: commented throughout, every call guarded and tested, its reasons those of the domain.

use livedrop_proto::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    ServiceDescriptorProto,
};

use crate::source::Source;

/// Where our own packages begin; what they import is not ours.
const OURS: &str = "livedrop.";

/// The contract's zero, which is never sent.
const UNSPECIFIED: &str = "UNSPECIFIED";

/// The public contract with comments.
pub(crate) fn descriptors() -> FileDescriptorSet {
    FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the contract is a descriptor set")
}

fn our_files(set: &FileDescriptorSet) -> impl Iterator<Item = &FileDescriptorProto> {
    set.file
        .iter()
        .filter(|file| file.package().starts_with(OURS))
}

/// A call of the contract.
pub(crate) struct Rpc {
    /// As in `/livedrop.v1.OrderService/PlaceOrder`.
    path: String,
    /// As in `place_order`.
    function: String,
}

/// All calls of the contract.
pub(crate) fn rpcs(set: &FileDescriptorSet) -> Vec<Rpc> {
    let mut rpcs = Vec::new();
    for file in our_files(set) {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                rpcs.push(Rpc {
                    path,
                    function: snake_case(method.name()),
                });
            }
        }
    }
    assert!(!rpcs.is_empty(), "the contract has no calls");
    rpcs
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Calls whose path the policy table does not hold.
pub(crate) fn without_policy(rpcs: &[Rpc], policies: &[Source]) -> Vec<String> {
    not_in(rpcs, policies, |rpc| format!("\"{}\"", rpc.path))
}

/// Calls that no test makes. By convention a test calls them by their own name: `.place_order(`.
pub(crate) fn uncalled(rpcs: &[Rpc], tests: &[Source]) -> Vec<String> {
    not_in(rpcs, tests, |rpc| format!(".{}(", rpc.function))
}

fn not_in(rpcs: &[Rpc], sources: &[Source], text: impl Fn(&Rpc) -> String) -> Vec<String> {
    let missing = |rpc: &&Rpc| {
        !sources
            .iter()
            .any(|source| source.text.contains(&text(rpc)))
    };
    rpcs.iter()
        .filter(missing)
        .map(|rpc| format!("{} ({})", rpc.path, text(rpc)))
        .collect()
}

/// The contract's reasons, without their prefix.
pub(crate) fn reasons(set: &FileDescriptorSet) -> Vec<String> {
    let enums = our_files(set)
        .flat_map(|file| &file.enum_type)
        .filter(|kind| kind.name() == "ErrorReason");
    let names = enums.flat_map(|kind| &kind.value).map(|value| value.name());
    names
        .map(|name| {
            name.strip_prefix("ERROR_REASON_")
                .unwrap_or(name)
                .to_owned()
        })
        .collect()
}

/// Reasons that `domain/reason.rs` (arms such as `=> "SOLD_OUT",`) or the contract lacks.
pub(crate) fn different_reasons(domain: &str, contract: &[String]) -> Vec<String> {
    let arms = domain
        .lines()
        .filter_map(|line| line.split_once("=> \"")?.1.split_once('"'));
    let domain: Vec<&str> = arms.map(|(name, _)| name).collect();

    let unknown = domain
        .iter()
        .filter(|name| !contract.iter().any(|known| known == *name));
    let unused = contract
        .iter()
        .filter(|name| !domain.contains(&name.as_str()) && *name != UNSPECIFIED);
    let unknown =
        unknown.map(|name| format!("{name} is in domain/reason.rs, but not in error.proto"));
    let unused =
        unused.map(|name| format!("{name} is in error.proto, but not in domain/reason.rs"));
    unknown.chain(unused).collect()
}

/// Every service, method, message, field, enum and value without a comment above it.
pub(crate) fn undocumented(set: &FileDescriptorSet) -> Vec<String> {
    let mut missing = Vec::new();
    for file in our_files(set) {
        let locations = file.source_code_info.iter().flat_map(|info| &info.location);
        let commented = locations.filter(|location| !location.leading_comments().trim().is_empty());
        let commented: Vec<&[i32]> = commented.map(|location| location.path.as_slice()).collect();
        let has_comment = |(path, _): &(Vec<i32>, String)| !commented.contains(&path.as_slice());
        let names = elements(file).into_iter().filter(has_comment);
        missing.extend(names.map(|(_, name)| format!("{}: {name}", file.name())));
    }
    missing
}

// The numbers are those of the fields in descriptor.proto: a path leads through them and indices to an element.

fn elements(file: &FileDescriptorProto) -> Vec<(Vec<i32>, String)> {
    let mut found = Vec::new();
    for (index, message) in (0..).zip(&file.message_type) {
        of_message(message, vec![4, index], &mut found);
    }
    for (index, kind) in (0..).zip(&file.enum_type) {
        of_enum(kind, vec![5, index], &mut found);
    }
    for (index, service) in (0..).zip(&file.service) {
        of_service(service, vec![6, index], &mut found);
    }
    found
}

fn of_message(message: &DescriptorProto, path: Vec<i32>, found: &mut Vec<(Vec<i32>, String)>) {
    if message
        .options
        .as_ref()
        .is_some_and(|options| options.map_entry())
    {
        return;
    }
    for (index, field) in (0..).zip(&message.field) {
        found.push((
            [path.as_slice(), &[2, index]].concat(),
            format!("{}.{}", message.name(), field.name()),
        ));
    }
    for (index, nested) in (0..).zip(&message.nested_type) {
        of_message(nested, [path.as_slice(), &[3, index]].concat(), found);
    }
    for (index, kind) in (0..).zip(&message.enum_type) {
        of_enum(kind, [path.as_slice(), &[4, index]].concat(), found);
    }
    found.push((path, message.name().to_owned()));
}

fn of_enum(kind: &EnumDescriptorProto, path: Vec<i32>, found: &mut Vec<(Vec<i32>, String)>) {
    for (index, value) in (0..).zip(&kind.value) {
        found.push((
            [path.as_slice(), &[2, index]].concat(),
            value.name().to_owned(),
        ));
    }
    found.push((path, kind.name().to_owned()));
}

fn of_service(
    service: &ServiceDescriptorProto,
    path: Vec<i32>,
    found: &mut Vec<(Vec<i32>, String)>,
) {
    for (index, method) in (0..).zip(&service.method) {
        found.push((
            [path.as_slice(), &[2, index]].concat(),
            format!("{}.{}", service.name(), method.name()),
        ));
    }
    found.push((path, service.name().to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_comment_is_found() {
        let mut set = descriptors();
        let mut count = 0;
        for file in set
            .file
            .iter_mut()
            .filter(|file| file.package().starts_with(OURS))
        {
            count += elements(file).len();
            let locations = file
                .source_code_info
                .iter_mut()
                .flat_map(|info| &mut info.location);
            locations.for_each(|location| location.leading_comments = None);
        }
        let missing = undocumented(&set);
        assert_eq!(missing.len(), count);
        for element in [
            "PlaceOrderRequest.request_id",
            "OrderService.PlaceOrder",
            "ERROR_REASON_SOLD_OUT",
        ] {
            assert!(
                missing.iter().any(|name| name.ends_with(element)),
                "{element}"
            );
        }
    }

    #[test]
    fn a_call_without_policy_or_test_is_found() {
        let rpcs = [
            ("/a.B/PlaceOrder", "place_order"),
            ("/a.B/GetOrder", "get_order"),
        ];
        let rpcs = rpcs.map(|(path, function)| Rpc {
            path: path.into(),
            function: function.into(),
        });
        let policy = [Source::new(
            "policy.rs",
            "entry(\"/a.B/PlaceOrder\", Public)",
        )];
        let tests = [Source::new(
            "t.rs",
            "client.get_order(request); // place_order()",
        )];
        assert!(
            matches!(without_policy(&rpcs, &policy).as_slice(), [only] if only.contains("GetOrder"))
        );
        assert!(
            matches!(uncalled(&rpcs, &tests).as_slice(), [only] if only.contains("PlaceOrder"))
        );
        assert_eq!(without_policy(&rpcs, &[]).len(), 2);
    }

    #[test]
    fn methods_are_called_in_snake_case() {
        assert_eq!(snake_case("ListLedgerRecords"), "list_ledger_records");
    }

    #[test]
    fn a_reason_on_one_side_only_is_found() {
        let contract = ["UNSPECIFIED", "SOLD_OUT", "TOO_LARGE"].map(str::to_owned);
        let domain = "Self::SoldOut => \"SOLD_OUT\",\nSelf::Late => \"LATE\",\n";
        let different = different_reasons(domain, &contract);
        assert_eq!(different.len(), 2);
        assert!(different.iter().any(|text| text.starts_with("LATE")));
        assert!(different.iter().any(|text| text.starts_with("TOO_LARGE")));
    }
}
