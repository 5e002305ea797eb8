//! What somebody on the line can see.

use crate::{
    bench::{HOST, Two, contents, there},
    relay::Relay,
};

#[test]
fn neither_content_nor_names_nor_modules_cross_in_clear_between_mount_namespaces() {
    let two = Two::strangers();
    let tap = Relay::before(&two.daemon.address);
    let host = format!("{HOST}:{}", tap.port);
    two.blit(&["pair", &host, &two.daemon.invitation])
        .succeeds();
    let source = two.scratch.directory("source");
    let content = "marker-of-content ".repeat(10_000);
    std::fs::write(source.join("marker-of-name"), &content).unwrap();
    let words = [
        "copy".into(),
        contents(&source),
        there("m/marker-of-path/").into(),
    ];
    let _ = two.elsewhere(&words).exits(0).says("over tcp, encrypted");
    let words = ["copy", &there("m/marker-of-path/"), "back/"];
    let _ = two.elsewhere(&words).exits(0).says("over tcp, encrypted");
    assert!(
        tap.heard_bytes() > 2 * content.len(),
        "the tap heard too little"
    );
    assert!(!tap.heard("marker-of"), "something crossed in clear");
}

#[test]
fn what_stays_on_one_machine_does_not_cross_what_is_before_the_port() {
    let two = Two::strangers();
    let tap = Relay::before(&two.daemon.address);
    let host = format!("{HOST}:{}", tap.port);
    two.blit(&["pair", &host, &two.daemon.invitation])
        .succeeds();
    let source = two.scratch.directory("source");
    std::fs::write(source.join("f"), vec![7; 4 << 20]).unwrap();
    let words = ["copy".into(), contents(&source), there("m/").into()];
    let _ = two.blit(&words).exits(0).says("over unix, on this machine");
    assert!(tap.heard_bytes() < 1 << 20, "the content crossed the relay");
}
