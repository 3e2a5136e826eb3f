//! What the simulator says where arithmetic says it too.

use std::time::Duration;

use scale::{Network, Outage, Setup, run};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn small() -> Setup {
    Setup {
        sessions: 2_000,
        ..Setup::small()
    }
}

#[track_caller]
fn assert_close(what: &str, found: f64, wanted: f64, within: f64) {
    let ratio = found / wanted;
    assert!((ratio - 1.0).abs() <= within, "{what}: {found}, {wanted}");
}

#[test]
fn one_setup_has_one_outcome() {
    let outage = Outage {
        at: seconds(20),
        length: seconds(3),
        logged_out: 0.5,
    };
    let setup = Setup {
        waiting: 0.3,
        until: seconds(60),
        ..small().with_outage(outage)
    };
    let outcome = run(&setup);
    assert!(outcome.logins > 0 && outcome.questions > 0 && outcome.reads_past > 0);
    assert!(outcome == run(&setup));
    let another = Setup { seed: 2, ..setup };
    assert!(outcome != run(&another));
}

/// 3 / Δ from each node.
#[test]
fn a_primary_has_a_fence_of_each_node_in_a_third_of_the_lease() {
    for (nodes, millis) in [(1, 250), (10, 1_000), (200, 100)] {
        let setup = Setup {
            nodes: 1,
            other_nodes: nodes - 1,
            lease: Duration::from_millis(millis),
            network: Network::IDLE,
            until: seconds(60),
            ..small()
        };
        let wanted = nodes as f64 * 60.0 * 3_000.0 / millis as f64;
        assert_close("fences", run(&setup).fences as f64, wanted, 0.02);
    }
}

/// One miss from one touch to the next, in which come k requests within the interval and the one that touches.
#[test]
fn copies_answer_as_often_as_touches_let_them() {
    for per_minute in [1, 6, 20] {
        let setup = Setup {
            sessions: 1_000,
            request_every: seconds(60) / per_minute,
            until: seconds(200),
            ..small()
        };
        let until = seconds(600);
        let (first, both) = (run(&setup), run(&Setup { until, ..setup }));
        let k = f64::from(per_minute);
        let hits = (both.hits - first.hits) as f64;
        let found = hits / (both.requests - first.requests) as f64;
        assert_close("hit ratio", found, k / (k + 1.0), 0.03);
    }
}

/// A lease lapses where the slowest answer to a fence takes longer than two thirds of it.
#[test]
fn leases_lapse_as_often_as_the_slowest_primary_is_late() {
    let lease = Duration::from_millis(100);
    let network = Network {
        longest: seconds(1),
        ..Network::IDLE
    };
    let setup = Setup {
        nodes: 1,
        other_nodes: 99,
        primaries: 43,
        lease,
        network,
        sessions: 1,
        until: seconds(250),
        ..small()
    };
    let outcome = run(&setup);
    let one = network.share_beyond(lease * 2 / 3);
    let any = 1.0 - (1.0 - one).powi(43);
    let found = outcome.lapses as f64 / outcome.fences as f64;
    assert_close("lapses", found, any, 0.1);
}
