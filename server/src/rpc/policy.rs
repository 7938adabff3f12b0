//! Who may call what: the one table. A method without an entry is not served.

use std::fmt;

use prost::Message as _;

/// What a method asks of its caller before its service looks at the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Anyone signed in.
    SignedIn,
    /// Signed in; the service checks that what is touched is the caller's own.
    Owner,
    /// Another server of ours. None calls yet, so nobody gets in.
    Service,
}

/// What a method is limited by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary call.
    Business,
    /// Takes or gives credentials: guessing must be slow, so an address has few of them.
    Credentials,
    /// Tells operators and tools about the server; must answer when it is full.
    Infrastructure,
}

/// A method's entry.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// As in the request: `/package.Service/Method`.
    pub path: &'static str,
    /// Who may call.
    pub access: Access,
    /// What limits it.
    pub kind: Kind,
}

impl Method {
    /// The name in logs and metrics: `package.Service/Method`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.get(1..).unwrap_or_default()
    }
}

const fn entry(path: &'static str, access: Access, kind: Kind) -> Method {
    Method { path, access, kind }
}

use Access::{Owner, Public, SignedIn};
use Kind::{Business, Credentials, Infrastructure};

/// Every method, sorted by path.
pub static METHODS: &[Method] = &[
    entry("/grpc.health.v1.Health/Check", Public, Infrastructure),
    entry("/grpc.health.v1.Health/Watch", Public, Infrastructure),
    entry(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Public,
        Infrastructure,
    ),
    entry(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        Public,
        Infrastructure,
    ),
    entry(
        "/livedrop.v1.AccountService/BecomeCreator",
        SignedIn,
        Business,
    ),
    entry(
        "/livedrop.v1.AccountService/DeleteAccount",
        SignedIn,
        Business,
    ),
    entry("/livedrop.v1.AccountService/GetCreator", Public, Business),
    entry("/livedrop.v1.AccountService/GetMe", SignedIn, Business),
    entry(
        "/livedrop.v1.AccountService/UpdateCreator",
        SignedIn,
        Business,
    ),
    entry("/livedrop.v1.AccountService/UpdateMe", SignedIn, Business),
    entry("/livedrop.v1.AuthService/RefreshToken", Public, Credentials),
    entry("/livedrop.v1.AuthService/SignIn", Public, Credentials),
    entry("/livedrop.v1.AuthService/SignOut", Public, Credentials),
    entry("/livedrop.v1.AuthService/SignUp", Public, Credentials),
    entry(
        "/livedrop.v1.CatalogService/ArchiveProduct",
        Owner,
        Business,
    ),
    entry(
        "/livedrop.v1.CatalogService/CreateImageUpload",
        SignedIn,
        Business,
    ),
    entry(
        "/livedrop.v1.CatalogService/CreateProduct",
        SignedIn,
        Business,
    ),
    entry("/livedrop.v1.CatalogService/GetProduct", Public, Business),
    entry("/livedrop.v1.CatalogService/ListProducts", Public, Business),
    entry(
        "/livedrop.v1.CatalogService/SearchProducts",
        Public,
        Business,
    ),
    entry("/livedrop.v1.CatalogService/UpdateProduct", Owner, Business),
    entry("/livedrop.v1.DropService/BatchGetDrops", Public, Business),
    entry("/livedrop.v1.DropService/CancelDrop", Owner, Business),
    entry("/livedrop.v1.DropService/EndDrop", Owner, Business),
    entry("/livedrop.v1.DropService/GetDrop", Public, Business),
    entry("/livedrop.v1.DropService/ListDrops", Public, Business),
    entry(
        "/livedrop.v1.DropService/ListLedgerRecords",
        Public,
        Business,
    ),
    entry("/livedrop.v1.DropService/RestockDrop", Owner, Business),
    entry("/livedrop.v1.DropService/ScheduleDrop", SignedIn, Business),
    entry("/livedrop.v1.DropService/SearchDrops", Public, Business),
    entry("/livedrop.v1.DropService/UpdateDrop", Owner, Business),
    entry("/livedrop.v1.DropService/WatchDrop", Public, Business),
    entry(
        "/livedrop.v1.FollowService/CheckFollows",
        SignedIn,
        Business,
    ),
    entry("/livedrop.v1.FollowService/Follow", SignedIn, Business),
    entry("/livedrop.v1.FollowService/ListFollowers", Owner, Business),
    entry(
        "/livedrop.v1.FollowService/ListFollowing",
        SignedIn,
        Business,
    ),
    entry("/livedrop.v1.FollowService/Unfollow", SignedIn, Business),
    entry("/livedrop.v1.OrderService/CancelOrder", Owner, Business),
    entry("/livedrop.v1.OrderService/GetOrder", Owner, Business),
    entry("/livedrop.v1.OrderService/GetReceipt", Owner, Business),
    entry("/livedrop.v1.OrderService/ListDropOrders", Owner, Business),
    entry("/livedrop.v1.OrderService/ListOrders", SignedIn, Business),
    entry("/livedrop.v1.OrderService/PayOrder", Owner, Business),
    entry("/livedrop.v1.OrderService/PlaceOrder", SignedIn, Business),
    entry("/livedrop.v1.OrderService/RefundOrder", Owner, Business),
    entry("/livedrop.v1.OrderService/WatchOrder", Owner, Business),
];

/// Where a path's entry is in [`METHODS`].
#[must_use]
pub fn find(path: &str) -> Option<usize> {
    METHODS
        .binary_search_by(|method| method.path.cmp(path))
        .ok()
}

/// The table and the contract disagree.
#[derive(Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The descriptor set can't be read.
    Unreadable(String),
    /// Methods of the contract without an entry.
    Missing(Vec<String>),
    /// Entries for methods the contract does not have.
    Unknown(Vec<String>),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "descriptor set is unreadable: {error}"),
            Self::Missing(paths) => write!(
                f,
                "methods without an entry in rpc/policy.rs: {}",
                paths.join(", ")
            ),
            Self::Unknown(paths) => write!(
                f,
                "entries in rpc/policy.rs without a method: {}",
                paths.join(", ")
            ),
        }
    }
}

impl std::error::Error for Mismatch {}

/// Compares the table with an encoded `FileDescriptorSet` of the business methods.
///
/// # Errors
/// If one has a method that the other lacks.
pub fn check(descriptors: &[u8]) -> Result<(), Mismatch> {
    let set = prost_types::FileDescriptorSet::decode(descriptors);
    let contract = paths(&set.map_err(|error| Mismatch::Unreadable(error.to_string()))?);
    let missing: Vec<String> = contract
        .iter()
        .filter(|path| find(path).is_none())
        .cloned()
        .collect();
    if !missing.is_empty() {
        return Err(Mismatch::Missing(missing));
    }
    let business = METHODS
        .iter()
        .filter(|method| method.kind != Infrastructure);
    let unknown: Vec<String> = business
        .map(|method| method.path.to_owned())
        .filter(|path| !contract.contains(path))
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(Mismatch::Unknown(unknown))
    }
}

fn paths(set: &prost_types::FileDescriptorSet) -> Vec<String> {
    let mut paths = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                paths.push(format!(
                    "/{}.{}/{}",
                    file.package(),
                    service.name(),
                    method.name()
                ));
            }
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_entry_is_found() {
        assert!(METHODS.is_sorted_by(|a, b| a.path < b.path));
        for (index, method) in METHODS.iter().enumerate() {
            assert_eq!(find(method.path), Some(index));
        }
        assert_eq!(find("/livedrop.v1.OrderService/Nothing"), None);
    }

    #[test]
    fn every_method_of_the_contract_has_an_entry() {
        check(livedrop_proto::FILE_DESCRIPTOR_SET).unwrap();
    }

    #[test]
    fn every_entry_of_the_infrastructure_exists() {
        let sets = [
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let decoded = sets.map(|set| prost_types::FileDescriptorSet::decode(set).unwrap());
        let mut served: Vec<String> = decoded.iter().flat_map(paths).collect();
        served.sort();
        let listed = METHODS
            .iter()
            .filter(|method| method.kind == Infrastructure);
        assert_eq!(listed.map(|method| method.path).collect::<Vec<_>>(), served);
    }

    #[test]
    fn a_method_without_an_entry_is_noticed() {
        let mut set =
            prost_types::FileDescriptorSet::decode(livedrop_proto::FILE_DESCRIPTOR_SET).unwrap();
        let service = set
            .file
            .iter_mut()
            .flat_map(|file| &mut file.service)
            .next()
            .unwrap();
        let mut renamed = service.method[0].clone();
        renamed.name = Some("Newer".to_owned());
        service.method.push(renamed);
        assert!(
            matches!(check(&set.encode_to_vec()), Err(Mismatch::Missing(paths)) if paths.len() == 1)
        );
        service_free(&mut set);
        assert!(matches!(
            check(&set.encode_to_vec()),
            Err(Mismatch::Unknown(_))
        ));
    }

    fn service_free(set: &mut prost_types::FileDescriptorSet) {
        set.file.iter_mut().for_each(|file| file.service.clear());
    }
}
