//! Every commit on the way of an order, a publish, a run and a terminate: a recorded walk tells them, then the
//! process is killed before and after each of them, and the walk that was begun must come to the same end.

mod sites;
mod walk;

use std::collections::BTreeSet;

use self::walk::Ground;
use crate::kill::books;

/// Walks recorded: what waits for a later turn of a loop shows in the second.
const RECORDED: usize = 2;
/// Walks made for one commit before it counts as missed: which of two loops comes first is chance.
const TRIES: usize = 8;
/// Platforms that are killed side by side.
const GROUNDS: usize = 2;

/// The commits that walks visit, told by a process that is left alone.
fn recorded() -> BTreeSet<String> {
    let mut ground = Ground::new();
    std::fs::write(sites::visits(ground.told()), "").unwrap();
    for number in 0..RECORDED {
        ground.walk(number);
    }
    assert_eq!(ground.deaths, 0, "nobody killed it");
    assert!(ground.souk.terminate());
    books::check(&ground.souk.data());
    let visited = sites::visited(ground.told());
    let mut table: Vec<_> = visited.iter().collect();
    table.sort();
    println!("commits of {RECORDED} walks:");
    for (line, count) in table {
        println!("{count:>5}  {line}");
    }
    visited.into_keys().collect()
}

#[test]
fn killed_before_and_after_every_commit_the_walk_comes_to_its_end() {
    let visited = recorded();
    let names: BTreeSet<_> =
        visited.iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    let written = sites::written();
    let missed: Vec<_> = written
        .iter()
        .filter(|site| !names.contains(*site) && sites::elsewhere(site).is_none() && !sites::by_chance(site))
        .collect();
    assert!(missed.is_empty(), "commits that no walk visits and nobody explains: {missed:?}");
    let unknown: Vec<_> = names.iter().filter(|site| !written.contains(*site)).collect();
    assert!(unknown.is_empty(), "commits that the sources do not name: {unknown:?}");

    let lines: Vec<String> = visited
        .into_iter()
        .filter(|line| sites::elsewhere(line.split(' ').next().unwrap()).is_none())
        .collect();
    let shares: Vec<Vec<&String>> =
        (0..GROUNDS).map(|share| lines.iter().skip(share).step_by(GROUNDS).collect()).collect();
    let outcome: Vec<Vec<(String, bool)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = shares.iter().map(|share| scope.spawn(move || killed_at(share))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut table: Vec<_> = outcome.into_iter().flatten().collect();
    table.sort();
    println!("killed at, and came to its end:");
    for (line, died) in &table {
        println!("{}  {line}", if *died { "killed" } else { "MISSED" });
    }
    let missed: Vec<_> = table.iter().filter(|(line, died)| !died && !sites::by_chance(line)).collect();
    assert!(missed.is_empty(), "the process never came to these: {missed:?}");
}

/// Walks once for each of the lines, the process ending itself there; says at which it did.
fn killed_at(lines: &[&String]) -> Vec<(String, bool)> {
    let mut ground = Ground::new();
    let mut table = Vec::new();
    let mut numbers = 0..;
    for line in lines {
        let before = ground.deaths;
        for number in numbers.by_ref().take(TRIES) {
            ground.die_at(line);
            ground.walk(number);
            ground.die_at("");
            if ground.deaths > before {
                break;
            }
        }
        table.push(((*line).clone(), ground.deaths > before));
    }
    assert!(ground.souk.terminate());
    books::check(&ground.souk.data());
    table
}
