//! The contract for tools: reflection in both versions, since many tools speak only the older one.

use tonic::service::RoutesBuilder;
use tonic_reflection::server::{Builder, Error};

/// What reflection shows: our public package, health, and the error details. `grpcurl` decodes details with these; `buf curl` knows only
/// those it was built with and prints the rest in base64, whatever a server shows.
const DESCRIPTORS: [&[u8]; 3] = [
    livedrop_proto::FILE_DESCRIPTOR_SET,
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_types::pb::FILE_DESCRIPTOR_SET,
];

/// Adds both services.
pub(super) fn add_to(routes: &mut RoutesBuilder) -> Result<(), Error> {
    routes
        .add_service(builder().build_v1()?)
        .add_service(builder().build_v1alpha()?);
    Ok(())
}

fn builder() -> Builder<'static> {
    DESCRIPTORS
        .into_iter()
        .fold(Builder::configure(), |builder, set| {
            builder.register_encoded_file_descriptor_set(set)
        })
}
