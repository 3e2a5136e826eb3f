//! How long a page waits for a refresh.

use std::time::Duration;

use browsers::say;

use crate::{BOUND, REFRESH, stage::Stage};

const ROUNDS: usize = 60;

/// Tells the medians: of a request that waits for a refresh and of one that does not, as the page sees them, and of what
/// the server takes to answer a refresh.
#[tokio::test]
#[ignore = "a measurement, for a quiet machine"]
async fn how_long_a_page_waits_for_a_refresh() {
    let Some(mut stage) = Stage::begin("how_long_a_page_waits_for_a_refresh").await else {
        return;
    };
    stage.bound().await;
    let (mut waits, mut goes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        goes.push(timed(&mut stage).await);
        stage.browser.delete_cookie(BOUND).await;
        waits.push(timed(&mut stage).await);
    }
    let refreshes = stage.answered(REFRESH);
    assert_eq!(stage.refreshes(), [200; ROUNDS]);
    let served = refreshes.iter().map(|seen| millis(seen.took)).collect();
    let (waits, goes, served) = (median(waits), median(goes), median(served));
    say(&format!(
        "of {ROUNDS} each, medians: with a refresh {waits:.1} ms, without {goes:.1} ms; \
         the server answers a refresh in {served:.2} ms"
    ));
    stage.end().await;
}

/// How long the page waits for an answer.
async fn timed(stage: &mut Stage) -> f64 {
    let script = "const begin = performance.now();
        return fetch('/whoami').then(a => a.text()).then(() => performance.now() - begin)";
    stage.browser.run(script).await.as_f64().unwrap()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
