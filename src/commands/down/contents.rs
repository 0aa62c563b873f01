//! What the volumes hold: databases, buckets, models.

use std::time::Duration;

use super::inventory::{Answer, Found, Holder, Models};
use crate::exec::{ExecError, Runner};
use crate::kubectl;
use crate::mlflow::Mlflow;
use crate::report::Item;
use crate::service::{Service, ServiceError};
use crate::stack::HoldSpec;

/// How long each may take to say what it holds. All are asked at the same time.
const LIMIT: Duration = Duration::from_secs(5);

/// Asks all releases that keep data, and the model registry.
pub(super) async fn ask_all(runner: &Runner, found: &mut Found, registry: Option<(String, Service)>) {
    let mut tasks = tokio::task::JoinSet::new();
    for (place, holder) in found.holders.iter().enumerate().filter(|(_, holder)| holder.installed) {
        let (runner, Holder { spec, namespace, .. }) = (runner.clone(), holder.clone());
        tasks.spawn(async move { (place, ask(&runner, &spec, &namespace).await) });
    }
    let models = async {
        let (release, service) = registry?;
        Some(Models { release, answer: count_models(runner, &service).await })
    };
    let answers = async {
        let mut answers = Vec::new();
        while let Some(done) = tasks.join_next().await {
            answers.extend(done.ok());
        }
        answers
    };
    let (models, answers) = tokio::join!(models, answers);
    found.models = models;
    for (place, answer) in answers {
        found.holders[place].answer = answer;
    }
}

async fn ask(runner: &Runner, spec: &HoldSpec, namespace: &str) -> Answer<Vec<Item>> {
    let call = kubectl::exec(&spec.workload, spec.container.as_deref(), namespace, &spec.command, LIMIT);
    match runner.run(call).await {
        Ok(output) => Ok(items(&output.stdout)),
        Err(ExecError::Timeout { .. }) => Err(late()),
        Err(_) => Err("could not be asked".to_owned()),
    }
}

fn late() -> String {
    format!("did not answer within {}s", LIMIT.as_secs())
}

/// Reads a line per item: its name, a tab, its size.
fn items(text: &str) -> Vec<Item> {
    let read = |line: &str| {
        let (name, bytes) = line.split_once('\t').unwrap_or((line, ""));
        Item { name: name.to_owned(), bytes: bytes.parse().ok() }
    };
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(read).collect()
}

/// Counts the registered models and their versions.
async fn count_models(runner: &Runner, service: &Service) -> Answer<(usize, usize)> {
    let ask = async {
        let models = Mlflow::connect(runner, service).await?.models().await?;
        Ok::<_, ServiceError>((models.len(), models.iter().map(|model| model.versions.len()).sum()))
    };
    match tokio::time::timeout(LIMIT, ask).await {
        Ok(Ok(counts)) => Ok(counts),
        Ok(Err(_)) => Err("could not be asked".to_owned()),
        Err(_) => Err(late()),
    }
}

#[cfg(test)]
mod tests {
    use super::items;

    #[test]
    fn each_line_is_an_item_whether_its_size_is_known_or_not() {
        let found: Vec<(String, Option<u64>)> = items("mlflow\t8036003\nargo\t\n\nwith space\t0\r\nbare\n")
            .into_iter()
            .map(|it| (it.name, it.bytes))
            .collect();
        let expected = [("mlflow", Some(8_036_003)), ("argo", None), ("with space", Some(0)), ("bare", None)];
        assert_eq!(found, expected.map(|(name, bytes)| (name.to_owned(), bytes)));
    }
}
