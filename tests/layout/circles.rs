//! [`circles`]: the circles in which files import each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::imports::Imports;

/// The shortest circle of each strongly connected component, in words.
pub(crate) fn circles(imports: &Imports) -> Vec<String> {
    let reached: BTreeMap<_, _> = imports
        .keys()
        .map(|file| (&**file, reached_from(file, imports)))
        .collect();
    let mut told = BTreeSet::new();
    let mut circles = Vec::new();
    for (file, from_here) in &reached {
        if !from_here.contains(file) || told.contains(file) {
            continue;
        }
        let leads_back = |other: &&str| reached.get(other).is_some_and(|all| all.contains(file));
        let knot: Vec<_> = from_here.iter().copied().filter(leads_back).collect();
        let ways = knot.iter().map(|file| shortest_circle(file, imports));
        circles.extend(ways.min_by_key(Vec::len).map(|way| describe(&way, imports)));
        told.extend(knot);
    }
    circles
}

fn imported_by<'a>(file: &str, imports: &'a Imports) -> impl Iterator<Item = &'a str> {
    let of_file = imports.get(file).into_iter();
    of_file.flat_map(|to| to.keys().map(String::as_str))
}

fn reached_from<'a>(file: &str, imports: &'a Imports) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<_> = imported_by(file, imports).collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(imported_by(file, imports));
        }
    }
    reached
}

/// The files of the shortest way from a file that is in a circle back to it.
fn shortest_circle<'a>(file: &'a str, imports: &'a Imports) -> Vec<&'a str> {
    let mut before = BTreeMap::new();
    let mut next = VecDeque::from([file]);
    while let Some(at) = next.pop_front() {
        for to in imported_by(at, imports) {
            if before.contains_key(to) {
                continue;
            }
            before.insert(to, at);
            next.push_back(to);
        }
    }
    let mut way = vec![file];
    let mut at = before[file];
    while at != file {
        way.push(at);
        at = before[at];
    }
    way.reverse();
    way.rotate_right(1);
    way
}

/// A line for each import of a circle.
fn describe(way: &[&str], imports: &Imports) -> String {
    let mut lines = vec!["a circle of imports:".to_owned()];
    for (at, from) in way.iter().enumerate() {
        let to = way[(at + 1) % way.len()];
        lines.push(format!("  {from} imports {} from {to}", imports[*from][to]));
    }
    lines.join("\n")
}
