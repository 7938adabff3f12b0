//! Who wins, what is refused, and that all of it is told at once.

use std::time::Duration;

use super::*;

fn layers(
    file: Option<&str>,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &'static str, &str)],
) -> Result<Loaded, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("livedrop.toml");
    load(Layers {
        profile: Profile::Serve,
        file: file.map(|text| {
            fs::write(&path, text).unwrap();
            path.clone()
        }),
        environment: environment
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        flags: flags
            .iter()
            .map(|(flag, key, text)| (*flag, *key, (*text).to_owned()))
            .collect(),
    })
}

fn problems(file: &str) -> Vec<String> {
    let problems = layers(Some(file), &[], &[]).unwrap_err();
    problems
        .0
        .iter()
        .map(|problem| format!("{}: {}", problem.subject, problem.message))
        .collect()
}

#[test]
fn defaults_are_right_and_differ_by_profile() {
    for profile in [Profile::Dev, Profile::Serve] {
        let loaded = load(Layers {
            profile,
            file: None,
            environment: Vec::new(),
            flags: Vec::new(),
        })
        .unwrap();
        assert_eq!(loaded.config, Config::new(profile));
    }
    assert_ne!(
        Config::new(Profile::Dev).limits,
        Config::new(Profile::Serve).limits
    );
    assert!(Config::new(Profile::Dev).server.listen.ip().is_loopback());
}

#[test]
fn later_layers_win() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\nshutdown = \"40s\"\n[limits]\nin_flight = 7\n[limits.per_caller]\nburst = 3\n";
    let environment = [
        ("LIVEDROP_SERVER__LISTEN", "127.0.0.1:2"),
        ("LIVEDROP_LIMITS__IN_FLIGHT", "8"),
        ("LIVEDROP_LIMITS__PER_CALLER__PERIOD", "1s"),
        (
            "LIVEDROP_SERVER__CORS_ORIGINS",
            "https://a.example, https://b.example",
        ),
        ("LIVEDROP_ENDPOINT", "not a setting"),
        ("PATH", "not a setting"),
    ];
    let flags = [("--listen", "server.listen", "127.0.0.1:3")];
    let loaded = layers(Some(file), &environment, &flags).unwrap();
    let config = &loaded.config;
    assert_eq!(
        config.server.listen.port(),
        3,
        "flag over environment over file"
    );
    assert_eq!(config.limits.in_flight, 8, "environment over file");
    assert_eq!(
        config.server.shutdown,
        Duration::from_secs(40),
        "file over default"
    );
    assert_eq!(
        (
            config.limits.per_caller.burst,
            config.limits.per_caller.period
        ),
        (3, Duration::from_secs(1))
    );
    assert_eq!(
        config.server.cors_origins,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(
        config.limits.connections,
        Config::new(Profile::Serve).limits.connections,
        "the rest stays"
    );

    let text = loaded.to_toml();
    assert!(
        text.contains("listen = \"127.0.0.1:3\"  # --listen\n"),
        "{text}"
    );
    assert!(
        text.contains("in_flight = 8  # LIVEDROP_LIMITS__IN_FLIGHT\n"),
        "{text}"
    );
    assert!(text.contains("livedrop.toml\n"), "{text}");
    assert!(
        text.contains("[limits.per_caller]\n# Calls at once.\nburst = 3"),
        "{text}"
    );
    let again = layers(Some(&text), &[], &[]).unwrap();
    assert_eq!(again.config, loaded.config, "what is printed can be loaded");
}

#[test]
fn unknown_keys_get_a_hint() {
    let found = problems(
        "colour = 1\nlisten = 1\n[server]\nlisten_adress = 1\nlisen = 1\n[sever]\nlisten = 1\n[nonsense]\n[limits.per_caler]\nburst = 1",
    );
    assert_eq!(
        found,
        [
            "colour: no such key; `livedrop config` shows all there are",
            "limits.per_caler.burst: no such key, did you mean limits.per_caller.burst?",
            "listen: no such key, did you mean server.listen?",
            "nonsense: no such key; `livedrop config` shows all there are",
            "server.lisen: no such key, did you mean server.listen?",
            "server.listen_adress: no such key, did you mean server.listen?",
            "sever.listen: no such key, did you mean server.listen?",
        ]
    );
    assert_eq!(
        problems("server = 1"),
        ["server: is a section and takes keys, not a value"]
    );
    assert!(
        layers(Some("[server]\n[limits]"), &[], &[]).is_ok(),
        "empty sections are nothing bad"
    );
    let unknown = layers(None, &[("LIVEDROP_SERVER__LISTN", "x")], &[])
        .unwrap_err()
        .to_string();
    assert_eq!(
        unknown,
        "the settings are wrong: server.listn (LIVEDROP_SERVER__LISTN): no such key, did you mean server.listen?"
    );
}

#[test]
fn all_wrong_values_are_told_at_once_with_their_source() {
    let file = "[server]\nlisten = \"here\"\nshutdown = \"soon\"\ntls_key = \"/nowhere\"\n[limits]\nin_flight = -1\nconnections = 0\n[log]\nfilter = 3";
    let wrong = layers(
        Some(file),
        &[("LIVEDROP_STORE__CACHE_MIB", "much")],
        &[("--listen", "server.listen", "80")],
    )
    .unwrap_err();
    let subjects: Vec<_> = wrong
        .0
        .iter()
        .map(|problem| problem.subject.as_str())
        .collect();
    let expected = [
        "limits.in_flight",
        "log.filter",
        "server.listen",
        "server.shutdown",
        "store.cache_mib",
        "server.listen",
        "server.tls_cert",
        "server.tls_key",
        "limits.connections",
    ];
    assert_eq!(subjects, expected, "{wrong}");
    assert!(
        wrong.to_string().contains("\"soon\" is not a span of time"),
        "{wrong}"
    );
    assert!(!wrong.to_string().contains('\n'));
    assert_eq!(wrong.0[5].origin, Some(Origin::Flag("--listen".into())));
}

#[test]
fn variables_that_set_nothing_are_told() {
    let environment = [
        ("LIVEDROP_SERVER_LISTEN", "127.0.0.1:1"),
        ("LIVEDROP_NONSENSE", "1"),
        ("LIVEDROP_DROP", "an example's"),
        ("LIVEDROP_SERVER__LISTEN", "127.0.0.1:2"),
    ];
    let loaded = layers(None, &environment, &[]).unwrap();
    let expected = [
        (
            "LIVEDROP_SERVER_LISTEN".to_owned(),
            Some("LIVEDROP_SERVER__LISTEN".to_owned()),
        ),
        ("LIVEDROP_NONSENSE".to_owned(), None),
    ];
    assert_eq!(loaded.ignored, expected);
}

#[test]
fn a_broken_file_is_told_without_its_text() {
    let wrong = problems("[server]\npassword = hunter2\n");
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].contains("livedrop.toml: line 2: "), "{wrong:?}");
    assert!(!wrong[0].contains("hunter2"), "{wrong:?}");
    let missing = load(Layers {
        profile: Profile::Serve,
        file: Some("/no/such.toml".into()),
        environment: Vec::new(),
        flags: Vec::new(),
    });
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("/no/such.toml: can't be read: No such file")
    );
}

#[test]
fn limits_of_values() {
    let one = |file| {
        let wrong = problems(file);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        wrong[0].split(':').next().unwrap().to_owned()
    };
    assert_eq!(one("[limits]\ndrain = \"30s\""), "limits.drain");
    assert_eq!(
        one("[limits]\ndeadline_default = \"31s\""),
        "limits.deadline_default"
    );
    assert_eq!(
        one("[limits.credentials]\nperiod = \"0s\""),
        "limits.credentials"
    );
    assert_eq!(one("[server]\nshutdown = \"1h\""), "server.shutdown");
    assert_eq!(
        one("[server]\ncors_origins = [\"https://a.example/path\"]"),
        "server.cors_origins"
    );
    assert_eq!(
        one("[server]\ncors_origins = [\"*\"]"),
        "server.cors_origins"
    );
    assert_eq!(
        one("[server]\nmetrics_listen = \"0.0.0.0:7400\""),
        "server.metrics_listen"
    );
    assert_eq!(
        one("[auth]\npassword_iterations = 0"),
        "auth.password_iterations"
    );
    assert_eq!(one("[log]\nfilter = \"info,[\""), "log.filter");
}
