//! Tables of the measurements that are not of whole stacks.

use std::fmt::Write;

use serde_json::Value;

use super::grouped;

/// Loads from the store in memory, and from a plain map beside it.
#[must_use]
pub fn scaling(report: &Value) -> String {
    let mut text = String::from(
        "| sessions | threads | ns a load | throughput × one thread | plain map, ns | plain map, × one thread |\n\
         |---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows(report, "reads") {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.2} | {} | {:.2} |",
            grouped(number(&row["sessions"])),
            number(&row["threads"]),
            spread(&row["ns"]),
            number(&row["speedup"]),
            spread(&row["plain"]),
            number(&row["plain_speedup"]),
        );
    }
    let _ = write!(
        text,
        "\n{} bytes of memory a session.",
        grouped(number(&report["bytes_per_session"]))
    );
    for row in rows(report, "end_all") {
        let _ = write!(
            text,
            " Ending {} sessions of one subject among {}: {} µs.",
            grouped(number(&row["sessions"])),
            grouped(number(&row["among"])),
            grouped(number(&row["microseconds"]))
        );
    }
    let expiry = &report["expiry"];
    let _ = writeln!(
        text,
        " A login takes {} ns beside {} live sessions, and {} ns while it clears expired ones away; {} logins clear all.",
        grouped(number(&expiry["login_before"])),
        grouped(number(&expiry["sessions"])),
        grouped(number(&expiry["login_after"])),
        grouped(number(&expiry["logins_until_clear"])),
    );
    text
}

/// Servers under load. Behind ± stands the standard error of the median.
#[must_use]
pub fn wire(report: &Value) -> String {
    let mut text = String::from(
        "| server | stack | µs a request without | with | loss, % |\n|---|---|---:|---:|---:|\n",
    );
    let turns = number(&report["processes"]) * number(&report["turns"]);
    for row in rows(report, "rows") {
        let loss = &row["processor_loss_percent"];
        // As of a normal distribution.
        let error = 1.86 * number(&loss["mad"]) / turns.sqrt();
        let micros = |which: &str| number(&row[which]["median"]) / 1000.0;
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} | {:.1} | {:.1} ± {:.1} |",
            word(&row["front"]),
            word(&row["stack"]),
            micros("processor_without"),
            micros("processor_with"),
            number(&loss["median"]),
            error,
        );
    }
    text
}

/// The parts of a request.
#[must_use]
pub fn parts(report: &Value) -> String {
    let mut text = String::from("| part | ns |\n|---|---:|\n");
    for (name, ns) in report["nanoseconds"].as_object().into_iter().flatten() {
        let _ = writeln!(text, "| {name} | {} |", spread(ns));
    }
    text
}

fn rows<'a>(report: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    report[name].as_array().into_iter().flatten()
}

fn spread(value: &Value) -> String {
    let (median, mad) = (number(&value["median"]), number(&value["mad"]));
    format!("{} ± {}", grouped(median), grouped(mad))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
