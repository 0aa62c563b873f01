//! Help texts, completions, manual pages.

use crate::harness::{Outcome, Project, snapshot};

fn help(command: &str) -> Outcome {
    let args = command.split_whitespace().chain(["--help"]);
    Project::new().env("COLUMNS", "100").run(args).success()
}

/// What is the same everywhere stands in one snapshot only.
pub(crate) fn own_part(command: &str) -> String {
    let text = help(command).stdout;
    let (own, global) = text.split_once("Global options:").unwrap();
    assert!(global.contains("--config <FILE>"), "{command}");
    let (own, common) = own.split_once("  -h, --help\n").unwrap();
    assert!(common.contains("-V, --version"), "{command}");
    own.trim_end().to_owned()
}

#[test]
fn the_program_names_commands_options_and_exit_codes() {
    snapshot!(help("").stdout, @r"
    Puts an MLOps stack on a Kubernetes cluster from one file, with the real helm and kubectl

    Usage: mlopsctl [OPTIONS] <COMMAND>

    Commands:
      init         Write a commented config file, asking for what matters
      preflight    Check tools, cluster, charts and permissions before anything is touched
      plan         Show what `up` would do, release by release, object by object [alias: diff]
      up           Make the cluster match the file: install, upgrade, repair or leave alone
      install      First use: `init` where there is no file, then preflight and `up`
      upgrade      Upgrade an installed stack: show the plan, ask, then `up`
      status       Show releases, workloads, health and addresses
      history      List what was in force after earlier runs
      rollback     Bring an earlier revision of the whole stack into force: show the plan, ask, then
                   roll back
      diagnose     Say why something is not as it should be, now; gather what helps to find out
      verify       Prove the way from a training run to a prediction, a metric and a log line
      pipeline     Run the stack's pipelines and look at them
      model        List the models of the registry, and say which version is the champion
      serving      Deploy the model server and look at what it serves
      images       Build the images of pipelines and model server, and bring them to the cluster
      down         Take the stack away; data is kept unless --purge [alias: teardown]
      render       Write plain helm values and an install.sh that does without mlopsctl
      config       Show, check or describe the config file
      lock         Record the digests of all charts, or renew them
      completions  Write shell completions
      man          Write the manual pages

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
      -c, --config <FILE>
              Config file

              [env: MLOPSCTL_CONFIG=]
              [default: mlops.yaml]

          --context <CONTEXT>
              Kube-context, instead of `cluster.context`

              [env: MLOPSCTL_CONTEXT=]

          --kubeconfig <FILE>
              Kubeconfig file, instead of KUBECONFIG and ~/.kube/config

              [env: MLOPSCTL_KUBECONFIG=]

          --helm <FILE>
              helm executable, instead of the one on PATH

              [env: MLOPSCTL_HELM=]

          --kubectl <FILE>
              kubectl executable, instead of the one on PATH

              [env: MLOPSCTL_KUBECTL=]

          --charts <DIR>
              Folder with all charts; nothing is pulled from a repository

              [env: MLOPSCTL_CHARTS=]

          --stack <DIR>
              Folder with another stack.yaml, helm-values/ and charts/

              [env: MLOPSCTL_STACK=]

          --cache-dir <DIR>
              Folder of the chart cache

              [env: MLOPSCTL_CACHE_DIR=]

      -o, --output <FORMAT>
              Form of the result on standard output

              Possible values:
              - text:   Text for people
              - json:   One JSON document
              - ndjson: One JSON document per line: events while they happen, the result last

              [env: MLOPSCTL_OUTPUT=]
              [default: text]

      -q, --quiet
              Show only errors and the result

    Exit codes: 0 done, 1 failed, 2 usage or config, 3 preflight failed, 4 degraded, 5 plan has changes
    (--exit-code), 70 bug, 130 interrupted.
    ");
}

#[test]
fn commands_that_change_the_cluster() {
    snapshot!(own_part("install"), @r"
    First use: `init` where there is no file, then preflight and `up`

    Usage: mlopsctl install [OPTIONS]

    Options:
      -y, --yes
              Answer yes to all questions

          --grace <SECONDS>
              Seconds after which a cause that cannot heal by itself ends a step

              [env: MLOPSCTL_GRACE=]
              [default: 20]

          --parallel <N>
              Releases that helm works on at the same time

              [env: MLOPSCTL_PARALLEL=]
              [default: 8]

          --domain <DOMAIN>
              DNS domain of the UIs, where the file is written anew

          --profile <PROFILE>
              Set of defaults, where the file is written anew
    ");
    snapshot!(own_part("up"), @r"
    Make the cluster match the file: install, upgrade, repair or leave alone

    Usage: mlopsctl up [OPTIONS]

    Options:
      -y, --yes
              Answer yes to all questions

          --grace <SECONDS>
              Seconds after which a cause that cannot heal by itself ends a step

              [env: MLOPSCTL_GRACE=]
              [default: 20]

          --parallel <N>
              Releases that helm works on at the same time

              [env: MLOPSCTL_PARALLEL=]
              [default: 8]
    ");
    snapshot!(own_part("upgrade"), @r"
    Upgrade an installed stack: show the plan, ask, then `up`

    Usage: mlopsctl upgrade [OPTIONS]

    Options:
      -y, --yes
              Answer yes to all questions

          --grace <SECONDS>
              Seconds after which a cause that cannot heal by itself ends a step

              [env: MLOPSCTL_GRACE=]
              [default: 20]

          --parallel <N>
              Releases that helm works on at the same time

              [env: MLOPSCTL_PARALLEL=]
              [default: 8]
    ");
    snapshot!(own_part("down"), @r"
    Take the stack away; data is kept unless --purge

    Usage: mlopsctl down [OPTIONS]

    Options:
      -y, --yes
              Answer yes to all questions

          --purge
              Delete volumes, Secrets and CRDs of the stack too

          --keep <RELEASE>
              Release whose volumes stay, with the Secrets that open them; may be given several times

          --confirm <STACK_ID>
              The stack's id, to confirm --purge without a terminal
    ");
}

#[test]
fn commands_that_look_at_the_cluster() {
    snapshot!(own_part("preflight"), @r"
    Check tools, cluster, charts and permissions before anything is touched

    Usage: mlopsctl preflight [OPTIONS]

    Options:
    ");
    snapshot!(own_part("plan"), @r"
    Show what `up` would do, release by release, object by object

    Usage: mlopsctl plan [OPTIONS]

    Options:
          --exit-code
              End with 5 if there are changes

          --summary
              Do not compare the objects, only the releases
    ");
    snapshot!(own_part("status"), @r"
    Show releases, workloads, health and addresses

    Usage: mlopsctl status [OPTIONS]

    Options:
      -w, --watch
              Look again every two seconds until interrupted
    ");
}

#[test]
fn commands_about_files() {
    snapshot!(own_part("init"), @r"
    Write a commented config file, asking for what matters

    Usage: mlopsctl init [OPTIONS]

    Options:
      -y, --yes
              Ask nothing, take the defaults and the flags

          --force
              Replace an existing file

          --profile <PROFILE>
              Set of defaults: laptop, edge or ha

          --domain <DOMAIN>
              DNS domain of the UIs; empty for none

          --ingress-class <INGRESS_CLASS>
              IngressClass; the cluster's default if not given

          --tls <MODE>
              Certificates: none, selfSigned, acme or existing

          --email <EMAIL>
              E-mail address for acme

          --tls-secret <NAME>
              Name of the TLS Secret for existing

          --credentials <SOURCE>
              Where passwords come from: generate, prompt or existing
    ");
    snapshot!(own_part("render"), @r"
    Write plain helm values and an install.sh that does without mlopsctl

    Usage: mlopsctl render [OPTIONS] --output-dir <DIR>

    Options:
          --output-dir <DIR>
              Folder to write to
    ");
    snapshot!(own_part("config"), @r"
    Show, check or describe the config file

    Usage: mlopsctl config [OPTIONS] <COMMAND>

    Commands:
      schema    Write the JSON schema of the config file
      show      Show the config with profile and defaults filled in
      validate  Check the config file, all problems at once

    Options:
    ");
    snapshot!(own_part("lock"), @r"
    Record the digests of all charts, or renew them

    Usage: mlopsctl lock [OPTIONS]

    Options:
          --update
              Renew digests that differ
    ");
    snapshot!(own_part("completions"), @r"
    Write shell completions

    Usage: mlopsctl completions [OPTIONS] <SHELL>

    Arguments:
      <SHELL>
              The shell

              [possible values: bash, elvish, fish, powershell, zsh]

    Options:
    ");
    snapshot!(own_part("man"), @r"
    Write the manual pages

    Usage: mlopsctl man [OPTIONS] --output-dir <DIR>

    Options:
          --output-dir <DIR>
              Folder to write to
    ");
}

/// Every command that `--help` lists stands in a snapshot above.
#[test]
fn no_command_is_left_out() {
    let text = help("").stdout;
    let (_, list) = text.split_once("Commands:\n").unwrap();
    let names: Vec<&str> = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let here = [include_str!("help.rs"), include_str!("help_models.rs"), include_str!("help_recovery.rs")].concat();
    for name in names {
        assert!(here.contains(&format!("own_part(\"{name}\")")), "`{name} --help` has no snapshot");
    }
}

#[test]
fn aliases_are_the_same_commands() {
    for (alias, command) in [("diff", "plan"), ("teardown", "down")] {
        let text = |name: &str| own_part(name).replace(&format!("mlopsctl {name}"), "mlopsctl X");
        assert_eq!(text(alias).replace(&format!("mlopsctl {command}"), "mlopsctl X"), text(command));
    }
}

#[test]
fn help_and_version_need_no_home_and_no_config() {
    let project = Project::new().env("HOME", "").env("XDG_CACHE_HOME", "");
    for args in [&["--help"][..], &["--version"], &["up", "--help"], &["up", "--version"]] {
        let outcome = project.run(args).success();
        assert_eq!(outcome.stderr, "", "{args:?}");
    }
}

#[test]
fn completions_name_commands_and_flags_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = Project::new().run(["completions", shell]).success();
        for word in ["preflight", "kubeconfig", "purge"] {
            assert!(outcome.stdout.contains(word), "{shell} lacks {word}");
        }
        assert_eq!(outcome.stderr, "");
    }
    assert_eq!(Project::new().run(["completions", "cmd"]).code, Some(2));
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let project = Project::new();
    project.run(["man", "--output-dir", "new/man"]).success();
    let mut pages: Vec<String> = fs_err::read_dir(project.path("new/man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    snapshot!(pages.join(" "), @"mlopsctl-completions.1 mlopsctl-config-schema.1 mlopsctl-config-show.1 mlopsctl-config-validate.1 mlopsctl-config.1 mlopsctl-diagnose.1 mlopsctl-down.1 mlopsctl-history.1 mlopsctl-images-build.1 mlopsctl-images-import.1 mlopsctl-images-push.1 mlopsctl-images.1 mlopsctl-init.1 mlopsctl-install.1 mlopsctl-lock.1 mlopsctl-man.1 mlopsctl-model-list.1 mlopsctl-model-promote.1 mlopsctl-model-rollback.1 mlopsctl-model.1 mlopsctl-pipeline-list.1 mlopsctl-pipeline-logs.1 mlopsctl-pipeline-run.1 mlopsctl-pipeline.1 mlopsctl-plan.1 mlopsctl-preflight.1 mlopsctl-render.1 mlopsctl-rollback.1 mlopsctl-serving-deploy.1 mlopsctl-serving-status.1 mlopsctl-serving.1 mlopsctl-status.1 mlopsctl-up.1 mlopsctl-upgrade.1 mlopsctl-verify.1 mlopsctl.1");
    assert!(project.read("new/man/mlopsctl-up.1").contains(".TH"));
}
