//! The store: what it gives back, what it refuses, and what it does without room.

use super::reopened::Reopened;
use super::*;
use crate::store::shelf::Change;

fn put(shelf: &Shelf, key: &str, value: &str) {
    shelf.write([Change::Put(key.into(), value.into())]);
}

fn found(shelf: &Shelf) -> Vec<(String, String)> {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    shelf.found().into_iter().map(|(key, value)| (text(key), text(value))).collect()
}

#[tokio::test]
async fn each_shelf_finds_its_own() {
    let mut kept = Reopened::new();
    let (one, other) = (kept.shelf().part("a"), kept.store().world("two").part("a"));
    put(&one, "k", "1");
    put(&one, "gone", "1");
    put(&other, "k", "2");
    put(&kept.shelf().part("ab"), "k", "3");
    one.write([Change::Remove("gone".into())]);
    kept.store().written().await.unwrap();
    kept.reopen();
    let shelf = kept.shelf().part("a");
    assert_eq!(found(&shelf), [("k".to_owned(), "1".to_owned())]);
    assert_eq!(found(&shelf), []);
    assert_eq!(found(&kept.store().world("two").part("a")), [("k".to_owned(), "2".to_owned())]);
    kept.shelf().part("ab").write([Change::Clear]);
    put(&kept.shelf().part("ab"), "new", "4");
    kept.reopen();
    assert_eq!(found(&kept.shelf().part("ab")), [("new".to_owned(), "4".to_owned())]);
}

#[tokio::test]
async fn a_table_is_written_when_it_has_changed_and_only_then() {
    let mut kept = Reopened::new();
    let table = Kept::<BTreeMap<String, u64>>::on(kept.shelf().part("table"));
    let before = kept.store().issued();
    assert!(table.lock().is_empty());
    assert_eq!(kept.store().issued(), before);
    table.lock().insert("k".into(), 7);
    assert!(kept.store().issued() > before);
    kept.reopen();
    let table = Kept::<BTreeMap<String, u64>>::on(kept.shelf().part("table"));
    assert_eq!(table.lock().get("k"), Some(&7));
    kept.shelf().sound().unwrap();
    kept.reopen();
    let _misread = Kept::<Vec<u64>>::on(kept.shelf().part("table"));
    assert!(matches!(kept.shelf().sound(), Err(StoreError::Unreadable { .. })));
}

#[tokio::test]
async fn nothing_is_committed_while_things_belong_together() {
    let kept = Reopened::new();
    let together = kept.store().together();
    put(&kept.shelf(), "k", "1");
    let store = kept.store().clone();
    let waiting = tokio::spawn(async move { store.written().await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(together);
    waiting.await.unwrap().unwrap();
}

#[test]
fn a_folder_of_two_daemons_is_refused_and_says_whose_it_is() {
    let kept = Reopened::new();
    let refused = Store::open(kept.folder(), Durability::Disk).err().unwrap();
    assert!(
        matches!(&refused, StoreError::InUse { by: Some(by), .. } if *by == std::process::id()),
        "{refused}"
    );
}

#[test]
fn a_newer_format_is_refused_and_left_as_it_is() {
    let kept = Reopened::new();
    kept.store().close();
    let said = kept.folder().join("format.json");
    std::fs::write(&said, r#"{"format":3,"mlemu":"9.0.0","more":[1]}"#).unwrap();
    let records = std::fs::read(kept.folder().join("records.redb")).unwrap();
    let refused = Store::open(kept.folder(), Durability::Disk).err().unwrap();
    let text = refused.to_string();
    assert!(text.contains("9.0.0") && text.contains("format is 3"), "{text}");
    assert!(refused.hint().is_some());
    assert_eq!(std::fs::read(kept.folder().join("records.redb")).unwrap(), records);
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.tex"), "x").unwrap();
    let refused = Store::open(folder.path(), Durability::Disk).err().unwrap();
    assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn records_that_are_none_are_refused() {
    let kept = Reopened::new();
    kept.store().close();
    std::fs::write(kept.folder().join("records.redb"), "nonsense, and more of it").unwrap();
    let refused = Store::open(kept.folder(), Durability::Disk).err().unwrap();
    assert!(matches!(refused, StoreError::Unreadable { .. }), "{refused}");
}

#[tokio::test]
async fn without_room_it_says_so_and_goes_on_as_soon_as_there_is_some() {
    let mut kept = Reopened::new();
    put(&kept.shelf(), "before", "1");
    kept.store().written().await.unwrap();
    kept.store().fill(true);
    put(&kept.shelf(), "meanwhile", "2");
    assert!(kept.store().written().await.is_err());
    assert!(kept.store().is_failing());
    assert!(kept.store().retry().await.is_err());
    kept.store().fill(false);
    kept.store().retry().await.unwrap();
    assert!(!kept.store().is_failing());
    put(&kept.shelf(), "after", "3");
    kept.store().written().await.unwrap();
    kept.reopen();
    let keys: Vec<_> = found(&kept.shelf()).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["after", "before", "meanwhile"]);
}
