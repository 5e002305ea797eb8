//! What a default build contains, to the letter: a plugin that is lost or comes along fails here.

use blit_bundled as _;
use blit_registry::{PluginKind, Registry};

#[test]
fn a_default_build_has_exactly_these_plugins() {
    let registry = Registry::builtin().unwrap();
    assert_eq!(registry.ids(PluginKind::Store), ["store-fs", "store-mem"]);
    assert_eq!(registry.ids(PluginKind::Transport), ["transport-mem"]);
    assert_eq!(registry.ids(PluginKind::Planner), ["planner-default"]);
}
