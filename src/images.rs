//! The images that this project makes, with their build contexts inside this binary.

use std::path::Path;

use include_dir::{Dir, include_dir};

// build.rs puts what belongs to a build there, and leaves tests and caches out.
static CONTEXTS: Dir<'_> = include_dir!("$OUT_DIR/images");

/// An image of this project.
#[derive(Debug)]
pub(crate) struct Image {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// Its folder under `images/`.
    folder: &'static str,
    /// The entry of `vars` in `stack.yaml` that has its full name.
    pub(crate) variable: &'static str,
}

/// All of them.
pub(crate) const IMAGES: [Image; 2] = [
    Image { name: "pipelines", folder: "pipelines", variable: "pipelinesImage" },
    Image { name: "serving", folder: "serving-fastapi", variable: "servingImage" },
];

impl Image {
    /// Writes its build context, `Containerfile` and all, into an empty folder.
    pub(crate) fn write_to(&self, folder: &Path) -> std::io::Result<()> {
        let missing = || std::io::Error::new(std::io::ErrorKind::NotFound, self.folder);
        write(CONTEXTS.get_dir(self.folder).ok_or_else(missing)?, self.folder, folder)
    }
}

fn write(dir: &Dir<'_>, root: &str, folder: &Path) -> std::io::Result<()> {
    for file in dir.files() {
        let path = folder.join(file.path().strip_prefix(root).unwrap_or(file.path()));
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::write(path, file.contents())?;
    }
    dir.dirs().try_for_each(|child| write(child, root, folder))
}
