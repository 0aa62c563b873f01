//! What `down` says before it asks. No real cluster runs a command in a pod without a kubelet, so a script stands for kubectl.

use assert_cmd::Command;
use mlopsctl::stack::HoldSpec;
use serde_json::json;

use crate::fixtures::catalog;
use crate::harness::{Outcome, Project, snapshot};

const CONFIG: &str = "stackId: box-1
cluster: {context: box}
monitoring: {enabled: false}
logging: {enabled: false}
workflows: {enabled: false}
mlflow: {enabled: false}
";

/// A cluster with `pg` and `minio`, and the volume that an uninstalled `loki` has left.
fn project() -> Project {
    let release = |name: &str| {
        let labels =
            format!("name={name},owner=helm,status=deployed,version=1,mlopsctl.dev/digest=a,mlopsctl.dev/revision=1");
        format!("mlops-system secret/sh.helm.release.v1.{name}.v1 helm.sh/release.v1 1 1h {labels}")
    };
    let claim = |name: &str, release: &str, size: &str| {
        json!({
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "mlops-system", "labels": {"app.kubernetes.io/instance": release}},
            "spec": {"resources": {"requests": {"storage": size}}},
        })
    };
    let claims = json!({"items": [
        claim("data-minio-0", "minio", "10Gi"),
        claim("data-pg-postgresql-0", "pg", "5Gi"),
        claim("storage-loki-0", "loki", "1Gi"),
    ]});
    let record =
        json!({"releases": {"loki": {"namespace": "mlops-system", "revision": 1, "chart": "loki", "workloads": []}}});
    let own = json!({"items": [
        {"kind": "Namespace", "metadata": {"name": "mlops-system"}},
        {"kind": "ConfigMap", "metadata": {"name": "mlopsctl-stack"}, "data": {"stack.json": record.to_string()}},
    ]});
    let secret = |name: &str| json!({"metadata": {"name": name, "namespace": "mlops-system"}});
    let secrets = json!({"items": [secret("minio-root"), secret("mlflow-db"), secret("pg-superuser")]});
    let script = format!(
        r#"case "$*" in
'exec statefulset/pg-postgresql '*) echo "$*" >>exec.log; printf 'argo\t7700000\nmlflow\t8036003\n' ;;
'exec '*) echo 'error: unable to upgrade connection' >&2; exit 1 ;;
'get secrets,persistentvolumeclaims,customresourcedefinitions --all-namespaces '*) printf '%s\n%s\n' '{pg}' '{minio}' ;;
*namespace/mlops-system*) echo '{own}' ;;
*'--namespace mlops-system deployments,'*) echo '{claims}' ;;
*'--namespace mlops-system secrets '*) echo '{secrets}' ;;
'config view '*) echo 'box https://box:6443' ;;
'version '*) echo '{{}}' ;;
esac"#,
        pg = release("pg"),
        minio = release("minio"),
    );
    Project::with(CONFIG).executable("helm", "exit 1").executable("kubectl", &script)
}

fn down(project: &Project, args: &[&str]) -> Outcome {
    let outcome = project.run(["down"].iter().chain(args));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome}");
    outcome
}

#[test]
fn databases_and_buckets_are_named_with_size_and_fate() {
    let project = project();
    snapshot!(down(&project, &[]).stderr, @r"
    cluster: box https://box:6443
               WHAT                                           NAMESPACE
    uninstall  release minio                                  mlops-system
    uninstall  release pg                                     mlops-system
    keep       volume data-minio-0 (S3 store, 10Gi)           mlops-system
    keep       volume data-pg-postgresql-0 (PostgreSQL, 5Gi)  mlops-system
    keep       volume storage-loki-0 (logs, 1Gi)              mlops-system
    keep       database argo (PostgreSQL, 7.34 MiB)           mlops-system
    keep       database mlflow (PostgreSQL, 7.66 MiB)         mlops-system
    keep       buckets of minio, which could not be asked     mlops-system
    keep       Secret minio-root                              mlops-system
    keep       Secret mlflow-db                               mlops-system
    keep       Secret pg-superuser                            mlops-system
    error: no terminal to ask on: Take these away?
    hint: --yes answers it
    ");
    let asked = project.read("exec.log");
    let expected = "exec statefulset/pg-postgresql --namespace mlops-system --pod-running-timeout 1s --container postgresql --context box -- psql ";
    assert!(asked.starts_with(expected), "{asked}");
}

#[test]
fn chosen_releases_keep_their_volumes_and_the_secrets_that_open_them() {
    snapshot!(down(&project(), &["--purge", "--keep", "pg", "--keep", "loki"]).stderr, @r"
    cluster: box https://box:6443
               WHAT                                           NAMESPACE
    uninstall  release minio                                  mlops-system
    uninstall  release pg                                     mlops-system
    delete     volume data-minio-0 (S3 store, 10Gi)           mlops-system
    keep       volume data-pg-postgresql-0 (PostgreSQL, 5Gi)  mlops-system
    keep       volume storage-loki-0 (logs, 1Gi)              mlops-system
    keep       database argo (PostgreSQL, 7.34 MiB)           mlops-system
    keep       database mlflow (PostgreSQL, 7.66 MiB)         mlops-system
    delete     buckets of minio, which could not be asked     mlops-system
    delete     Secret minio-root                              mlops-system
    keep       Secret mlflow-db                               mlops-system
    keep       Secret pg-superuser                            mlops-system
    error: --purge deletes data and must be confirmed by name
    hint: --confirm box-1
    ");
}

#[test]
fn what_cannot_be_kept_is_refused_before_anybody_is_asked() {
    let project = project();
    snapshot!(down(&project, &["--purge", "--confirm", "box-1", "--keep", "minoi"]).stderr, @r"
    error: there is no release `minoi`
    hint: did you mean `minio`?
    ");
    snapshot!(down(&project, &["--purge", "--confirm", "box-1", "--keep", "mlflow"]).stderr, @r"
    error: release `mlflow` has no volume to keep
    hint: releases with volumes: loki, minio, pg
    ");
    assert!(down(&project, &["--keep", "pg"]).stderr.contains("--purge"));
    assert!(!project.path("exec.log").exists());
}

fn holds(release: &str) -> &'static HoldSpec {
    catalog().releases.iter().find(|it| it.name == release).unwrap().holds.as_ref().unwrap()
}

/// The command of the S3 store, run on a folder of this machine by the shell of this machine.
#[test]
fn buckets_are_the_folders_of_the_store() {
    let store = Project::new()
        .file("data/models/1/artifact", &"x".repeat(300_000))
        .file("data/argo/log", "x")
        .file("data/.minio.sys/format.json", &"x".repeat(300_000))
        .file("data/lost+found/1", "x")
        .file("data/file", "x");
    let [shell, flag, script] = &holds("minio").command[..] else { panic!("not a script") };
    let script = script.replace("/data", store.path("data").to_str().unwrap());
    let output = Command::new(shell).args([flag, &script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<(&str, u64)> = text
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(name, bytes)| (name, bytes.parse().unwrap()))
        .collect();
    let [("argo", small), ("models", large)] = lines[..] else { panic!("{text}") };
    assert!(small < 100_000 && (300_000..1_000_000).contains(&large), "{text}");
    fs_err::remove_dir_all(store.path("data")).unwrap();
    fs_err::create_dir(store.path("data")).unwrap();
    let output = Command::new(shell).args([flag, &script]).output().unwrap();
    assert_eq!((output.status.success(), output.stdout.len()), (true, 0), "an empty store has no buckets: {output:?}");
}

#[test]
fn no_command_carries_a_secret() {
    for release in catalog().releases.iter().filter(|release| release.holds.is_some()) {
        let text = holds(&release.name).command.join(" ").to_lowercase();
        assert!(!text.contains("{{") && !text.contains("password=") && !text.contains("pgpassword"), "{text}");
    }
    assert!(holds("pg").command.iter().any(|it| it == "--no-password"), "it would wait for one");
}
