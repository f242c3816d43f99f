//! Run: the controller as a process, with its folder, its drift, its pages and its end.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use evenkeel::clock::Clock;
use evenkeel::twin::faults::Fault;
use rustix::process::Signal;

use crate::process::estate::{SHOP, count, shop};
use crate::process::{Bench, LIMIT, Running, until};

/// How soon a save must have converged: two seconds are promised, on a machine that does nothing
/// else; this one may be running every other test.
const SOON: Duration = Duration::from_secs(10);

const CART: &str = "apiVersion: evenkeel/v1alpha1\nkind: Table\n\
                    metadata: {app: cart, name: carts}\n\
                    spec: {tableName: carts, deletionProtection: false}\n";

/// A controller over the shop, with `documents` in its folder.
struct Controller {
    bench: Bench,
    process: Running,
    pages: SocketAddr,
}

impl Controller {
    fn start(documents: &str, interval: &str) -> Self {
        let bench = Bench::new(shop);
        bench.save("desired-state/shop.yaml", documents);
        // Let go at once: whoever takes it in between makes the controller end with an error.
        let pages = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap();
        let listen = pages.to_string();
        let words = ["run", "--interval", interval, "--listen", &listen];
        let process = Running::start(bench.evenkeel(words));
        Self {
            bench,
            process,
            pages,
        }
    }

    /// Status line and body of a page, once there is somebody to answer.
    fn page(&mut self, path: &str) -> String {
        let (pages, process) = (self.pages, &mut self.process);
        until("the pages are served", LIMIT, || {
            assert!(process.runs(), "{}", process.so_far());
            let mut socket = TcpStream::connect(pages).ok()?;
            let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
            socket.write_all(request.as_bytes()).ok()?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).ok()?;
            Some(answer)
        })
    }

    fn until_ready(&mut self) {
        until("the controller is ready", LIMIT, || {
            self.page("/readyz")
                .starts_with("HTTP/1.1 200")
                .then_some(())
        });
    }

    fn count(&self) -> i64 {
        let web = |w: &mut evenkeel::twin::World| w.service("main", "web").unwrap().desired;
        self.bench.twin.world(web)
    }

    fn until_count(&mut self, wanted: i64, limit: Duration) {
        let clock = Clock::system();
        let began = clock.boot();
        while self.count() != wanted {
            assert!(clock.boot() - began < limit, "{}", self.process.so_far());
            assert!(self.process.runs(), "{}", self.process.so_far());
            std::thread::yield_now();
        }
    }

    /// How many looks at the table it has taken.
    fn looks(&self) -> usize {
        let looks = |w: &mut evenkeel::twin::World| w.calls.of("dynamodb.DescribeTable").count();
        self.bench.twin.world(looks)
    }

    /// Waits for that many more looks.
    fn until_looks(&mut self, more: usize) {
        let wanted = self.looks() + more;
        until("it looks again", LIMIT, || {
            assert!(self.process.runs(), "{}", self.process.so_far());
            (self.looks() >= wanted).then_some(())
        });
    }
}

#[test]
fn a_save_converges_soon_and_long_before_the_next_look_is_due() {
    let mut controller = Controller::start(&count(2), "60m");
    controller.until_ready();
    controller.bench.save("desired-state/shop.yaml", &count(3));
    controller.until_count(3, SOON);
}

#[test]
fn a_half_written_file_writes_nothing_until_it_is_whole() {
    let mut controller = Controller::start(&count(2), "1s");
    controller.until_ready();
    // Another application, whose looks tell that it goes on; the half-written one is frozen.
    controller.bench.save("desired-state/cart.yaml", CART);
    let whole = count(3);
    let path = controller.bench.folder().join("desired-state/shop.yaml");
    // In place, as `cat >` does, and cut in the middle of the key.
    std::fs::write(&path, &whole[..whole.len() - "unt: 3}\n".len()]).unwrap();
    controller.until_looks(3);
    assert_eq!(controller.bench.writes(), 0);
    std::fs::write(&path, whole).unwrap();
    controller.until_count(3, SOON);
}

#[test]
fn an_emptied_folder_writes_nothing() {
    let mut controller = Controller::start(&count(2), "1s");
    controller.until_ready();
    std::fs::remove_file(controller.bench.folder().join("desired-state/shop.yaml")).unwrap();
    controller
        .bench
        .twin
        .world(|w| w.set_desired_count("main", "web", 7).unwrap());
    // It goes on answering while it has nothing to look at.
    let page = controller.page("/healthz");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    controller.bench.save("desired-state/shop.yaml", &count(4));
    controller.until_count(4, SOON);
    let updates = |w: &mut evenkeel::twin::World| w.calls.of("ecs.UpdateService").count();
    // The one that brought it to 4, and none before.
    assert_eq!(controller.bench.twin.world(updates), 1);
}

#[test]
fn drift_made_behind_its_back_is_corrected_at_the_next_look() {
    let mut controller = Controller::start(&count(2), "1s");
    controller.until_ready();
    let interfere = |w: &mut evenkeel::twin::World| w.set_desired_count("main", "web", 5);
    controller.bench.twin.world(interfere).unwrap();
    controller.until_count(2, SOON);
}

#[test]
fn the_pages_tell_health_readiness_and_figures() {
    let mut controller = Controller::start(&count(2), "1s");
    controller.until_ready();
    let health = controller.page("/healthz");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    let metrics = controller.page("/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    // Whatever is counted says what it is.
    let mut counted = 0;
    for line in metrics.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            assert!(metrics.contains(&format!("# HELP {name} ")), "{metrics}");
            counted += 1;
        }
    }
    assert!(counted > 3, "{metrics}");
    let nothing = controller.page("/nothing");
    assert!(nothing.starts_with("HTTP/1.1 404"), "{nothing}");
}

#[test]
fn told_to_end_it_finishes_what_is_in_flight_and_leaves_no_lease() {
    let mut controller = Controller::start(SHOP, "1s");
    let write = "ecs.RegisterTaskDefinition";
    controller
        .bench
        .twin
        .world(|w| w.faults.next(write, Fault::Delay(Duration::from_secs(3))));
    until("it is in the middle of a write", LIMIT, || {
        assert!(controller.process.runs(), "{}", controller.process.so_far());
        controller
            .bench
            .calls()
            .iter()
            .any(|name| name == write)
            .then_some(())
    });
    controller.process.signal(Signal::TERM);
    let Controller { bench, process, .. } = controller;
    process.wait(LIMIT).expect(0);
    let leases = bench.run(["lock", "list", "--format", "json"]).expect(0);
    assert!(leases.out.contains("shop"), "{}", leases.all());
    assert!(leases.out.contains("\"Released\""), "{}", leases.all());
    assert!(!leases.out.contains("\"Held\""), "{}", leases.all());
    bench.run(["history", "--verify"]).expect(0);
    // What it began is whole: the revision is registered and known, never registered again.
    bench.run(["apply", "--yes"]).expect(0);
    let registered = |w: &mut evenkeel::twin::World| w.calls.of(write).count();
    assert_eq!(bench.twin.world(registered), 1);
}
