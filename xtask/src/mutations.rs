//! `cargo xtask mutations`: deliberate faults, each of which the model test has to find.
//!
//! Every fault is put into a copy of the workspace, never into the workspace itself, and the model runs on
//! it until it finds something or its minute is over.

use std::{fs, path::Path, process::Command, time::Instant};

use anyhow::{Context, Result, bail};

use crate::{
    shell::{complain, say},
    workspace,
};

/// A fault: what is said in a file, and what it is made to say.
struct Mutation {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

/// How long the model may take to find a fault, in minutes.
const PATIENCE: &str = "1";

const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "glare: both sides believe that they have won",
        file: "crates/signaling/src/calls/glare.rs",
        from: "(Some(ours), Some(theirs)) => ours < theirs,",
        to: "(Some(_), Some(_)) => true,",
    },
    Mutation {
        name: "glare: who gives way does not take its own call back",
        file: "crates/signaling/src/calls/glare.rs",
        from: "self.by_key.remove(&key);",
        to: "let _ = key;",
    },
    Mutation {
        name: "busy: who calls is not told",
        file: "crates/signaling/src/calls/busy.rs",
        from: "return self.farewells.say(hangup, from, Some(user), true, ctx.now, ctx.out);",
        to: "return drop((hangup, user));",
    },
    Mutation {
        name: "candidates are applied before their description",
        file: "crates/signaling/src/calls/candidates.rs",
        from: "Description::Pending => {",
        to: "Description::Pending if MAX_HELD > 0 => Some(candidate),\n            Description::Pending => {",
    },
    Mutation {
        name: "what a peer connection of the past reports counts",
        file: "crates/signaling/src/calls/engine.rs",
        from: "self.open && generation == Generation(self.generation)",
        to: "self.open && generation <= Generation(self.generation)",
    },
    Mutation {
        name: "the peer is not told of a hang-up",
        file: "crates/signaling/src/calls/ending.rs",
        from: "if tells && self.peer_has_heard_of_it() {",
        to: "if tells && self.peer_has_heard_of_it() && self.is_ringing() {",
    },
    Mutation {
        name: "an engine is not closed with its call",
        file: "crates/signaling/src/calls/ending.rs",
        from: "self.close_engine(ctx);",
        to: "",
    },
    Mutation {
        name: "a call that has ended stays in a table",
        file: "crates/signaling/src/calls/mod.rs",
        from: "        self.by_peer.remove(&call.peer);\n        if let Some(key) = call.key {\n            self.by_key.remove(&key);",
        to: "        self.by_peer.remove(&call.peer);\n        if let Some(key) = call.key {\n            let _ = key;",
    },
    Mutation {
        name: "what comes twice is taken twice",
        file: "crates/signaling/src/calls/delivery.rs",
        from: "        next || last\n    }",
        to: "        next || last || seq <= self.received\n    }",
    },
    Mutation {
        name: "what is not acknowledged is not sent again",
        file: "crates/signaling/src/calls/delivery.rs",
        from: "if self.unacknowledged.is_empty() || self.peer == Peer::DoesNot {",
        to: "if true {",
    },
    Mutation {
        name: "a collision of offers: the polite side does not take its own back",
        file: "crates/signaling/src/calls/negotiation.rs",
        from: "                    self.take_offer_back(ctx);\n                    self.accept_offer(offer, ctx);",
        to: "                    self.accept_offer(offer, ctx);",
    },
    Mutation {
        name: "a collision of offers: neither side is polite",
        file: "crates/signaling/src/calls/negotiation.rs",
        from: "if self.role == Role::Callee {",
        to: "if self.role == Role::Callee && self.is_ringing() {",
    },
    Mutation {
        name: "a wrong reason: who declines says that it was cancelled",
        file: "crates/signaling/src/calls/ending.rs",
        from: "Phase::Ringing { .. } => EndReason::Declined,",
        to: "Phase::Ringing { .. } => EndReason::Cancelled,",
    },
    Mutation {
        name: "a call that was taken back rings on",
        file: "crates/signaling/src/calls/content.rs",
        from: "Phase::Preparing => Flow::Continue(()),",
        to: "Phase::Preparing | Phase::Ringing { .. } => Flow::Continue(()),",
    },
    Mutation {
        name: "a call rings for half of its time",
        file: "crates/signaling/src/calls/ringing.rs",
        from: "Some(ctx.now + ctx.config.ring_time())",
        to: "Some(ctx.now + ctx.config.ring_time() / 2)",
    },
    Mutation {
        name: "a second call rings although the application wants none",
        file: "crates/signaling/src/calls/busy.rs",
        from: "BusyPolicy::Reject => !self.calls.is_empty(),",
        to: "BusyPolicy::Reject => false,",
    },
    Mutation {
        name: "Skapi's client is told what only ours know",
        file: "crates/signaling/src/calls/ringing.rs",
        from: "if call.peer_can(&Capability::Ringing) {",
        to: "if true {",
    },
    Mutation {
        name: "Skapi's client: its answer to the offer of an earlier call is taken for one to ours",
        file: "crates/signaling/src/calls/leftovers.rs",
        from: "!self.0.is_empty()",
        to: "false",
    },
    Mutation {
        name: "resuming: a client goes on in a life whose beginning it has missed",
        file: "crates/server/src/hub/resume.rs",
        from: "&& kept.life == life",
        to: "&& (kept.life == life || kept.life > 0)",
    },
    Mutation {
        name: "resuming: the client sends again what the service has taken",
        file: "crates/signaling/src/resume.rs",
        from: "self.kept.drain(..taken);",
        to: "let _ = taken;",
    },
    Mutation {
        name: "resuming: the client forgets what the service has not taken",
        file: "crates/signaling/src/resume.rs",
        from: "self.kept.drain(..taken);",
        to: "let _ = taken; self.kept.clear();",
    },
    Mutation {
        name: "resuming: the service does not count what it has taken",
        file: "crates/server/src/hub/resume.rs",
        from: "kept.taken += 1;",
        to: "kept.taken += 0;",
    },
    Mutation {
        name: "resuming: one of the frames that were missed is left out",
        file: "crates/server/src/hub/retained.rs",
        from: "let skipped = received.checked_sub(self.before)?;",
        to: "let skipped = (received + 1).min(self.last()).checked_sub(self.before)?;",
    },
    Mutation {
        name: "resuming: a window never ends",
        file: "crates/server/src/hub/resume.rs",
        from: "(*until <= now).then(|| cid.clone())",
        to: "(*until <= now && false).then(|| cid.clone())",
    },
];

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(option) = args.iter().find(|arg| arg.starts_with('-')) {
        bail!("`{option}` is not understood; see `cargo xtask help`");
    }
    let wanted = |mutation: &&Mutation| {
        args.is_empty() || args.iter().any(|arg| mutation.name.contains(arg.as_str()))
    };
    let chosen: Vec<_> = MUTATIONS.iter().filter(wanted).collect();
    if chosen.is_empty() {
        bail!("no fault has a name that contains what was asked for");
    }
    let target = workspace::metadata()?.target_directory;
    let folder = target.join("mutations");
    let copy = folder.join("workspace");
    copy_workspace(copy.as_std_path())?;
    let build = folder.join("target");
    if !model_holds(copy.as_std_path(), build.as_std_path())? {
        bail!("the model finds a fault where none was put in; see `cargo xtask soak`");
    }
    let mut missed = Vec::new();
    for mutation in chosen {
        let file = copy.join(mutation.file);
        let source = fs::read_to_string(&file)?;
        fs::write(&file, mutation.apply(&source)?)?;
        let start = Instant::now();
        let holds = model_holds(copy.as_std_path(), build.as_std_path());
        fs::write(&file, source)?;
        let verdict = if holds? { "MISSED" } else { "found" };
        say(&format!("{verdict} after {:.0?}: {}", start.elapsed(), mutation.name));
        if verdict == "MISSED" {
            missed.push(mutation.name);
        }
    }
    if !missed.is_empty() {
        bail!("the model did not find: {}", missed.join("; "));
    }
    Ok(())
}

impl Mutation {
    fn apply(&self, source: &str) -> Result<String> {
        if source.matches(self.from).count() != 1 {
            bail!(
                "{}: the place of the fault \"{}\" is not there once; adapt it in xtask/src/mutations.rs",
                self.file,
                self.name
            );
        }
        Ok(source.replace(self.from, self.to))
    }
}

/// What is under version control, without the fuzzer's own workspace.
fn copy_workspace(to: &Path) -> Result<()> {
    let root = workspace::root();
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .context("git could not be started")?;
    if !output.status.success() {
        bail!("git could not list the files of the workspace");
    }
    let _ = fs::remove_dir_all(to);
    for name in String::from_utf8_lossy(&output.stdout).split('\0').filter(|name| !name.is_empty())
    {
        let (from, to) = (Path::new(&root).join(name), to.join(name));
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap_or(&to))?;
            fs::copy(&from, &to).with_context(|| format!("{} cannot be copied", from.display()))?;
        }
    }
    Ok(())
}

/// Builds the copy and lets the model run on it; a copy that does not build is an error.
fn model_holds(copy: &Path, target: &Path) -> Result<bool> {
    let mut build = cargo(copy, target);
    build.args(["build", "--quiet", "--example", "soak"]).args(PACKAGE);
    if !build.status()?.success() {
        bail!("the copy of the workspace in {} does not build", copy.display());
    }
    let mut soak = cargo(copy, target);
    soak.args(["run", "--quiet", "--example", "soak"]).args(PACKAGE);
    soak.args(["--", "--first", "0", "--minutes", PATIENCE]);
    let output = soak.output()?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => bail!("the model did not run: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

const PACKAGE: [&str; 4] = ["--package", "skapi-rtc-testkit", "--features", "hub"];

fn cargo(folder: &Path, target: &Path) -> Command {
    complain(&format!("$ cargo … in {}", folder.display()));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What is put in may leave something unused, which is not what is looked for.
    command.current_dir(folder).env("CARGO_TARGET_DIR", target).env("RUSTFLAGS", "-Awarnings");
    // Five times as many seeds in the minute, for a few seconds more of building.
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_place() {
        assert!(MUTATIONS.len() >= 10);
        for mutation in MUTATIONS {
            let source = fs::read_to_string(workspace::root().join(mutation.file));
            let mutated = mutation.apply(&source.expect("a file of the workspace"));
            mutated.expect("the place is there");
        }
    }
}
