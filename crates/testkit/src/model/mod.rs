//! The model test: machines and the hub in virtual time, whatever their users and the world do to them.
//!
//! [`check`] runs one [`Script`]; a run that breaks a rule gives the [`Failure`], with everything that
//! happened. [`shrink`] finds the shortest script that breaks one.

mod checks;
mod faults;
mod history;
mod mixed;
mod reference;
mod run;
mod script;
mod shrink;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

pub use run::Seen;
pub use script::{Deed, MAX_STEPS, Script, Setting, Step};
pub use shrink::shrink;

use run::Run;

/// A rule that was broken.
#[derive(Debug)]
pub struct Failure {
    /// The script that broke it.
    pub script: Script,
    /// Which rule, and how.
    pub what: String,
    /// Everything that happened, in order.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.trace.join("\n"))?;
        write!(f, "\nbroken: {}\nscript: {}", self.what, self.script)
    }
}

/// Runs a script and checks every rule, at each step and at the end.
///
/// # Errors
/// The first rule that was broken, with what happened until then.
pub fn check(script: &Script) -> Result<Seen, Box<Failure>> {
    match guarded(&mut Run::new(script, false)) {
        Ok(seen) => Ok(seen),
        Err(what) => {
            // Once more, to write down what happens.
            let mut run = Run::new(script, true);
            let what = guarded(&mut run).err().unwrap_or(what);
            Err(Box::new(Failure { script: script.clone(), what, trace: run.into_trace() }))
        }
    }
}

/// Each script that once broke a rule, with what that was: `tests/regressions.txt`.
///
/// # Panics
/// If a line of that file is not `name: bytes in hexadecimal`.
pub fn regressions() -> impl Iterator<Item = (&'static str, Script)> {
    let lines = include_str!("../../tests/regressions.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let script = line.rsplit_once(": ");
        let script = script.and_then(|(name, hex)| Some((name, Script::from_hex(hex)?)));
        script.unwrap_or_else(|| panic!("no name and script: `{line}`"))
    })
}

/// The shortest script that breaks a rule, from one that does.
pub fn shortest(script: &Script) -> Script {
    shrink(script, |script| guarded(&mut Run::new(script, false)).is_err())
}

fn guarded(run: &mut Run) -> Result<Seen, String> {
    match catch_unwind(AssertUnwindSafe(|| run.go())) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("panicked: {}", text.unwrap_or("without a word")))
        }
    }
}
