//! `images build`, `images push` and `images import`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::prepare::{catalog, config, stack};
use crate::cli::{BuildArgs, ImagesArgs, ImagesCommand};
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::exec::{Invocation, Runner, Stream, Tool, find_engine};
use crate::images::{IMAGES, Image};
use crate::printer::OutputFormat;
use crate::settings::Settings;

/// The names that only this project may push to.
const OURS: &str = "docker.io/mlopsctl/";

/// What a command did.
#[derive(Debug, Serialize)]
struct Done {
    action: &'static str,
    images: Vec<String>,
}

/// Runs one of the commands.
pub(super) async fn run(settings: &Settings, command: &ImagesCommand) -> CommandResult {
    let args = match command {
        ImagesCommand::Build(args) => &args.images,
        ImagesCommand::Push(args) => args,
        ImagesCommand::Import(args) => &args.images,
    };
    let images = wanted(settings, args)?;
    let engine = find_engine(args.engine.as_deref())?;
    let runner = Runner::local();
    for (image, name) in &images {
        match command {
            ImagesCommand::Build(args) => build(settings, &runner, engine, image, name, args).await?,
            ImagesCommand::Push(_) => push(&runner, engine, name).await?,
            ImagesCommand::Import(args) => import(&runner, engine, name, args.sudo).await?,
        }
    }
    let action = match command {
        ImagesCommand::Build(_) => "built",
        ImagesCommand::Push(_) => "pushed",
        ImagesCommand::Import(_) => "imported",
    };
    let names: Vec<String> = images.into_iter().map(|(_, name)| name).collect();
    if settings.printer.format() == OutputFormat::Text {
        for name in &names {
            settings.printer.data(&format!("{action} {name}\n"));
        }
        if action == "built" {
            settings
                .printer
                .say("next: `mlopsctl images import` on a K3s node, or `mlopsctl images push` to a registry");
        }
    } else {
        settings.printer.json(&Done { action, images: names });
    }
    Ok(ExitStatus::Success)
}

/// Returns the images that were asked for, each with the name that the stack pulls it by.
fn wanted(settings: &Settings, args: &ImagesArgs) -> Result<Vec<(&'static Image, String)>, CommandError> {
    let catalog = catalog(settings)?;
    let loaded = config(settings, &catalog)?;
    let variables = stack(settings, &loaded, &catalog, &BTreeMap::new())?.context.value();
    let images = IMAGES.iter().filter(|image| args.image.as_ref().is_none_or(|name| name == image.name));
    images
        .map(|image| match variables["vars"][image.variable].as_str() {
            Some(name) => Ok((image, name.to_owned())),
            None => Err(CommandError::usage(format!("stack.yaml has no `vars.{}`", image.variable))),
        })
        .collect()
}

async fn build(
    settings: &Settings,
    runner: &Runner,
    engine: Tool,
    image: &Image,
    name: &str,
    args: &BuildArgs,
) -> Result<(), CommandError> {
    let folder = tempfile::tempdir().map_err(|error| CommandError::new(ExitStatus::Failure, error))?;
    image.write_to(folder.path()).map_err(|error| CommandError::new(ExitStatus::Failure, error))?;
    settings.printer.say(&format!("building {name} with {engine}"));
    let containerfile = folder.path().join("Containerfile");
    let mut call = Invocation::new(engine, ["build", "--tag", name, "--file"]).arg(containerfile.to_string_lossy());
    if let Some(platform) = &args.platform {
        call = call.args(["--platform", platform]);
    }
    if let Some(python) = &args.python_image {
        call = call.args(["--build-arg", &format!("PYTHON_IMAGE={python}")]);
    }
    let call = call.arg(folder.path().to_string_lossy()).timeout(Duration::MAX);
    runner.pass_through(call, Stream::Talk).await.map_err(|error| failed(error.into()))
}

async fn push(runner: &Runner, engine: Tool, name: &str) -> Result<(), CommandError> {
    if name.starts_with(OURS) {
        let error = CommandError::usage(format!("{name} is a name of this project, where nobody else can push"));
        return Err(error.hint(
            "set `cluster.imageRegistry` (or `images.pipelines` and `images.serving`) to a registry of yours, then build and push",
        ));
    }
    let call = Invocation::new(engine, ["push", name]).timeout(Duration::MAX);
    runner.pass_through(call, Stream::Talk).await.map_err(|error| failed(error.into()))
}

async fn import(runner: &Runner, engine: Tool, name: &str, sudo: bool) -> Result<(), CommandError> {
    if which::which(Tool::K3s.name()).is_err() {
        let error = anyhow::anyhow!("`k3s` is not on this machine, so there is no containerd to import into");
        return Err(CommandError::new(ExitStatus::Preflight, error).hint(
            "run it on the K3s node, or push to a registry: set `cluster.imageRegistry`, then mlopsctl images build and push",
        ));
    }
    let folder = tempfile::tempdir().map_err(|error| CommandError::new(ExitStatus::Failure, error))?;
    let archive = folder.path().join("image.tar");
    runner.pass_through(save(engine, name, &archive), Stream::Talk).await.map_err(|error| failed(error.into()))?;
    let words = ["ctr", "--namespace", "k8s.io", "images", "import"];
    let call = if sudo {
        Invocation::new(Tool::Sudo, [Tool::K3s.name()]).args(words)
    } else {
        Invocation::new(Tool::K3s, words)
    };
    let call = call.arg(archive.to_string_lossy()).timeout(Duration::MAX);
    runner.pass_through(call, Stream::Talk).await.map_err(|error| {
        let error = failed(error.into());
        if sudo { error } else { error.hint("K3s lets only root in: mlopsctl images import --sudo") }
    })
}

/// Returns the call that writes an image to a docker archive.
fn save(engine: Tool, name: &str, archive: &Path) -> Invocation {
    let path = archive.to_string_lossy();
    let call = match engine {
        Tool::Buildah => Invocation::new(engine, ["push", name, &format!("docker-archive:{path}:{name}")]),
        _ => Invocation::new(engine, ["save", "--output", &path, name]),
    };
    call.timeout(Duration::MAX)
}

/// What the engine says has been on the screen already.
fn failed(error: CommandError) -> CommandError {
    error.hint("the engine's own words are above")
}
