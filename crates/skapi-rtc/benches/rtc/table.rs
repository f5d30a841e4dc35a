//! What was measured, beside what was to be reached.

/// A figure that somebody waits for.
pub(crate) struct Goal {
    what: String,
    value: f64,
    bound: Bound,
}

/// What a figure has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "at most  {bound:>7.2}"),
            Self::AtLeast(bound) => write!(f, "at least {bound:>7.2}"),
        }
    }
}

/// Every figure that somebody waits for.
#[derive(Default)]
pub(crate) struct Goals(Vec<Goal>);

impl Goals {
    /// Notes a figure, unless it could not be measured.
    pub(crate) fn add(&mut self, what: impl Into<String>, value: Option<f64>, bound: Bound) {
        let what = what.into();
        match value {
            Some(value) => self.0.push(Goal { what, value, bound }),
            None => self.0.push(Goal { what, value: f64::NAN, bound }),
        }
    }

    #[expect(clippy::print_stdout, reason = "a bench has nothing else to say it with")]
    pub(crate) fn print(&self) {
        println!("\n{:<58} {:>9}   goal", "goals", "measured");
        for Goal { what, value, bound } in &self.0 {
            let verdict = match value {
                value if value.is_nan() => "not measured",
                value if bound.holds(*value) => "reached",
                _ => "MISSED",
            };
            println!("{what:<58} {value:>9.2}   {bound}   {verdict}");
        }
    }
}

/// A line of the table: one figure of every subject.
#[expect(clippy::print_stdout, reason = "a bench has nothing else to say it with")]
pub(crate) fn row(what: &str, figures: &[Option<f64>]) {
    let figures: Vec<_> = figures
        .iter()
        .map(|figure| figure.map_or_else(|| format!("{:>16}", "–"), |it| format!("{it:>16.1}")))
        .collect();
    println!("{what:<30}{}", figures.join(""));
}

#[expect(clippy::print_stdout, reason = "a bench has nothing else to say it with")]
pub(crate) fn head(names: &[&str]) {
    let names: Vec<_> = names.iter().map(|name| format!("{name:>16}")).collect();
    println!("{:<30}{}", "", names.join(""));
}
