//! Gathers the build contexts of the images, without tests and caches, where the crate embeds them from; and says what the
//! crate is built of, since files that `include_dir!` reads are unknown to Cargo.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The images' folders, and what of them belongs to a build beside `src/`.
const IMAGES: [&str; 2] = ["pipelines", "serving-fastapi"];
const FILES: [&str; 6] =
    [".dockerignore", "Containerfile", "README.md", "pyproject.toml", "requirements-build.lock", "requirements.lock"];

#[expect(clippy::disallowed_methods, reason = "Cargo tells a build script by the environment where it may write")]
fn main() -> io::Result<()> {
    for folder in ["stack.yaml", "helm-values", "charts", "k8s", "workflows", "images"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("images");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    for image in IMAGES {
        let (from, to) = (Path::new("images").join(image), out.join(image));
        fs::create_dir_all(&to)?;
        for file in FILES {
            fs::copy(from.join(file), to.join(file))?;
        }
        copy_sources(&from.join("src"), &to.join("src"))?;
    }
    Ok(())
}

fn copy_sources(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            if !name.to_string_lossy().ends_with(".egg-info") && name != "__pycache__" {
                copy_sources(&path, &to.join(name))?;
            }
        } else if path.extension().is_some_and(|extension| extension == "py" || extension == "typed") {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
