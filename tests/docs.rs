//! Docs: the generated pages are up to date, and what the written ones show works.

use std::fs;
use std::path::Path;

use evenkeel::docs;

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_generated_pages_are_as_the_code_says() {
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    let mut stale = Vec::new();
    for (path, text) in docs::pages() {
        let file = package().join(&path);
        if fs::read_to_string(&file).is_ok_and(|found| found == text) {
            continue;
        }
        if update {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
        } else {
            stale.push(path);
        }
    }
    assert!(
        stale.is_empty(),
        "stale: {stale:?}; run `UPDATE_DOCS=1 cargo test --test main docs` and commit them"
    );
}

#[test]
fn no_generated_page_is_left_over() {
    let pages = docs::pages();
    for entry in fs::read_dir(package().join("docs/reference")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("docs/reference/{name}");
        assert!(
            pages.contains_key(&path),
            "{path} is no page any more: delete it"
        );
    }
}
