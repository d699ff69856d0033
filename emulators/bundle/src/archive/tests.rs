//! Hostile archives, most of them made byte by byte because no honest writer makes them.

use super::plan::link_stays_inside;
use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const ROOM: u64 = 10 << 20;

/// An entry as the archive shall claim it to be.
struct Entry {
    name: Vec<u8>,
    content: Vec<u8>,
    mode: u32,
    flags: u16,
    claimed_size: Option<u32>,
}

fn entry(name: &str, content: &str) -> Entry {
    let content = content.as_bytes().to_vec();
    Entry { name: name.as_bytes().to_vec(), content, mode: 0o100_644, flags: 0, claimed_size: None }
}

fn link(name: &str, target: &str) -> Entry {
    Entry { mode: 0o120_777, ..entry(name, target) }
}

/// An archive of stored entries.
fn archive(entries: &[Entry]) -> Bytes {
    let mut body = Vec::new();
    let mut listing = Vec::new();
    for entry in entries {
        let start = body.len() as u32;
        let mut common = Vec::new();
        common.extend(entry.flags.to_le_bytes());
        common.extend([0; 2]); // stored
        common.extend([0; 4]); // time
        common.extend(crc32(&entry.content).to_le_bytes());
        common.extend((entry.content.len() as u32).to_le_bytes());
        common.extend(entry.claimed_size.unwrap_or(entry.content.len() as u32).to_le_bytes());
        common.extend((entry.name.len() as u16).to_le_bytes());
        common.extend([0; 2]); // extra fields
        body.extend(b"PK\x03\x04\x14\x00");
        body.extend(&common);
        body.extend(&entry.name);
        body.extend(&entry.content);
        listing.extend(b"PK\x01\x02\x14\x03\x14\x00"); // made on Unix
        listing.extend(&common);
        listing.extend([0; 6]); // comment, disk, internal attributes
        listing.extend((entry.mode << 16).to_le_bytes());
        listing.extend(start.to_le_bytes());
        listing.extend(&entry.name);
    }
    let mut end = b"PK\x05\x06\x00\x00\x00\x00".to_vec();
    end.extend((entries.len() as u16).to_le_bytes());
    end.extend((entries.len() as u16).to_le_bytes());
    end.extend((listing.len() as u32).to_le_bytes());
    end.extend((body.len() as u32).to_le_bytes());
    end.extend([0; 2]);
    [body, listing, end].concat().into()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Every path below `folder`, to see that nothing is left or has got out.
fn everything_in(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for item in fs::read_dir(next).unwrap().map(Result::unwrap) {
            found.push(item.path().strip_prefix(folder).unwrap().display().to_string());
            if item.file_type().unwrap().is_dir() {
                open.push(item.path());
            }
        }
    }
    found.sort();
    found
}

/// Opens the archive two folders deep in a sandbox; a refusal must leave the whole sandbox empty.
fn refusal(bytes: Bytes, limit: u64) -> PackageFault {
    let sandbox = tempfile::tempdir().unwrap();
    let shelf = sandbox.path().join("a/b");
    let fault = unpack(&shelf, bytes, limit).expect_err("refused");
    let left: Vec<_> =
        everything_in(sandbox.path()).into_iter().filter(|path| path != "a" && path != "a/b").collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    fault
}

#[track_caller]
fn refuses(entries: &[Entry], because: &str) {
    match refusal(archive(entries), ROOM) {
        PackageFault::Unsafe { why, .. } => assert!(why.contains(because), "said: {why}"),
        other => panic!("said: {other}"),
    }
}

fn opens(entries: &[Entry]) -> (tempfile::TempDir, Unpacked) {
    let shelf = tempfile::tempdir().unwrap();
    let unpacked = unpack(shelf.path(), archive(entries), ROOM).expect("opens");
    (shelf, unpacked)
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn an_honest_package_opens_and_is_found_again() {
    let program = Entry { mode: 0o100_755, ..entry("bin/run", "#!/bin/sh") };
    let entries = [entry("app.py", "def handler(): ..."), program, entry("./sub//deep/data.txt", "42")];
    let (shelf, unpacked) = opens(&entries);
    assert_eq!(fs::read_to_string(unpacked.folder.join("app.py")).unwrap(), "def handler(): ...");
    assert_eq!(fs::read_to_string(unpacked.folder.join("sub/deep/data.txt")).unwrap(), "42");
    assert_eq!(mode_of(&unpacked.folder.join("bin/run")), 0o755);
    assert_eq!(mode_of(&unpacked.folder.join("app.py")), 0o644);
    assert_eq!(unpacked.unpacked_bytes, 18 + 9 + 2);
    assert_eq!(unpacked.packed_bytes, archive(&entries).len() as u64);
    assert!(unpacked.warnings.is_empty());
    fs::write(unpacked.folder.join("mark"), "").unwrap();
    let again = unpack(shelf.path(), archive(&entries), ROOM).unwrap();
    assert_eq!(again, unpacked);
    assert!(again.folder.join("mark").exists(), "opened a second time");
}

#[test]
fn traversal_is_refused() {
    refuses(&[entry("../../evil", "x")], "climbs");
    refuses(&[entry("a/../../evil", "x")], "climbs");
    refuses(&[entry("fine", "x"), entry("a/../b", "x")], "climbs");
    refuses(&[entry("..\\..\\evil", "x")], "backslash");
    refuses(&[entry("..", "x")], "climbs");
}

#[test]
fn names_that_are_no_plain_relative_path_are_refused() {
    refuses(&[entry("/tmp/x", "x")], "absolute");
    refuses(&[entry("C:/windows/x", "x")], "drive letter");
    refuses(&[entry("c:x", "x")], "drive letter");
    refuses(&[entry("app.py\0.txt", "x")], "NUL");
    refuses(&[entry("", "x")], "no name");
    refuses(&[entry(".", "x")], "no name");
    refuses(&[entry(&"n".repeat(300), "x")], "too long");
    refuses(&[entry(&"d/".repeat(200), "")], "too long");
}

#[test]
fn links_out_of_the_package_are_refused() {
    refuses(&[link("d", "/outside"), entry("d/pwn", "x")], "through the link");
    refuses(&[entry("d/pwn", "x"), link("d", "/outside")], "through the link");
    refuses(&[link("app.py", "/etc/hostname")], "outside the package");
    refuses(&[link("app.py", "../secret")], "outside the package");
    refuses(&[link("a/b", "../../secret")], "outside the package");
    refuses(&[link("up", ""), entry("app.py", "x")], "outside the package");
    // Each step looks harmless; together they climb from where the first link leads.
    refuses(&[entry("top/x", "x"), link("sub/d", "../top"), link("y", "sub/d/../..")], "outside the package");
}

#[test]
fn links_inside_the_package_are_kept() {
    let (_shelf, unpacked) =
        opens(&[link("node_modules/.bin/tool", "../tool/cli.js"), entry("node_modules/tool/cli.js", "ok")]);
    let tool = unpacked.folder.join("node_modules/.bin/tool");
    assert!(fs::symlink_metadata(&tool).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(tool).unwrap(), "ok");
}

#[test]
fn where_a_link_may_lead() {
    let inside = |path: &str, target: &str| link_stays_inside(Path::new(path), target);
    assert!(inside("a", "b"));
    assert!(inside("a/b/c", "../../d/./e"));
    assert!(inside("a/b", ".."));
    assert!(!inside("a", ".."));
    assert!(!inside("a/b", "../.."));
    assert!(!inside("a/b/c", "d/../e"));
    assert!(!inside("a", "b\\c"));
}

#[test]
fn the_last_of_two_entries_wins_and_is_reported() {
    let (_shelf, unpacked) = opens(&[entry("app.py", "first"), entry("b", ""), entry("./app.py", "second!")]);
    assert_eq!(fs::read_to_string(unpacked.folder.join("app.py")).unwrap(), "second!");
    assert_eq!(unpacked.unpacked_bytes, 7);
    assert_eq!(unpacked.warnings.len(), 1);
    assert!(unpacked.warnings[0].contains("app.py` occurs more than once"));
}

#[test]
fn many_odd_entries_give_few_warnings() {
    let entries: Vec<_> =
        (0..40).map(|n| Entry { mode: 0o100_600, ..entry(&format!("f{n}"), "x") }).collect();
    let (_shelf, unpacked) = opens(&entries);
    assert_eq!(unpacked.warnings.len(), 6);
    assert!(unpacked.warnings[0].contains("not readable by other users"));
    assert!(unpacked.warnings[5].starts_with("and 35 more"));
}

#[test]
fn a_name_cannot_be_file_and_folder() {
    refuses(&[entry("a", "x"), entry("a/b", "x")], "inside a file");
    refuses(&[entry("a/", ""), entry("a", "x")], "both a file and a folder");
    refuses(&[entry("a", "x"), entry("a/", "")], "both a file and a folder");
}

#[test]
fn written_bytes_are_what_counts() {
    let entries = [entry("a", "12345"), entry("b", "67890")];
    assert_eq!(
        unpack(tempfile::tempdir().unwrap().path(), archive(&entries), 10).unwrap().unpacked_bytes,
        10
    );
    assert_eq!(refusal(archive(&entries), 9), PackageFault::TooLarge { limit: 9 });
}

#[test]
fn a_known_package_is_still_held_to_the_limit() {
    let (shelf, _) = opens(&[entry("a", "12345")]);
    let fault = unpack(shelf.path(), archive(&[entry("a", "12345")]), 4).unwrap_err();
    assert_eq!(fault, PackageFault::TooLarge { limit: 4 });
}

#[test]
fn a_bomb_stops_at_the_limit() {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("zeros", zip::write::SimpleFileOptions::default()).unwrap();
    for _ in 0..64 {
        writer.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb: Bytes = writer.finish().unwrap().into_inner().into();
    assert!(bomb.len() < 200_000);
    assert_eq!(refusal(bomb, ROOM), PackageFault::TooLarge { limit: ROOM });
}

#[test]
fn lying_sizes_and_damage_are_refused() {
    refuses(&[Entry { claimed_size: Some(1), ..entry("a", "more than one byte") }], "damaged");
    let mut bytes = archive(&[entry("a", "payload")]).to_vec();
    let place = bytes.windows(7).position(|window| window == b"payload").unwrap();
    bytes[place] ^= 1;
    let fault = refusal(bytes.into(), ROOM);
    assert!(matches!(fault, PackageFault::Unsafe { ref why, .. } if why.contains("damaged")), "{fault}");
}

#[test]
fn too_many_entries_are_refused_unread() {
    let count: u64 = 1_000_000;
    let mut bytes = vec![0; 46 * count as usize]; // never looked at
    let size = bytes.len() as u64;
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 0, 45, 0]);
    bytes.extend([0; 8]);
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(b"PK\x06\x07\x00\x00\x00\x00");
    bytes.extend(size.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
    bytes.extend([0xff; 12]);
    bytes.extend([0; 2]);
    assert_eq!(refusal(bytes.into(), ROOM), PackageFault::TooManyEntries { limit: MOST_ENTRIES });
}

#[test]
fn encrypted_entries_are_refused() {
    refuses(&[Entry { flags: 1, ..entry("a", "twelve bytes and more") }], "encrypted");
}

#[test]
fn devices_and_pipes_are_refused() {
    for kind in [0o020_000, 0o060_000, 0o010_000, 0o140_000] {
        refuses(&[Entry { mode: kind | 0o644, ..entry("dev", "") }], "device, a pipe or a socket");
    }
}

#[test]
fn setuid_and_setgid_are_dropped() {
    let (_shelf, unpacked) = opens(&[Entry { mode: 0o106_755, ..entry("su", "x") }]);
    assert_eq!(mode_of(&unpacked.folder.join("su")), 0o755);
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    for bytes in [&b""[..], b"PK", b"not a zip at all", &archive(&[entry("a", "x")])[..20]] {
        let fault = refusal(Bytes::copy_from_slice(bytes), ROOM);
        assert!(matches!(fault, PackageFault::NotAnArchive { .. }), "{fault}");
    }
}

#[test]
fn no_single_damaged_byte_gets_anything_out_or_panics() {
    let honest = archive(&[entry("a/b", "text"), link("l", "a/b"), entry("c", "more")]);
    for place in 0..honest.len() {
        let mut bytes = honest.to_vec();
        bytes[place] ^= 0x55;
        let sandbox = tempfile::tempdir().unwrap();
        let _ = unpack(&sandbox.path().join("a/b"), bytes.into(), ROOM);
        assert!(everything_in(sandbox.path()).iter().all(|path| path == "a" || path.starts_with("a/b")));
    }
}
