//! Compiles the contract with protox, so that no machine needs protoc.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

type Error = Box<dyn std::error::Error>;

/// Messages whose `Debug` would print a secret; `src/redact.rs` implements it instead.
const SECRET: &[&str] = &[
    ".livedrop.v1.Tokens",
    ".livedrop.v1.SignUpRequest",
    ".livedrop.v1.SignInRequest",
    ".livedrop.v1.RefreshTokenRequest",
    ".livedrop.v1.SignOutRequest",
    ".livedrop.v1.DeleteAccountRequest",
    ".livedrop.v1.PlaceOrderRequest",
    ".livedrop.v1.PayOrderRequest",
    ".livedrop.internal.v1.StoredEntry",
    ".livedrop.internal.v1.TermsFrozen",
    ".livedrop.internal.v1.PaymentStarted",
];

/// Messages that many readers get: a server encodes what they have in common once.
const SHARED: &[&str] = &["WatchDropResponse"];

fn main() -> Result<(), Error> {
    println!("cargo:rerun-if-changed=build.rs");
    let public = proto_files("livedrop/v1")?;
    let events = proto_files("livedrop/events/v1")?;
    let internal = proto_files("livedrop/internal/v1")?;
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);

    // Reflection serves this set, so it holds the public package and its imports only.
    let descriptors = compiler(&public)?.encode_file_descriptor_set();
    fs::write(out_dir.join("livedrop.v1.bin"), descriptors)?;

    let services = |client, server| {
        tonic_prost_build::configure()
            .build_client(client)
            .build_server(server)
            .build_transport(false)
            .codec_path("crate::codec::SmallCodec")
    };
    if env::var_os("CARGO_FEATURE_SERVER").is_some() {
        // By themselves, over the messages made below: servers answer with some of them already encoded.
        let server_dir = out_dir.join("server");
        fs::create_dir_all(&server_dir)?;
        let mut builder = services(false, true)
            .out_dir(server_dir)
            .extern_path(".livedrop.v1", "crate::v1");
        for message in SHARED {
            let shared = format!("crate::codec::Shared<crate::v1::{message}>");
            builder = builder.extern_path(format!(".livedrop.v1.{message}"), shared);
        }
        builder.compile_fds(compiler(&public)?.file_descriptor_set())?;
    }

    let all: Vec<PathBuf> = public.into_iter().chain(events).chain(internal).collect();
    services(env::var_os("CARGO_FEATURE_CLIENT").is_some(), false)
        .bytes(".")
        .skip_debug(SECRET)
        .compile_fds(compiler(&all)?.file_descriptor_set())?;
    Ok(())
}

fn compiler(files: &[PathBuf]) -> Result<protox::Compiler, Error> {
    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(files)?;
    Ok(compiler)
}

/// Lists the folder's `.proto` files in a stable order and has cargo watch them, and the folder for new ones.
fn proto_files(folder: &str) -> io::Result<Vec<PathBuf>> {
    println!("cargo:rerun-if-changed={folder}");
    let mut files = Vec::new();
    for entry in fs::read_dir(Path::new(folder))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            println!("cargo:rerun-if-changed={}", path.display());
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
