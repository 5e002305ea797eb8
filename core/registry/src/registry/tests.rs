//! Stores that only say who they are, so that each rule shows which one was chosen.

use blit_contract::{Descriptor, Error, ErrorKind, Result};

use super::*;

macro_rules! store {
    ($id:literal, $version:literal, $priority:literal, $origin:literal) => {{
        static DESCRIPTOR: Descriptor = Descriptor::new($id, $version, &["mem"]);
        fn open(_: &StoreConfig) -> Result<Arc<dyn Store>> {
            Err(Error::new(ErrorKind::Unsupported, "open").because(concat!($id, " ", $version)))
        }
        Builtin {
            descriptor: &DESCRIPTOR,
            priority: $priority,
            factory: Factory::Store(open),
            origin: $origin,
        }
    }};
}

/// Which store answers to `mem://`.
fn chosen(registry: &Registry) -> String {
    match registry.store("mem", &StoreConfig::new("")) {
        Err(RegistryError::Plugin(error)) => error.detail().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_higher_version_wins() {
    let older = store!("store-a", "1.9.0", 0, "a");
    let newer = store!("store-a", "1.10.0", 0, "b");
    assert_eq!(
        chosen(&Registry::new([older, newer]).unwrap()),
        "store-a 1.10.0"
    );
    assert_eq!(
        chosen(&Registry::new([newer, older]).unwrap()),
        "store-a 1.10.0"
    );
}

#[test]
fn priority_goes_before_version() {
    let plain = store!("store-a", "2.0.0", 0, "a");
    let urgent = store!("store-b", "1.0.0", 1, "b");
    assert_eq!(
        chosen(&Registry::new([plain, urgent]).unwrap()),
        "store-b 1.0.0"
    );
}

#[test]
fn an_explicit_choice_goes_before_priority() {
    let plain = store!("store-a", "1.0.0", 0, "a");
    let urgent = store!("store-b", "1.0.0", 9, "b");
    let registry = Registry::new([plain, urgent])
        .unwrap()
        .with_choice(PluginKind::Store, "store-a")
        .unwrap();
    assert_eq!(chosen(&registry), "store-a 1.0.0");
}

#[test]
fn a_choice_that_is_not_there_is_refused_by_name() {
    let registry = Registry::new([store!("store-a", "1.0.0", 0, "a")]).unwrap();
    let error = registry
        .with_choice(PluginKind::Store, "store-x")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no store \"store-x\" here; there is: store-a"
    );
}

#[test]
fn the_same_plugin_twice_is_an_error_that_names_both_places() {
    let first = store!("store-a", "1.0.0", 0, "one (x/lib.rs)");
    let second = store!("store-a", "1.0.0", 5, "two (y/lib.rs)");
    let text = Registry::new([first, second]).unwrap_err().to_string();
    assert!(
        text.starts_with("store store-a 1.0.0 is there twice"),
        "{text}"
    );
    assert!(
        text.contains("one (x/lib.rs)") && text.contains("two (y/lib.rs)"),
        "{text}"
    );
}

#[test]
fn a_scheme_that_nobody_serves_is_an_error_with_those_that_are_served() {
    let registry = Registry::new([store!("store-a", "1.0.0", 0, "a")]).unwrap();
    let error = registry.store("s3", &StoreConfig::new("")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no store serves \"s3://\" here; there is: mem"
    );
}

#[test]
fn without_a_planner_there_is_an_error_and_no_panic() {
    let registry = Registry::new([]).unwrap();
    assert!(matches!(
        registry.planner(None, &PluginConfig::new()),
        Err(RegistryError::UnknownId { .. })
    ));
}

#[test]
fn ids_are_listed_once_and_in_order() {
    let registry = Registry::new([
        store!("store-b", "1.0.0", 0, "b"),
        store!("store-a", "1.0.0", 0, "a"),
        store!("store-a", "2.0.0", 0, "a"),
    ])
    .unwrap();
    assert_eq!(registry.ids(PluginKind::Store), ["store-a", "store-b"]);
    assert!(registry.ids(PluginKind::Transport).is_empty());
}
