//! Files that are not whole, or not ours.

use super::*;
use crate::jobs::transfer::file::{FORMAT, FileError};

/// One row of each table, as format 3 has them. If this must change, so must [`FORMAT`].
const SAMPLE: &str = include_str!("sample.jsonl");

fn read(bytes: &[u8]) -> std::result::Result<usize, FileError> {
    let mut reader = Reader::new(bytes)?;
    let mut rows = 0;
    while reader.next_row()?.is_some() {
        rows += 1;
    }
    Ok(rows)
}

/// A file of the sample's rows.
fn whole() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, Timestamp::from_micros(0)).unwrap();
    for line in SAMPLE.lines() {
        writer.put(&serde_json::from_str(line).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

#[test]
fn rows_are_written_as_ever() {
    assert_eq!(FORMAT, 3);
    let mut tables = Vec::new();
    for line in SAMPLE.lines() {
        let row: TruthRow = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&row).unwrap(), line);
        tables.push(row.table());
    }
    assert_eq!(tables, TruthTable::ALL);
    assert_eq!(read(&whole()).unwrap(), TruthTable::ALL.len());
}

/// Format 2 knew no images.
#[test]
fn a_product_of_an_older_format_has_no_images() {
    let line = SAMPLE.lines().find(|line| line.contains("\"images\""));
    let mut row: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    row["row"].as_object_mut().unwrap().remove("images");
    let TruthRow::Products(product) = serde_json::from_value(row).unwrap() else {
        panic!("not a product");
    };
    assert_eq!(product.images, []);
}

#[test]
fn every_changed_byte_is_seen() {
    let whole = whole();
    for at in 0..whole.len() {
        for bit in [0, 5] {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            assert!(read(&changed).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn every_cut_is_seen() {
    let whole = whole();
    for end in 0..whole.len() {
        let error = read(&whole[..end]).unwrap_err();
        let is_told = matches!(error, FileError::CutOff { .. } | FileError::Foreign);
        assert!(is_told, "cut to {end} bytes: {error}");
    }
}

#[test]
fn lines_that_are_moved_doubled_or_left_out_are_seen() {
    let whole = whole();
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let last = lines.len() - 1;
    for at in 1..last {
        let mut swapped = lines.clone();
        swapped.swap(at, at % (last - 1) + 1);
        let (mut doubled, mut left_out) = (lines.clone(), lines.clone());
        doubled.insert(at, lines[at]);
        left_out.remove(at);
        for lines in [swapped, doubled, left_out] {
            let error = read(&lines.concat()).unwrap_err();
            assert!(matches!(error, FileError::Changed), "line {at}: {error}");
        }
    }
    for more in [&b"\n"[..], b"x", lines[1], lines[last]] {
        let error = read(&[&whole, more].concat()).unwrap_err();
        assert!(matches!(error, FileError::Changed), "{error}");
    }
}

#[test]
fn what_others_wrote_is_told_from_what_newer_versions_wrote() {
    for foreign in [
        "",
        "\n",
        "{}\n",
        "not ours\n",
        "{\"livedrop_export\":0}\n",
        "{\"livedrop_export\":\"1\"}\n",
    ] {
        let error = read(foreign.as_bytes()).unwrap_err();
        assert!(matches!(error, FileError::Foreign), "{foreign:?}: {error}");
    }
    let next = FORMAT + 1;
    let newer = format!("{{\"livedrop_export\":{next},\"and\":[\"more\"]}}\nand other lines\n");
    let error = read(newer.as_bytes()).unwrap_err();
    assert!(
        matches!(error, FileError::Newer { found } if found == next),
        "{error}"
    );
}

/// Its items name no products.
#[test]
fn a_file_of_format_1_is_read() {
    let mut drop = SAMPLE.lines().filter(|line| line.contains("\"drops\""));
    let mut drop: serde_json::Value = serde_json::from_str(drop.next().unwrap()).unwrap();
    let item = drop["row"]["items"][0].as_object_mut().unwrap();
    assert!(item.remove("product").is_some());
    let text = drop.to_string();
    let TruthRow::Drops(row) = serde_json::from_str(&text).unwrap() else {
        panic!("{text}")
    };
    assert_eq!(row.items[0].product, None);

    let head = "{\"livedrop_export\":1,\"program\":\"0.1.0\",\"exported_at\":\"\"}\n";
    let error = read(format!("{head}{text}\n").as_bytes()).unwrap_err();
    assert!(matches!(error, FileError::CutOff { .. }), "{error}");
}

/// Sums that fit do not make a row of two.
#[tokio::test]
async fn a_row_that_is_there_twice_is_refused() {
    let row: TruthRow = serde_json::from_str(SAMPLE.lines().next().unwrap()).unwrap();
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, Timestamp::from_micros(0)).unwrap();
    for _ in 0..2 {
        writer.put(&row).unwrap();
    }
    writer.finish().unwrap();
    let (_, store) = empty();
    let refused = imported(&store, &file_of(&bytes)).await;
    assert!(matches!(refused, Err(ImportError::Twice(_))), "{refused:?}");
    assert_eq!(all_of(&store).await, []);
}

/// The texts that a person gets say nothing of what is in the file.
#[test]
fn secrets_are_not_told() {
    let whole = String::from_utf8(whole()).unwrap();
    let hash = whole.split("$argon2id$").nth(1).unwrap();
    let hash = hash.split('"').next().unwrap();
    let broken = whole.replace("\"version\":", "\"version\":true,\"v\":");
    let error = read(broken.as_bytes()).unwrap_err();
    assert!(matches!(error, FileError::Damaged { .. }), "{error}");
    let mut told = format!("{error} {error:?}");
    told += &format!("{:?}", std::error::Error::source(&error));
    assert!(!told.contains(hash), "{told}");
}
