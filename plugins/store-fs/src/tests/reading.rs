use std::fs;

use blit_contract::{ErrorKind, ReadItem, ReadOptions, Store, StoreExt};

use super::{Bench, kind, rel};

#[tokio::test]
async fn a_batch_answers_each_question_in_its_place() {
    let bench = Bench::new();
    fs::write(bench.root.join("a"), "alpha").unwrap();
    fs::write(bench.root.join("b"), "").unwrap();
    let a = ReadItem::content(rel("a"), bench.entry("a").await);
    let b = ReadItem::content(rel("b"), bench.entry("b").await);
    let mut gone = a.clone();
    gone.path = rel("gone");
    let answers = bench
        .store
        .read_batch(&bench.cx, vec![a, gone, b])
        .await
        .unwrap();
    let shown: Vec<_> = answers
        .into_iter()
        .map(|answer| {
            answer
                .map(|file| file.content)
                .map_err(|error| error.kind())
        })
        .collect();
    assert_eq!(shown[0].as_deref(), Ok(&b"alpha"[..]));
    assert_eq!(shown[1], Err(ErrorKind::Vanished));
    assert_eq!(shown[2].as_deref(), Ok(&b""[..]));
}

#[tokio::test]
async fn a_file_that_is_not_what_was_scanned_is_not_read() {
    let bench = Bench::new();
    fs::write(bench.root.join("f"), "before").unwrap();
    let expect = bench.entry("f").await;
    for now in ["behind it", "less", "sameXY"] {
        fs::write(bench.root.join("f"), now).unwrap();
        let item = ReadItem::content(rel("f"), expect.clone());
        assert_eq!(
            kind(bench.store.get(&bench.cx, item).await),
            ErrorKind::Changed
        );
        let options = ReadOptions::expecting(expect.clone());
        let opened = bench.store.open_read(&bench.cx, &rel("f"), options).await;
        assert_eq!(kind(opened), ErrorKind::Changed);
    }
}

#[tokio::test]
async fn a_reader_notices_a_change_behind_its_back() {
    let bench = Bench::new();
    fs::write(bench.root.join("f"), "0123456789").unwrap();
    let options = ReadOptions::expecting(bench.entry("f").await);
    let reader = bench
        .store
        .open_read(&bench.cx, &rel("f"), options)
        .await
        .unwrap();
    assert_eq!(reader.read(2..5).await.unwrap(), "234");
    reader.check_unchanged().await.unwrap();
    fs::write(bench.root.join("f"), "012345").unwrap();
    assert_eq!(kind(reader.check_unchanged().await), ErrorKind::Changed);
    assert_eq!(kind(reader.read(2..10).await), ErrorKind::Changed);
}
