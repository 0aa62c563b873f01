//! What is said when a tool, a kubeconfig, a cluster or a stack folder is not as it should be.

use crate::harness::{Outcome, Project, package, snapshot};

/// Answers as kubectl does where it is only asked for its version.
const KUBECTL: &str = r#"echo '{"clientVersion":{"gitVersion":"v1.37.2"}}'"#;

fn kubeconfig(server: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: box
clusters: [{{name: box, cluster: {{server: '{server}'}}}}]
contexts: [{{name: box, context: {{cluster: box, user: me}}}}]
users: [{{name: me, user: {{token: not-a-real-token}}}}]
"
    )
}

/// Nobody listens on the first port.
const NOWHERE: &str = "https://127.0.0.1:1";

fn with_real_tools(text: &str) -> Project {
    Project::with(text).real("helm").real("kubectl")
}

fn status(project: &Project, args: &[&str]) -> Outcome {
    let outcome = project.run(["status"].iter().chain(args));
    assert_eq!(outcome.stdout, "", "{outcome}");
    outcome
}

#[test]
fn a_missing_tool_is_named_with_where_to_get_it() {
    snapshot!(status(&Project::with(""), &[]), @r"
    exit code: 3
    ----- stdout -----

    ----- stderr -----
    error: `helm` was not found on PATH
    hint: install helm 3.19.0 or newer (https://helm.sh/docs/intro/install/), or name it with --helm
    ");
    snapshot!(status(&Project::with("").real("helm"), &[]), @r"
    exit code: 3
    ----- stdout -----

    ----- stderr -----
    error: `kubectl` was not found on PATH
    hint: install kubectl (https://kubernetes.io/docs/tasks/tools/), or name it with --kubectl
    ");
}

#[test]
fn a_tool_that_a_flag_names_must_be_there() {
    snapshot!(status(&with_real_tools(""), &["--helm", "/opt/none/helm"]), @r"
    exit code: 3
    ----- stdout -----

    ----- stderr -----
    error: `helm` was not found at /opt/none/helm
    hint: install helm 3.19.0 or newer (https://helm.sh/docs/intro/install/), or name it with --helm
    ");
}

/// A text file by that name cannot be run.
#[test]
fn a_tool_that_is_no_executable_is_not_one() {
    let project = with_real_tools("").file("helm", "not a program\n");
    let outcome = status(&project, &["--helm", "./helm"]);
    assert_eq!(outcome.code, Some(3));
    assert!(outcome.stderr.contains("`helm` was not found at ./helm"), "{outcome}");
}

#[test]
fn an_old_helm_is_refused_with_the_version_that_is_needed() {
    let project = Project::with("").executable("helm", "echo v3.12.0").executable("kubectl", KUBECTL);
    snapshot!(project.run(["plan"]), @r"
    exit code: 3
    ----- stdout -----

    ----- stderr -----
    error: helm 3.12.0 is too old, 3.19.0 or newer is needed
    hint: install a newer helm (https://helm.sh/docs/intro/install/), or name one with --helm
    ");
}

#[test]
fn a_helm_that_tells_no_version_is_refused() {
    for (script, said) in [
        ("echo 'Welcome to helm!'", "`helm` does not tell its version: Welcome to helm!"),
        ("echo", "`helm` does not tell its version: "),
        ("echo boom >&2; exit 7", "failed with exit code 7"),
        ("kill -9 $$", "was ended by signal 9"),
    ] {
        let project = Project::with("").executable("helm", script).executable("kubectl", KUBECTL);
        let outcome = project.run(["plan"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(3), ""), "{script}: {outcome}");
        assert!(outcome.stderr.contains(said), "{script}: {outcome}");
    }
}

/// They live too short to collect garbage; who has set how it is collected is not overruled.
#[test]
fn the_tools_collect_garbage_late_unless_the_user_says_otherwise() {
    let project = || Project::with("").executable("helm", "echo \"GOGC is $GOGC\"").executable("kubectl", KUBECTL);
    for (project, said) in [(project(), "GOGC is 400"), (project().env("GOGC", "50"), "GOGC is 50")] {
        let outcome = project.run(["plan"]);
        assert!(outcome.stderr.contains(said), "{outcome}");
    }
}

#[test]
fn an_unknown_context_is_told_with_the_way_to_list_them() {
    let project = with_real_tools("cluster: {context: attic}\n").file("kubeconfig", &kubeconfig(NOWHERE));
    let outcome = status(&project, &["--kubeconfig", "kubeconfig"]);
    assert_eq!(outcome.code, Some(3));
    // Several reads run at the same time; whose error comes first is chance.
    assert!(outcome.stderr.contains("attic"), "{outcome}");
    let hint = "hint: `kubectl config get-contexts` lists the contexts; set `cluster.context` or --context\n";
    assert!(outcome.stderr.ends_with(hint), "{outcome}");
    // The flag goes before the file.
    let outcome = status(&project, &["--kubeconfig", "kubeconfig", "--context", "cellar"]);
    assert!(outcome.stderr.contains("cellar") && !outcome.stderr.contains("attic"), "{outcome}");
}

#[test]
fn a_kubeconfig_that_is_not_there_is_named() {
    snapshot!(status(&with_real_tools(""), &["--kubeconfig", "none.yaml"]), @r"
    exit code: 3
    ----- stdout -----

    ----- stderr -----
    error: there is no kubeconfig none.yaml
    hint: name another, or leave --kubeconfig out for KUBECONFIG and ~/.kube/config
    ");
}

#[test]
fn a_broken_kubeconfig_is_told_so() {
    for text in ["clusters: [\n", "just words\n", "apiVersion: v9\nkind: Config\n"] {
        let outcome = status(&with_real_tools("").file("kubeconfig", text), &["--kubeconfig", "kubeconfig"]);
        assert_eq!(outcome.code, Some(3), "{text:?}: {outcome}");
        assert!(
            outcome.stderr.contains("hint: check the file that --kubeconfig or KUBECONFIG names"),
            "{text:?}: {outcome}"
        );
    }
}

#[test]
fn an_empty_kubeconfig_counts_as_none() {
    for text in ["", "apiVersion: v1\nkind: Config\n"] {
        let outcome = status(&with_real_tools("").file("kubeconfig", text), &["--kubeconfig", "kubeconfig"]);
        assert_eq!(outcome.code, Some(3), "{text:?}: {outcome}");
        assert!(outcome.stderr.contains("kubeconfig") && outcome.stderr.contains("hint:"), "{text:?}: {outcome}");
    }
}

#[test]
fn no_kubeconfig_at_all_is_told_with_a_way_out() {
    let outcome = status(&with_real_tools(""), &[]);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let hint = outcome.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default();
    assert!(hint.contains("--kubeconfig") || hint.contains("k3s.yaml"), "{outcome}");
}

#[test]
fn every_command_ends_with_3_where_the_api_server_does_not_answer() {
    for args in [&["status"][..], &["plan"], &["up", "--yes"], &["upgrade", "--yes"], &["down", "--yes"]] {
        let project = with_real_tools("").file("kubeconfig", &kubeconfig(NOWHERE));
        let charts = package("tests/charts");
        let outcome =
            project.run(args.iter().chain(&["--kubeconfig", "kubeconfig", "--charts", charts.to_str().unwrap()]));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(3), ""), "{args:?}: {outcome}");
        assert!(outcome.stderr.contains("hint: is the cluster up, and is this the right one?"), "{args:?}: {outcome}");
        assert!(!outcome.stderr.contains("not-a-real-token"), "{args:?}: {outcome}");
    }
}

#[test]
fn an_unreachable_server_is_named() {
    let project = with_real_tools("").file("kubeconfig", &kubeconfig(NOWHERE));
    let outcome = status(&project, &["--kubeconfig", "kubeconfig"]);
    assert!(outcome.stderr.contains("127.0.0.1:1"), "{outcome}");
    // Where several reads fail at the same time, one of them is told, without what kubectl logs on the way.
    assert_eq!(outcome.stderr.lines().count(), 3, "{outcome}");
}

#[test]
fn preflight_reports_what_fails_as_data() {
    let project = with_real_tools("").file("kubeconfig", &kubeconfig(NOWHERE));
    let outcome = project.run(["preflight", "--kubeconfig", "kubeconfig", "--output", "json"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(3), ""), "{outcome}");
    let report = outcome.json();
    assert_eq!(report["ok"], false);
    let outcomes: Vec<&str> =
        report["checks"].as_array().unwrap().iter().map(|check| check["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["passed", "passed", "failed"], "{report:#}");
}

#[test]
fn an_old_tool_fails_preflight_too() {
    let project = Project::with("").executable("helm", "echo v3.12.0").executable("kubectl", KUBECTL);
    snapshot!(project.run(["preflight"]), @r"
    exit code: 3
    ----- stdout -----
      ok  the config file is valid: mlops.yaml
    fail  the checks can be made: helm 3.12.0 is too old, 3.19.0 or newer is needed
           hint: install a newer helm (https://helm.sh/docs/intro/install/), or name one with --helm

    ----- stderr -----
    ");
}

#[test]
fn charts_must_be_a_folder() {
    snapshot!(Project::with("").file("chart.tgz", "").run(["lock", "--charts", "chart.tgz"]), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: --charts: chart.tgz is not a folder
    ");
    assert_eq!(Project::with("").run(["lock", "--charts", "none"]).code, Some(2));
}

/// The folder of `--stack` may come from anywhere.
mod stack_folder {
    use super::{Project, snapshot};

    const STACK: &str =
        "apiVersion: mlopsctl.dev/v1alpha1\nreleases:\n  - {name: web, chart: {name: web}, values: @}\n";

    fn project(values: &str) -> Project {
        Project::with("")
            .file("stack/stack.yaml", &STACK.replace('@', values))
            .file("secret.yaml", "password: canary-4711\n")
    }

    fn validate(project: &Project) -> super::Outcome {
        let outcome = project.run(["config", "validate", "--stack", "stack"]);
        assert!(!outcome.to_string().contains("canary"), "{outcome}");
        outcome
    }

    #[test]
    fn it_replaces_the_one_inside() {
        let project = project("web.yaml.j2").file("stack/helm-values/web.yaml.j2", "replicas: 2\n");
        snapshot!(validate(&project), @r"
        exit code: 0
        ----- stdout -----

        ----- stderr -----
        mlops.yaml is valid: 1 release
        ");
    }

    #[test]
    fn a_path_with_dots_does_not_lead_out() {
        snapshot!(validate(&project("../../secret.yaml")), @r"
        exit code: 2
        ----- stdout -----

        ----- stderr -----
        error: helm-values/../../secret.yaml leads out of the stack's folder
        ");
        snapshot!(validate(&project("/etc/hostname")), @r"
        exit code: 2
        ----- stdout -----

        ----- stderr -----
        error: the stack has no file helm-values//etc/hostname
        ");
    }

    #[test]
    fn a_link_does_not_lead_out() {
        let target = std::path::Path::new("../../secret.yaml");
        snapshot!(validate(&project("web.yaml.j2").link("stack/helm-values/web.yaml.j2", target)), @r"
        exit code: 2
        ----- stdout -----

        ----- stderr -----
        error: helm-values/web.yaml.j2 leads out of the stack's folder
        ");
        let project = Project::with("").file("other/helm-values/web.yaml.j2", "a: canary-4711\n");
        let project = project.file("stack/stack.yaml", &STACK.replace('@', "web.yaml.j2"));
        let project = project.link("stack/helm-values", std::path::Path::new("../other/helm-values"));
        assert_eq!(validate(&project).code, Some(2));
    }

    #[test]
    fn a_template_cannot_include_a_file() {
        let project =
            project("web.yaml.j2").file("stack/helm-values/web.yaml.j2", "a: 1\n{% include '../../secret.yaml' %}\n");
        snapshot!(validate(&project), @r"
        exit code: 2
        ----- stdout -----

        ----- stderr -----
        error: [ROOT]/project/stack/helm-values/web.yaml.j2:2: template not found: tried to include non-existing template '../../secret.yaml'
        ");
    }

    #[test]
    fn a_missing_file_is_named() {
        snapshot!(validate(&project("none.yaml.j2")), @r"
        exit code: 2
        ----- stdout -----

        ----- stderr -----
        error: the stack has no file helm-values/none.yaml.j2
        ");
        snapshot!(Project::with("").run(["config", "validate", "--stack", "nowhere"]), @r"
        exit code: 2
        ----- stdout -----

        ----- stderr -----
        error: --stack: nowhere is not a folder
        ");
        let empty = Project::with("").file("stack/README", "");
        snapshot!(validate(&empty), @r"
        exit code: 2
        ----- stdout -----

        ----- stderr -----
        error: the stack has no file stack.yaml
        ");
    }

    /// A chart's folder is read whole; what a link in it points to is not part of it.
    #[test]
    fn a_chart_that_is_a_link_does_not_lead_out() {
        let project = project("web.yaml.j2")
            .file("stack/helm-values/web.yaml.j2", "")
            .file("outside/Chart.yaml", "name: web\nversion: 1.0.0\n")
            .link("stack/charts/web", std::path::Path::new("../../outside"))
            .real("helm")
            .real("kubectl");
        let outcome = project.run(["lock", "--stack", "stack"]);
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert!(outcome.stderr.contains("charts/web leads out of the stack's folder"), "{outcome}");
    }

    #[test]
    fn an_error_in_a_template_has_file_and_line_and_no_value() {
        for (template, said) in [
            ("a: 1\nb: {{ config.domian }}\n", "web.yaml.j2:2: undefined value"),
            ("a: 1\n\nb: {{ config.domain | nofilter }}\n", "web.yaml.j2:3: unknown filter"),
            ("a: {{ 1 +\n", "web.yaml.j2:1: syntax error"),
            ("{% if config.domain %}\na: 1\n", "web.yaml.j2:2: syntax error"),
            ("a: {{ config.domain }} {{ config.domain }}\n", "does not render to YAML: line 1"),
            ("- {{ config.domain }}\n", "does not render to a mapping"),
        ] {
            let project = project("web.yaml.j2")
                .file("stack/helm-values/web.yaml.j2", template)
                .file("mlops.yaml", &format!("{}domain: canary.example\n", crate::harness::HEAD));
            let outcome = validate(&project);
            assert_eq!(outcome.code, Some(2), "{template:?}: {outcome}");
            assert!(outcome.stderr.contains(said), "{template:?}: {outcome}");
        }
    }

    #[test]
    fn a_problem_of_stack_yaml_has_its_place_there() {
        let project =
            Project::with("").file("stack/stack.yaml", "apiVersion: mlopsctl.dev/v1alpha1\nreleases:\n  - nam: x\n");
        snapshot!(validate(&project), @r"
        exit code: 2
        ----- stdout -----

        ----- stderr -----
        [ROOT]/project/stack/stack.yaml:3:5: unknown key `nam` in `releases.0`
          |
        3 |   - nam: x
          |     ^^^ did you mean `name`?

        [ROOT]/project/stack/stack.yaml:3:5: missing key `name` in `releases.0`
          |
        3 |   - nam: x
          |     ^

        [ROOT]/project/stack/stack.yaml:3:5: missing key `chart` in `releases.0`
          |
        3 |   - nam: x
          |     ^
        ");
    }
}

#[test]
fn commands_about_files_need_no_tool() {
    for args in
        [&["config", "validate"][..], &["config", "show"], &["config", "schema"], &["render", "--output-dir", "out"]]
    {
        Project::with("").run(args).success();
    }
}
