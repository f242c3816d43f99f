//! Applications: both of them as the demo finds them, put in order by the real binary.

use std::path::Path;

use evenkeel::demo::estate;

use crate::process::{Bench, LIMIT, Running};

fn bench() -> Bench {
    let bench = Bench::new(|w| estate::out_of_order(w).unwrap());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("desired-state");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        bench.save(&format!("desired-state/{name}"), &text);
    }
    bench
}

#[test]
fn both_are_shown_converged_recorded_and_then_left_alone() {
    let bench = bench();
    let check = Running::start(bench.unpointed(["check"]));
    check.wait(LIMIT).expect(0);
    assert_eq!(bench.calls(), Vec::<String>::new());
    let plan = bench.run(["plan"]).expect(2);
    for app in ["personal-journal", "semiont"] {
        assert!(plan.out.contains(app), "{}", plan.all());
    }
    assert_eq!(bench.writes(), 0);
    bench.run(["apply", "--yes"]).expect(0);
    let written = bench.writes();
    assert!(written > 12, "{written}");
    bench.run(["plan"]).expect(0);
    bench.run(["apply", "--yes"]).expect(0);
    assert_eq!(bench.writes(), written);
    bench.run(["history", "--verify"]).expect(0);
    let status = bench.run(["status"]).expect(0);
    assert!(status.out.contains("semiont"), "{}", status.all());
    // What no document names is as it was.
    let calls = bench.twin.world(|w| {
        let inputs = w.calls.writes().map(|c| c.input.to_string());
        inputs.collect::<String>()
    });
    assert!(!calls.contains(estate::UNMANAGED_SERVICE));
    assert!(!calls.contains(estate::UNMANAGED_ALARM));
}
