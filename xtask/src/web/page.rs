//! The page that runs on our client: the files of `web/`, with the package beside them in `client/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{build, target_folder};
use crate::workspace;

/// Builds the package and gives the folder of the page.
pub(crate) fn page() -> Result<PathBuf> {
    assemble(&build()?)
}

/// Puts the page and a package together.
pub(super) fn assemble(package: &Path) -> Result<PathBuf> {
    let page = target_folder()?.join("web").join("page");
    if page.exists() {
        fs::remove_dir_all(&page)?;
    }
    copy(&workspace::root().join("web"), &page)?;
    copy(package, &page.join("client"))?;
    Ok(page)
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} is missing", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is named and not there is a page that does not work, and only in a browser does that show.
    #[test]
    fn every_file_that_the_page_names_is_there() {
        let root = workspace::root().join("web");
        let html = fs::read_to_string(root.join("index.html")).unwrap();
        for part in
            html.split(['"', '#']).filter(|part| part.ends_with(".css") || part.ends_with(".js"))
        {
            assert!(root.join(part).is_file(), "index.html names {part}");
        }
        for file in fs::read_dir(root.join("app")).unwrap() {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let imports = text.lines().filter_map(|line| line.split("from \"./").nth(1));
            for name in imports.filter_map(|rest| rest.split('"').next()) {
                assert!(root.join("app").join(name).is_file(), "{} imports {name}", path.display());
            }
        }
    }
}
