use jiff::Timestamp;

use super::*;

fn build(bytes: &[u8]) -> Build {
    Build {
        sha256: hex::encode(Sha256::digest(bytes)),
        version: "1.0.0".into(),
        kind: "so".into(),
        since: Timestamp::UNIX_EPOCH,
        own: false,
    }
}

#[test]
fn a_build_comes_back_as_it_was_kept_and_a_damaged_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::beside(folder.path());
    let kept = build(b"code");
    store.keep("acme", &kept.file_name(), b"code", Some(b"signature")).unwrap();
    assert_eq!(store.read("acme", &kept).unwrap(), b"code");
    let place = store.place("acme", &kept).unwrap();
    fs::remove_file(&place).unwrap();
    fs::write(&place, b"other").unwrap();
    assert!(store.read("acme", &kept).unwrap_err().to_string().contains("damaged"));
    assert!(store.keep("../acme", "x.so", b"code", None).is_ok());
    assert!(!folder.path().join("acme").exists(), "an id that is no name has no folder");
}

#[test]
fn the_oldest_builds_go_and_the_one_that_serves_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::beside(folder.path());
    let mut record = Record { file: "acme.so".into(), ..Record::default() };
    for number in 0_u8..9 {
        let build = build(&[number]);
        store.keep("acme", &build.file_name(), &[number], None).unwrap();
        record.serves(build, u32::from(number) + 1);
    }
    record.serves(record.builds[0].clone(), 10);
    store.write("acme", &mut record).unwrap();
    assert_eq!(store.record("acme").as_ref(), Some(&record));
    assert_eq!((record.builds.len(), record.generation), (5, 10));
    assert_eq!(record.current(), Some(&build(&[0])));
    assert_eq!(record.before(None).unwrap(), &build(&[8]));
    assert_eq!(store.owner(Path::new("acme.so")).as_deref(), Some("acme"));
    assert!(store.read("acme", &build(&[1])).is_err());
    assert!(store.read("acme", &build(&[0])).is_ok());
    assert!(record.before(Some("zz")).unwrap_err().contains("there are"));
}
