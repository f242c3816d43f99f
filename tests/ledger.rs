//! Ledger: what `history` and `lock` say of a store that was tampered with, or released by hand.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::process::estate::{count, shop};
use crate::process::{Bench, Ended};

const TABLE: &str = "evenkeel";
const CART: &str = "---\napiVersion: evenkeel/v1alpha1\nkind: Table\n\
                    metadata: {app: cart, name: carts}\n\
                    spec: {tableName: carts, deletionProtection: true}\n";

type Row = HashMap<String, AttributeValue>;

/// Two apps that were written once: `shop` and `cart`.
fn written() -> Bench {
    let bench = Bench::new(shop);
    bench.save("desired-state/shop.yaml", &(count(3) + CART));
    bench.run(["apply", "--yes"]).expect(0);
    bench
}

fn words(ended: &Ended) -> String {
    ended.all().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rows of `app`, or of the list of apps, whose sort key begins with `sk`.
fn rows(bench: &Bench, app: Option<&str>, sk: &str) -> Vec<Row> {
    let items = bench.rows(async |client| client.scan().table_name(TABLE).send().await);
    let has = |row: &Row, name: &str, test: &dyn Fn(&str) -> bool| {
        row.get(name)
            .and_then(|v| v.as_s().ok())
            .is_some_and(|v| test(v))
    };
    items
        .unwrap()
        .items
        .unwrap()
        .into_iter()
        .filter(|row| {
            has(row, "sk", &|v| v.starts_with(sk))
                && has(row, "pk", &|v| match app {
                    Some(app) => v.ends_with(&format!("#{app}")),
                    None => v.matches('#').count() == 1,
                })
        })
        .collect()
}

fn put(bench: &Bench, row: Row) {
    let put = async |client: aws_sdk_dynamodb::Client| {
        let put = client.put_item().table_name(TABLE).set_item(Some(row));
        put.send().await
    };
    bench.rows(put).unwrap();
}

fn delete(bench: &Bench, row: &Row) {
    let delete = async |client: aws_sdk_dynamodb::Client| {
        let delete = client.delete_item().table_name(TABLE);
        let delete = delete.key("pk", row["pk"].clone());
        delete.key("sk", row["sk"].clone()).send().await
    };
    bench.rows(delete).unwrap();
}

#[test]
fn a_row_that_cannot_be_read_hides_no_other_app() {
    let bench = written();
    for sk in ["ENTRY#", "HEAD"] {
        let row = rows(&bench, Some("shop"), sk).remove(0);
        let mut spoilt = row.clone();
        for name in ["body", "hash"] {
            spoilt.insert(name.into(), AttributeValue::Bool(true));
        }
        put(&bench, spoilt);
        let list = bench.run(["history"]).expect(1);
        assert!(list.out.contains("cart/Table/carts"), "{}", list.all());
        assert!(list.out.contains("unreadable"), "{}", list.all());
        assert!(words(&list).contains("#shop /"), "{}", list.all());
        let verified = bench.run(["history", "--verify"]).expect(1);
        assert!(words(&verified).contains("#shop /"), "{}", verified.all());
        bench
            .run(["history", "--verify", "--app", "cart"])
            .expect(0);
        put(&bench, row);
    }
    bench.run(["history", "--verify"]).expect(0);
}

#[test]
fn a_chain_with_another_apps_entries_or_without_its_head_is_not_whole() {
    let bench = written();
    let head = rows(&bench, Some("shop"), "HEAD").remove(0);
    delete(&bench, &head);
    let verified = bench.run(["history", "--verify"]).expect(1);
    assert!(
        words(&verified).contains("shop: its row HEAD is gone"),
        "{}",
        verified.all()
    );
    assert!(
        verified.out.lines().all(|l| l.chars().count() <= 80),
        "{}",
        verified.out
    );
    // What would have been added to it is not, and says why.
    bench.save("desired-state/shop.yaml", &count(4));
    let ended = bench.run(["apply", "--yes"]).expect(1);
    assert!(words(&ended).contains("#shop / HEAD"), "{}", ended.all());
    put(&bench, head);
    bench.run(["apply", "--yes"]).expect(0);

    let of_cart = |sk| rows(&bench, Some("cart"), sk);
    let pk = rows(&bench, Some("shop"), "HEAD")[0]["pk"].clone();
    for old in rows(&bench, Some("shop"), "ENTRY#") {
        delete(&bench, &old);
    }
    for mut row in of_cart("ENTRY#").into_iter().chain(of_cart("HEAD")) {
        row.insert("pk".into(), pk.clone());
        put(&bench, row);
    }
    let verified = bench.run(["history", "--verify"]).expect(1);
    assert!(
        words(&verified).contains("entry 1 says that it is one of cart"),
        "{}",
        verified.all()
    );
}

#[test]
fn an_app_that_is_missing_from_the_list_of_apps_is_found_by_its_name() {
    let bench = written();
    for row in rows(&bench, None, "APP#shop") {
        delete(&bench, &row);
    }
    for scope in [["--app", "shop"], ["--target", "shop/Service/web"]] {
        let ended = bench.run(["history"].iter().chain(&scope)).expect(0);
        assert!(ended.out.contains("shop/Service/web"), "{}", ended.all());
    }
    bench
        .run(["lock", "release", "shop", "--reason", "to see"])
        .expect(0);
    let ended = bench
        .run(["lock", "release", "shpo", "--reason", "to see"])
        .expect(1);
    assert!(
        words(&ended).contains("has never been leased"),
        "{}",
        ended.all()
    );
}

#[test]
fn who_released_a_lease_and_why_is_told() {
    let bench = written();
    let reason = "the laptop of Kim is gone for good";
    bench
        .run(["lock", "release", "shop", "--reason", reason])
        .expect(0);
    for format in ["text", "json", "markdown"] {
        let list = bench.run(["lock", "list", "--format", format]).expect(0);
        assert!(words(&list).contains(reason), "{}", list.all());
        assert_eq!(words(&list).matches(reason).count(), 1, "{}", list.all());
        let history = bench.run(["history", "--format", format]).expect(0);
        assert!(words(&history).contains(reason), "{}", history.all());
        if format == "json" {
            let value: serde_json::Value = serde_json::from_str(&history.out).unwrap();
            assert_eq!(value["releases"][0]["reason"], reason);
            assert_eq!(value["late"], serde_json::json!([]));
        } else {
            assert!(
                words(&history).contains("outside the chain"),
                "{}",
                history.all()
            );
        }
    }
    // It is the newest, so it comes first; and it is no part of another app's history.
    let history = bench.run(["history", "--limit", "1"]).expect(0);
    assert!(words(&history).contains(reason), "{}", history.all());
    let history = bench.run(["history", "--app", "cart"]).expect(0);
    assert!(!words(&history).contains(reason), "{}", history.all());
}

#[test]
fn a_ledger_of_which_nothing_is_shown_is_not_told_as_empty() {
    let bench = written();
    let none = bench.run(["history", "--limit", "0"]).expect(0);
    assert!(
        words(&none).contains("4 records not shown"),
        "{}",
        none.all()
    );
    let none = bench.run(["history", "--since", "0s"]).expect(0);
    assert!(words(&none).contains("of 4 records"), "{}", none.all());
    // A report would add up what it has of that time with what stands now.
    let none = bench.run(["report", "--since", "0d"]).expect(1);
    assert!(
        none.err.contains("name an earlier moment"),
        "{}",
        none.all()
    );
    let none = bench.run(["history", "--app", "nope"]).expect(0);
    assert!(
        words(&none).contains("nothing was ever written here"),
        "{}",
        none.all()
    );
    let all = bench.run(["history", "--since", "24h ago"]).expect(0);
    assert!(all.out.contains("cart/Table/carts"), "{}", all.all());
}
