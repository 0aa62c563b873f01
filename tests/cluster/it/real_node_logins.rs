//! What was put into kept volumes is read again after `down` and `up`, with what the kept Secrets say. Needs
//! `tests/cluster/cluster up --nodes real`. `MLOPSCTL_TEST_LOGINS` says how many times, 2 where it does not.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Instant;

use base64::Engine as _;

use crate::cluster::{kubectl_command, objects, variable};
use crate::stack::{SMALL, Stack, assert_only};

/// Reads the password from its input: it stands in no argument.
const PSQL: &str = r#"IFS= read -r PGPASSWORD; export PGPASSWORD
exec psql --no-psqlrc --host 127.0.0.1 --username "$1" --dbname mlflow --no-password --quiet --tuples-only --no-align \
  --set ON_ERROR_STOP=1 --command "$2""#;
/// Reads the store's address with its keys from its input, and what is to be written behind it.
const MC: &str = r#"IFS= read -r MC_HOST_store; export MC_HOST_store
exec mc --config-dir /tmp/mc --quiet --no-color "$@""#;

#[test]
#[ignore = "needs a cluster with a real node, see tests/run"]
fn kept_volumes_are_opened_after_every_down_and_up() {
    let rounds: u32 = variable("MLOPSCTL_TEST_LOGINS").map_or(2, |text| text.to_str().unwrap().parse().unwrap());
    let folder = variable("MLOPSCTL_TEST_CLUSTER").expect("MLOPSCTL_TEST_CLUSTER names the folder of the cluster");
    let images = fs::read_to_string(folder.join("images.yaml")).expect("the cluster was started with `--nodes real`");
    let stack = Stack::new("logins", &format!("{SMALL}{images}"));
    assert_only(&stack.up(), "installed", &["minio", "pg"]);
    let secrets = stack.secrets();
    query(&stack, "create table kept (line text); insert into kept values ('a row')").unwrap();
    store(&stack, &["pipe", "store/mlflow/kept"], "an object").unwrap();
    refuses_another_password(&stack);

    let mut opened = 0;
    for round in 1..=rounds {
        let started = Instant::now();
        stack.run(&["down", "--yes"]).code(0);
        assert!(stack.helm_list().is_empty(), "round {round}");
        assert_only(&stack.up(), "installed", &["minio", "pg"]);
        assert!(stack.secrets() == secrets, "round {round}: the Secrets are not those of before");
        let row = query(&stack, "select line from kept");
        let object = store(&stack, &["cat", "store/mlflow/kept"], "");
        println!("round {round}: {row:?}, {object:?}, {:.1} s", started.elapsed().as_secs_f64());
        opened += u32::from(row.as_deref() == Ok("a row") && object.as_deref() == Ok("an object"));
    }
    assert_eq!(opened, rounds, "log-ins that worked");
}

/// Or what follows would prove nothing: both ask for a password, also from inside of the pod.
fn refuses_another_password(stack: &Stack) {
    let refused = in_pod(stack, "pg-postgresql-0", PSQL, &["mlflow", "select 1"], "another\n").unwrap_err();
    assert!(refused.contains("password authentication failed"), "{refused}");
    let key = secret(stack, "mlflow-s3", "AWS_ACCESS_KEY_ID");
    let address = format!("http://{key}:anothersecretkey@127.0.0.1:9000\n");
    let refused = in_pod(stack, "minio-0", MC, &["cat", "store/mlflow/kept"], &address).unwrap_err();
    assert!(refused.contains("signature"), "{refused}");
}

/// Asks PostgreSQL as MLflow's role, by TCP.
fn query(stack: &Stack, statement: &str) -> Result<String, String> {
    let (role, password) = (secret(stack, "mlflow-db", "username"), secret(stack, "mlflow-db", "password"));
    in_pod(stack, "pg-postgresql-0", PSQL, &[&role, statement], &format!("{password}\n"))
}

/// Has MinIO's client do something as MLflow's S3 user.
fn store(stack: &Stack, args: &[&str], input: &str) -> Result<String, String> {
    let key = |name: &str| secret(stack, "mlflow-s3", name);
    let (id, secret) = (key("AWS_ACCESS_KEY_ID"), key("AWS_SECRET_ACCESS_KEY"));
    in_pod(stack, "minio-0", MC, args, &format!("http://{id}:{secret}@127.0.0.1:9000\n{input}"))
}

/// Returns a value of a Secret as the cluster has it now.
fn secret(stack: &Stack, name: &str, key: &str) -> String {
    let found = objects([&format!("secret/{name}"), "--namespace", &stack.system()]);
    let text = found[0]["data"][key].as_str().unwrap_or_else(|| panic!("{name} has no {key}"));
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
}

/// Runs a shell script in a pod. Returns what it wrote, or why it failed.
fn in_pod(stack: &Stack, pod: &str, script: &str, args: &[&str], input: &str) -> Result<String, String> {
    let system = stack.system();
    let mut command = kubectl_command(["exec", "--stdin", pod, "--namespace", &system, "--", "sh", "-c", script, "sh"]);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
