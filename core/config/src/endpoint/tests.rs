//! The grammar as a table, and what must hold for any text.

use proptest::prelude::*;

use super::*;

/// What is expected of one input: what it is in canonical form, and whether it means its contents.
struct Case {
    input: &'static str,
    windows: bool,
    expected: Result<(&'static str, bool), EndpointProblem>,
}

fn case(input: &'static str, kind: &'static str, contents: bool) -> Case {
    Case {
        input,
        windows: false,
        expected: Ok((kind, contents)),
    }
}

fn on_windows(input: &'static str, kind: &'static str, contents: bool) -> Case {
    Case {
        windows: true,
        ..case(input, kind, contents)
    }
}

fn bad(input: &'static str, problem: EndpointProblem) -> Case {
    Case {
        input,
        windows: false,
        expected: Err(problem),
    }
}

fn cases() -> Vec<Case> {
    use EndpointProblem as P;
    vec![
        case("photos", "local photos", false),
        case("./photos", "local ./photos", false),
        case("photos/", "local photos/", true),
        case("photos/.", "local photos/.", true),
        case(".", "local .", true),
        case("..", "local ..", true),
        case("a/..", "local a/..", true),
        case("a/b", "local a/b", false),
        case("/", "local /", true),
        case("/srv", "local /srv", false),
        case("~/x", "local ~/x", false),
        case("nas:/photos", "remote blit://nas/photos", true),
        case("nas:/photos/", "remote blit://nas/photos/", true),
        case("nas:photos", "remote blit://nas/photos", true),
        case("nas:photos/2024", "remote blit://nas/photos/2024", false),
        case("nas:/photos/2024/", "remote blit://nas/photos/2024/", true),
        case("nas:/photos/2024/.", "remote blit://nas/photos/2024/", true),
        case("nas:/photos//a/./b", "remote blit://nas/photos/a/b", false),
        case("nas:/photos/100%", "remote blit://nas/photos/100%25", false),
        case("nas:9031:/photos", "remote blit://nas:9031/photos", true),
        bad("nas:9031/photos", P::PortNeedsColon),
        bad("nas:9031", P::PortNeedsColon),
        bad("nas:99999:/photos", P::Port),
        bad("nas:0:/photos", P::Port),
        case("nas:", "host blit://nas", false),
        case("nas", "local nas", false),
        case("nas:9031:", "host blit://nas:9031", false),
        case("[fe80::1]:/photos", "remote blit://[fe80::1]/photos", true),
        case(
            "[fe80::1%eth0]:/photos",
            "remote blit://[fe80::1%eth0]/photos",
            true,
        ),
        case(
            "[2001:db8::1]:9031:/photos/x",
            "remote blit://[2001:db8::1]:9031/photos/x",
            false,
        ),
        case("[draft] notes", "local [draft] notes", false),
        case(
            "192.168.1.20:/photos",
            "remote blit://192.168.1.20/photos",
            true,
        ),
        case("nas.local:/photos", "remote blit://nas.local/photos", true),
        case("blit://nas", "host blit://nas", false),
        case("BLIT://nas/photos", "remote blit://nas/photos", true),
        case("blit://nas/photos", "remote blit://nas/photos", true),
        case(
            "blit://nas:9031/photos/a b",
            "remote blit://nas:9031/photos/a%20b",
            false,
        ),
        case(
            "blit://nas/photos/a%20b",
            "remote blit://nas/photos/a%20b",
            false,
        ),
        case(
            "blit://[::1]:9031/photos",
            "remote blit://[::1]:9031/photos",
            true,
        ),
        case("blit://c/photos", "remote blit://c/photos", true),
        bad("blit://", P::Authority),
        bad("blit://nas:/photos", P::Port),
        bad("blit://nas/photos/%2e%2e/x", P::DotDot),
        bad(
            "blit://nas/photos/a%2Fb",
            P::Name(blit_contract::BadName::Slash),
        ),
        bad(
            "blit://nas/photos/a%00b",
            P::Name(blit_contract::BadName::Nul),
        ),
        bad("blit://nas/photos/100%", P::Escape),
        case("s3://bucket", "store s3://bucket", true),
        case("s3://bucket/", "store s3://bucket", true),
        case("s3://bucket/pre/fix", "store s3://bucket/pre/fix", false),
        case("s3://bucket/pre/fix/", "store s3://bucket/pre/fix/", true),
        bad("s3:///x", P::NoBucket),
        case("ssh://nas/srv/x", "ssh ssh://nas/srv/x", false),
        case("SSH://nas/srv/x/", "ssh ssh://nas/srv/x/", true),
        case("ssh://nas/", "ssh ssh://nas/", true),
        case("ssh://nas//srv/./x", "ssh ssh://nas/srv/x", false),
        case("ssh://nas/~", "ssh ssh://nas/~/", true),
        case("ssh://nas/~/x", "ssh ssh://nas/~/x", false),
        case("ssh://nas/%7E/x", "ssh ssh://nas/%7E/x", false),
        case("ssh://nas/x/~", "ssh ssh://nas/x/~", false),
        case("ssh://nas/a%20b", "ssh ssh://nas/a%20b", false),
        case("ssh://me@nas:2222/x", "ssh ssh://me@nas:2222/x", false),
        case("ssh://me@corp@nas/x", "ssh ssh://me@corp@nas/x", false),
        case("ssh://nas/me@x:y", "ssh ssh://nas/me@x:y", false),
        case("ssh://[::1]:22/x", "ssh ssh://[::1]:22/x", false),
        bad("ssh://", P::SshAuthority),
        bad("ssh://nas", P::SshPath),
        bad("ssh://me@nas:22", P::SshPath),
        bad("ssh://-oProxyCommand=x/y", P::SshAuthority),
        bad("ssh://-l@nas/x", P::SshAuthority),
        bad("ssh://me;id@nas/x", P::SshAuthority),
        bad("ssh://@nas/x", P::SshAuthority),
        bad("ssh://nas:0/x", P::Port),
        bad("ssh://nas:22x/x", P::SshAuthority),
        bad("ssh://nas/../x", P::DotDot),
        bad("ssh://nas/%2e%2e/x", P::DotDot),
        bad("gs://b/x", P::UnknownScheme(String::from("gs"))),
        bad("rsync://h/m", P::RsyncScheme),
        bad("h::m/x", P::RsyncModule),
        on_windows("h::m/x", "local h::m/x", false),
        bad("nas::m/x", P::RsyncModule),
        bad("me@nas:/photos", P::UserAt),
        case("me@home", "local me@home", false),
        bad("nas:\\photos\\x", P::Backslash),
        case("C:\\data", "local C:\\data", false),
        on_windows("C:\\data", "local C:\\data", false),
        on_windows("C:\\data\\", "local C:\\data\\", true),
        case("C:/data", "local C:/data", false),
        on_windows("C:/data", "local C:/data", false),
        // Where there are no drives it is a name like any other, and `name\` is one too.
        case("C:", "local C:", false),
        on_windows("C:", "local C:", true),
        on_windows("C:\\", "local C:\\", true),
        case("name\\", "local name\\", false),
        on_windows("\\\\server\\share", "local \\\\server\\share", true),
        on_windows("\\\\server\\share\\x", "local \\\\server\\share\\x", false),
        case("c:rel", "local c:rel", false),
        on_windows("c:rel", "local c:rel", false),
        case("file:///srv/x", "local /srv/x", false),
        case("file:///srv/a%20b/", "local /srv/a b/", true),
        case("file:///C:/x", "local C:/x", false),
        bad("file://nas/x", P::Authority),
        bad("file:///srv/a%2Fb", P::Escape),
        bad("file:///srv/a%00b", P::Escape),
        bad("nas:/../etc", P::DotDot),
        bad("nas:/photos/../x", P::DotDot),
        case("./nas:photos", "local ./nas:photos", false),
        case("a:b/c", "local a:b/c", false),
        on_windows("a:b/c", "local a:b/c", false),
        case("dir/with:colon", "local dir/with:colon", false),
        bad("nas:/9photos", P::Module),
        bad("nas:9photos", P::Module),
        bad("-", P::Stdio),
        bad("", P::Empty),
    ]
}

fn parser(windows: bool) -> EndpointParser {
    EndpointParser::new(["s3"]).with_windows(windows)
}

fn contents(endpoint: &Endpoint, windows: bool) -> bool {
    match endpoint {
        Endpoint::Local(path) => local_means_contents(path, windows),
        other => other.means_contents(),
    }
}

fn kind(endpoint: &Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Host { .. } => "host",
        Endpoint::Local(_) => "local",
        Endpoint::Remote { .. } => "remote",
        Endpoint::Ssh { .. } => "ssh",
        Endpoint::Store { .. } => "store",
    }
}

#[test]
fn every_input_of_the_table_is_read_as_it_says() {
    for Case {
        input,
        windows,
        expected,
    } in cases()
    {
        let read = parser(windows).parse(OsStr::new(input));
        match (read, expected) {
            (Ok(endpoint), Ok((text, means_contents))) => {
                assert_eq!(format!("{} {endpoint}", kind(&endpoint)), text, "{input:?}");
                assert_eq!(contents(&endpoint, windows), means_contents, "{input:?}");
            }
            (Err(error), Err(problem)) => assert_eq!(*error.problem(), problem, "{input:?}"),
            (read, expected) => panic!("{input:?}: {read:?}, not {expected:?}"),
        }
    }
}

#[test]
fn every_error_says_why_and_what_to_write() {
    for case in cases() {
        let Err(error) = parser(case.windows).parse(OsStr::new(case.input)) else {
            continue;
        };
        assert_eq!(error.slug(), "syntax.endpoint");
        assert!(
            !error.cause().is_empty() && !error.next().is_empty(),
            "{error}"
        );
    }
    for (input, next) in [
        ("nas:9031/photos", "with a port write nas:9031:/photos"),
        ("[::1]:9031/photos", "with a port write [::1]:9031:/photos"),
        ("nas:9031", "with a port write nas:9031:/MODULE"),
        ("nas::m/x", "for blit write nas:/m/x"),
        (
            "me@nas:/photos",
            "over ssh write ssh://me@nas/photos; to a paired machine nas:/photos",
        ),
        (
            "me@nas:photos",
            "over ssh write ssh://me@nas/~/photos; to a paired machine nas:photos",
        ),
        (
            "ssh://nas",
            "write ssh://nas/PATH, or ssh://nas/~/PATH for one below the home directory",
        ),
        ("nas:\\photos\\x", "write nas:/photos/x"),
    ] {
        let error = parser(false).parse(OsStr::new(input)).unwrap_err();
        assert_eq!(error.next(), next, "{input}");
    }
}

#[test]
fn what_is_shown_cannot_steer_a_terminal() {
    let local = parser(false)
        .parse(OsStr::new("./\x1b[2J\u{202e}"))
        .unwrap();
    assert_eq!(local.to_string(), "./\\x1B[2J\\xE2\\x80\\xAE");
    let error = parser(false).parse(OsStr::new("nas::\x1b[2J")).unwrap_err();
    assert!(!error.to_string().contains('\x1b'));
    assert!(!error.next().contains('\x1b'));
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_survive_as_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let local = OsStr::from_bytes(b"caf\xe9/");
    assert_eq!(
        parser(false).parse(local),
        Ok(Endpoint::Local(PathBuf::from(local)))
    );
    let remote = parser(false)
        .parse(OsStr::from_bytes(b"nas:/photos/caf\xe9"))
        .unwrap();
    assert_eq!(remote.to_string(), "blit://nas/photos/caf%E9");
    let url = OsStr::new("file:///caf%E9");
    let expected = PathBuf::from(OsStr::from_bytes(b"/caf\xe9"));
    assert_eq!(parser(false).parse(url), Ok(Endpoint::Local(expected)));
}

proptest! {
    #[test]
    fn the_canonical_form_reads_as_the_same_endpoint(
        host in "[a-z][a-z0-9]{1,8}",
        port in proptest::option::of(1..=u16::MAX),
        module in "[A-Za-z][A-Za-z0-9._-]{0,20}",
        parts in proptest::collection::vec(proptest::collection::vec(1..=255_u8, 1..20), 0..4),
        slash: bool,
    ) {
        let names = parts.into_iter().filter_map(|part| Name::new(part).ok());
        let path: RelPath = names.collect();
        let endpoint = Endpoint::Remote { host, port, module, path, slash };
        let text = endpoint.to_string();
        prop_assert_eq!(parser(false).parse(OsStr::new(&text)).unwrap(), endpoint);
    }

    #[test]
    fn the_canonical_form_over_ssh_reads_as_the_same_endpoint(
        user in proptest::option::of("[a-z_][a-z0-9._-]{0,8}"),
        host in "[a-z][a-z0-9]{1,8}",
        port in proptest::option::of(1..=u16::MAX),
        from_home: bool,
        parts in proptest::collection::vec(proptest::collection::vec(1..=255_u8, 1..20), 0..4),
        slash: bool,
    ) {
        let names = parts.into_iter().filter_map(|part| Name::new(part).ok());
        let path: RelPath = names.collect();
        // A root has no name, and is its contents either way.
        let slash = slash || path.is_root();
        let place = LoginPath { from_home, path };
        let endpoint = Endpoint::Ssh { user, host, port, place, slash };
        let text = endpoint.to_string();
        prop_assert_eq!(parser(false).parse(OsStr::new(&text)).unwrap(), endpoint);
    }

    #[test]
    fn any_text_is_an_endpoint_or_an_error_that_says_what_to_write(text in "\\PC*", windows: bool) {
        match parser(windows).parse(OsStr::new(&text)) {
            Ok(endpoint) => drop(endpoint.to_string()),
            Err(error) => prop_assert!(!error.next().is_empty() && !error.cause().is_empty()),
        }
    }

    #[test]
    fn what_is_meant_as_a_path_is_one(text in "[./~][^\\x00]*") {
        let local = Endpoint::Local(PathBuf::from(&text));
        prop_assert_eq!(parser(false).parse(OsStr::new(&text)), Ok(local));
    }

    #[test]
    fn addresses_and_percent_signs_of_any_kind_do_not_panic(text in "(blit://|ssh://|nas:|\\[)?[\\]\\[%:/@0-9a-f\\\\]*") {
        if let Err(error) = parser(false).parse(OsStr::new(&text)) {
            prop_assert!(!error.next().is_empty());
        }
    }
}
