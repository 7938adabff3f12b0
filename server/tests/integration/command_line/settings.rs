//! Settings as people meet them: what is printed, what is taken, what is refused.

use crate::harness::{
    home::Home,
    process::{Process, finish, livedrop, refused},
};

/// The file that `config` prints starts a server as it is.
#[tokio::test]
async fn serve_starts_with_the_settings_that_config_prints() {
    let home = Home::new().await;
    let data = home.data().join("data");
    let config = ["config", "--data", data.to_str().unwrap()];
    let ports = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    let config = home.livedrop(&[&config[..], &ports].concat());
    let (code, printed, err) = finish(config).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        printed.contains("# Memory for the store's pages, in MiB.\ncache_mib = 256\n"),
        "{printed}"
    );
    let file = home.data().join("livedrop.toml");
    std::fs::write(&file, printed).unwrap();

    let mut command = home.livedrop(&["serve", "--config", file.to_str().unwrap()]);
    command.env("LIVEDROP_LOG_FILTER", "off");
    command.env("LIVEDROP_LOG__FILTER", "off");
    let server = Process::start(command).await;
    assert!(server.get("/readyz").await.ends_with("ready"));
    let (code, _, err) = server.end("TERM").await;
    assert_eq!(code, 0, "{err}");
    let warning = "LIVEDROP_LOG_FILTER (did you mean LIVEDROP_LOG__FILTER?)";
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains(warning), "{err}");
}

#[tokio::test]
async fn wrong_settings_are_told_at_once_with_status_2() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("livedrop.toml");
    std::fs::write(
        &file,
        "[server]\nlisen = \"127.0.0.1:1\"\n[limits]\ndrain = \"40s\"\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let parts = [
        "did you mean server.listen?",
        "limits.drain",
        "livedrop.toml",
    ];
    refused(
        livedrop(&["serve", "--config", file, "--data", "d"]),
        2,
        &parts,
    )
    .await;
    refused(
        livedrop(&["config", "--print", "--config", file]),
        2,
        &parts,
    )
    .await;
    refused(livedrop(&["serve", "--data", ""]), 2, &["--data"]).await;
    refused(
        livedrop(&["serve", "--config", "/no/such/file.toml"]),
        2,
        &["/no/such/file.toml"],
    )
    .await;
    assert_eq!(finish(livedrop(&["serve", "--no-such-flag"])).await.0, 2);

    let (code, out, err) =
        finish(livedrop(&["config", "--print", "--listen", "127.0.0.1:9"])).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains("listen = \"127.0.0.1:9\"  # --listen\n"),
        "{out}"
    );
}
