//! Tests that could not run for want of a part, such as a browser.
//!
//! Such a test appends the line `<test>: <what is missing>` to the file that the environment variable
//! `SKAPI_RTC_SKIPS` names, and returns. Without the variable it panics: nobody would learn of the skip.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::workspace;

/// The variable that names the file.
pub(crate) const VARIABLE: &str = "SKAPI_RTC_SKIPS";

/// The file in which tests say that they were skipped.
pub(crate) struct SkipFile(PathBuf);

impl SkipFile {
    /// Begins an empty one.
    pub(crate) fn begin() -> Result<Self> {
        let folder = workspace::metadata()?.target_directory.join("xtask");
        fs::create_dir_all(&folder)?;
        let path = folder.join("skips.txt").into_std_path_buf();
        fs::write(&path, "").with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// One line for each skipped test.
    pub(crate) fn read(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(&self.0)?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}
