//! Draws `docs/performance.svg` and fills the tables of `docs/performance.md` from `results/`.
//!
//! Run with `cargo run --release --manifest-path benches/Cargo.toml --bin plot`. `--smoke` writes nothing
//! and fails when the page does not show what the results say.

use std::fs;
use std::process::ExitCode;

use serde_json::Value;
use session_guard_benches::args::{Args, here};
use session_guard_benches::plot;
use session_guard_benches::report::{Heap, Run, read};

fn main() -> ExitCode {
    let args = Args::read();
    let run: Run = read(&here("results/middleware.json")).expect("middleware has been run");
    let software: Run =
        read(&here("results/middleware-software.json")).expect("it has been run so, too");
    let heap: Heap = read(&here("results/allocations.json")).expect("allocations has been run");

    let report = |name: &str| -> Value {
        read(&here(name)).unwrap_or_else(|| panic!("{name}: has not been run"))
    };

    let page_path = here("../docs/performance.md");
    let page = fs::read_to_string(&page_path).expect("the page");
    let mut filled = page.clone();
    for (name, text) in [
        ("machine", plot::machine(&run)),
        ("times", plot::times(&run)),
        ("allocations", plot::allocations(&run, &heap)),
        ("ratios", plot::ratios(&run)),
        ("software times", plot::times(&software)),
        ("software ratios", plot::ratios(&software)),
        ("scaling", plot::scaling(&report("results/scaling.json"))),
        ("wire", plot::wire(&report("results/wire.json"))),
        ("parts", plot::parts(&report("results/micro.json"))),
    ] {
        filled = plot::put(&filled, name, &text);
    }

    let picture_path = here("../docs/performance.svg");
    let picture = plot::draw(&run, &heap);
    if args.smoke {
        let same = filled == page && fs::read_to_string(&picture_path).is_ok_and(|p| p == picture);
        if !same {
            eprintln!("docs/performance.* are not what results/ say: run `plot`");
        }
        return if same {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    fs::write(&picture_path, picture).expect("the picture");
    fs::write(&page_path, filled).expect("the page");
    ExitCode::SUCCESS
}
