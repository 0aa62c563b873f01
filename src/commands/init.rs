//! `init`.

use std::io::IsTerminal as _;

use secrecy::ExposeSecret as _;

use super::prepare::{catalog, runner};
use crate::cli::InitArgs;
use crate::config::parse;
use crate::error::{CommandError, CommandResult, ExitStatus};
use crate::exec::{Invocation, Tool};
use crate::kubectl;
use crate::settings::Settings;
use crate::stack::{Alphabet, RandomRule, random_text};

/// The file that is written: every field with its default, the answers filled in.
const TEMPLATE: &str = include_str!("init.yaml.j2");

/// What is known of the cluster, for the defaults of the questions.
#[derive(Debug, Default)]
struct Found {
    context: Option<String>,
    stack_id: Option<String>,
    ingress_classes: Vec<String>,
    nodes: usize,
}

/// The answers.
#[derive(Debug)]
struct Answers {
    profile: String,
    domain: String,
    ingress_class: Option<String>,
    tls: String,
    email: Option<String>,
    tls_secret: Option<String>,
    credentials: String,
}

/// Writes a config file.
pub(super) async fn run(settings: &Settings, args: &InitArgs) -> CommandResult {
    let path = &settings.config;
    if path.exists() && !args.force {
        let error = CommandError::usage(format!("{} exists", path.display()));
        return Err(error.hint("--force replaces it, --config FILE writes another"));
    }
    let interactive = !args.yes;
    if interactive && !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(
            CommandError::usage("no terminal to ask on").hint("--yes takes the defaults; every answer is also a flag")
        );
    }
    let found = look(settings, interactive).await;
    let answers = if interactive { ask(args, &found)? } else { defaults(args) };
    let text = render(&answers, &found)?;
    // What is written must be valid; a wrong flag is told like any other problem of the file.
    parse(path, text.clone(), &catalog(settings)?.profiles)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs_err::create_dir_all(folder).map_err(|error| CommandError::new(ExitStatus::Failure, error))?;
    }
    fs_err::write(path, text).map_err(|error| CommandError::new(ExitStatus::Failure, error))?;
    settings
        .printer
        .say(&format!("wrote {}; `mlopsctl plan` shows what it means, `mlopsctl up` does it", path.display()));
    Ok(ExitStatus::Success)
}

/// Looks at kubeconfig and cluster. Nothing of it is needed; without them the defaults are plain.
async fn look(settings: &Settings, ask_cluster: bool) -> Found {
    let mut found = Found::default();
    let Ok(runner) = runner(settings, None) else { return found };
    found.context.clone_from(&settings.context);
    if found.context.is_none()
        && let Ok(output) = runner.run(Invocation::new(Tool::Kubectl, ["config", "current-context"])).await
    {
        found.context = Some(output.stdout.trim().to_owned()).filter(|name| !name.is_empty());
    }
    if !ask_cluster || found.context.is_none() {
        return found;
    }
    let call = kubectl::get(["ingressclasses,nodes,namespaces"], None).args(["--request-timeout=5s"]);
    let Ok(output) = runner.run(call).await else { return found };
    for object in kubectl::items(&output.stdout) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match object["kind"].as_str() {
            Some("IngressClass") => found.ingress_classes.push(name),
            Some("Node") => found.nodes += 1,
            Some("Namespace") if name == "mlops-system" => {
                found.stack_id = object["metadata"]["labels"][crate::cluster::STACK_LABEL].as_str().map(str::to_owned);
            }
            _ => {}
        }
    }
    found
}

fn defaults(args: &InitArgs) -> Answers {
    Answers {
        profile: args.profile.clone().unwrap_or_else(|| "laptop".into()),
        domain: args.domain.clone().unwrap_or_default(),
        ingress_class: args.ingress_class.clone(),
        tls: args.tls.clone().unwrap_or_else(|| "none".into()),
        email: args.email.clone(),
        tls_secret: args.tls_secret.clone(),
        credentials: args.credentials.clone().unwrap_or_else(|| "generate".into()),
    }
}

fn ask(args: &InitArgs, found: &Found) -> Result<Answers, CommandError> {
    use dialoguer::{Input, Select};
    let stopped = |error: dialoguer::Error| CommandError::new(ExitStatus::Interrupted, error);
    let choose = |prompt: &str, given: &Option<String>, choices: &[&str], default: usize| match given {
        Some(given) => Ok(given.clone()),
        None => Select::new()
            .with_prompt(prompt)
            .items(choices)
            .default(default)
            .interact()
            .map(|index| choices[index].to_owned())
            .map_err(stopped),
    };
    let mut answers = defaults(args);
    if args.profile.is_none() {
        let choices = [
            "laptop  one node, one pod of each, smallest requests",
            "edge    one unattended node: shorter retention, alerts on",
            "ha      several nodes: replicated database, larger volumes",
        ];
        let chosen = choose("Profile", &None, &choices, if found.nodes > 2 { 2 } else { 0 })?;
        chosen.split(' ').next().unwrap_or_default().clone_into(&mut answers.profile);
    }
    if args.domain.is_none() {
        answers.domain = Input::new()
            .with_prompt("Domain of the UIs (empty: none, reach them by port-forward)")
            .allow_empty(true)
            .interact_text()
            .map_err(stopped)?;
    }
    if !answers.domain.is_empty() {
        if args.ingress_class.is_none() && found.ingress_classes.len() > 1 {
            let classes: Vec<&str> = found.ingress_classes.iter().map(String::as_str).collect();
            answers.ingress_class = Some(choose("IngressClass", &None, &classes, 0)?);
        }
        answers.tls = choose("Certificates", &args.tls, &["none", "selfSigned", "acme", "existing"], 0)?;
        if answers.tls == "acme" && args.email.is_none() {
            answers.email = Some(
                Input::new()
                    .with_prompt("E-mail address for the certificate authority")
                    .interact_text()
                    .map_err(stopped)?,
            );
        }
        if answers.tls == "existing" && args.tls_secret.is_none() {
            answers.tls_secret =
                Some(Input::new().with_prompt("Name of the TLS Secret").interact_text().map_err(stopped)?);
        }
    }
    answers.credentials = choose("Passwords", &args.credentials, &["generate", "prompt", "existing"], 0)?;
    Ok(answers)
}

fn render(answers: &Answers, found: &Found) -> Result<String, CommandError> {
    let fresh =
        || random_text(&RandomRule { length: 8, minimum: 8, alphabet: Alphabet::Hex }).expose_secret().to_owned();
    let variables = serde_json::json!({
        "stack_id": found.stack_id.clone().unwrap_or_else(|| format!("mlops-{}", fresh())),
        "profile": answers.profile,
        "domain": answers.domain,
        "context": found.context,
        "ingress_class": answers.ingress_class,
        "tls": answers.tls,
        "email": answers.email,
        "tls_secret": answers.tls_secret,
        "cert_manager": matches!(answers.tls.as_str(), "selfSigned" | "acme"),
        "credentials": answers.credentials,
        "version": env!("CARGO_PKG_VERSION"),
    });
    Ok(crate::render::Engine::new()
        .text("mlops.yaml.j2", TEMPLATE, &variables)
        .map_err(|error| CommandError::new(ExitStatus::Bug, error))?
        + "\n")
}
