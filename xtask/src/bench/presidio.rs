//! The detector beside presidio-analyzer's pattern recognizers: quality on strangers' labelled texts, speed on the same prompts
//! in the same run, and how often ordinary text is taken for something.
//!
//! Presidio, its evaluator's templates and Faker come from PyPI into a virtual environment; the texts are made anew each time,
//! from one seed, in a folder below the target directory.

use std::path::PathBuf;
use std::process::Command;

use crate::context::Context;
use crate::{Result, cargo, tools};

/// The bench target that compares. It measures nothing by itself.
pub(super) const BENCH: &str = "against";

/// What the texts are made from.
const SEED: &str = "20261123";

/// The program that drives Presidio.
const PROGRAM: &str = include_str!("../../presidio/presidio.py");

/// Makes the texts, has both engines read them, prints what came of it.
pub(super) fn run(context: &Context, ordinary: &[PathBuf], release: bool) -> Result<()> {
    let python = tools::presidio_with_texts(context)
        .map_err(|missing| format!("{}: {}", missing.reason, missing.fix))?;
    let folder = context.target.join("presidio");
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
    let program = folder.join("presidio.py");
    std::fs::write(&program, PROGRAM).map_err(|e| format!("cannot write {}: {e}", program.display()))?;
    for command in [&["make"][..], &["run"]] {
        let seed = (command == ["make"]).then_some(SEED);
        cargo::run(Command::new(&python).arg(&program).args(command).arg(&folder).args(seed))?;
    }
    let mut arguments = vec!["bench", "--package", "bailiwick-pii", "--bench", BENCH];
    if !release {
        arguments.extend(["--profile", "dev"]);
    }
    arguments.push("--");
    let mut command = cargo::command(&context.root, &arguments);
    cargo::run(command.arg(&folder).args(ordinary))
}
