//! The part of MLflow's REST API 2.0 that is needed here: registered models, their versions and aliases, runs.
//!
//! Source of names and shapes: MLflow's REST API reference, checked against a server of version 3.17.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::exec::Runner;
use crate::service::{Client, Service, ServiceError};

const API: &str = "/api/2.0/mlflow";
/// Most entries of one page; the server allows 1000 registered models and 10000 versions.
const PAGE: u32 = 1000;

/// Alias of the version that is served.
pub const CHAMPION: &str = "champion";
/// Alias of the version that was trained last.
pub const CHALLENGER: &str = "challenger";
/// Tag of a version: when it became the champion, in RFC 3339. `model rollback` goes back along these.
pub const CHAMPION_SINCE: &str = "champion_since";

/// A registered model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// Its name.
    pub name: String,
    /// The version that each alias points to.
    pub aliases: BTreeMap<String, u64>,
    /// Its versions, the newest first.
    pub versions: Vec<ModelVersion>,
}

/// A version of a registered model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelVersion {
    /// Its number, from 1.
    pub version: u64,
    /// The run that it comes from; empty where it was registered without one.
    pub run_id: String,
    /// MLflow's word for how it is: `READY`, `PENDING_REGISTRATION` or `FAILED_REGISTRATION`.
    pub status: String,
    /// When it was registered, in milliseconds since 1970.
    pub created: i64,
    /// When it became the champion, if it ever did; RFC 3339.
    pub champion_since: Option<String>,
}

impl Model {
    /// Returns a version by its number.
    pub fn version(&self, number: u64) -> Option<&ModelVersion> {
        self.versions.iter().find(|version| version.version == number)
    }

    /// Returns the aliases of a version.
    pub fn aliases_of(&self, number: u64) -> Vec<&str> {
        self.aliases.iter().filter(|(_, version)| **version == number).map(|(alias, _)| alias.as_str()).collect()
    }

    /// Returns the version that was the champion before the current one.
    pub fn previous_champion(&self) -> Option<u64> {
        let current = self.aliases.get(CHAMPION);
        let earlier = self.versions.iter().filter(|version| Some(&version.version) != current);
        let earlier = earlier.filter_map(|version| {
            let since: Timestamp = version.champion_since.as_ref()?.parse().ok()?;
            Some((since, version.version))
        });
        earlier.max().map(|(_, version)| version)
    }
}

/// A client of one MLflow server.
#[derive(Debug, Clone)]
pub struct Mlflow {
    client: Client,
}

impl Mlflow {
    /// Opens a way to the server behind a Service.
    pub async fn connect(runner: &Runner, service: &Service) -> Result<Self, ServiceError> {
        Ok(Self { client: service.connect(runner).await? })
    }

    /// Returns all registered models by name.
    pub async fn models(&self) -> Result<Vec<Model>, ServiceError> {
        let mut models = Vec::new();
        let mut token = String::new();
        loop {
            let page = PAGE.to_string();
            let mut query = vec![("max_results", page.as_str())];
            if !token.is_empty() {
                query.push(("page_token", &token));
            }
            let answer = self.get("registered-models/search", &query).await?;
            for model in list(&answer["registered_models"]) {
                let name = model["name"].as_str().unwrap_or_default();
                models.push(self.with_versions(name, model).await?);
            }
            match answer["next_page_token"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut token),
                _ => break,
            }
        }
        models.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(models)
    }

    /// Returns a registered model; `None` where there is none of that name.
    pub async fn model(&self, name: &str) -> Result<Option<Model>, ServiceError> {
        match self.get("registered-models/get", &[("name", name)]).await {
            Ok(answer) => Ok(Some(self.with_versions(name, &answer["registered_model"]).await?)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn with_versions(&self, name: &str, model: &Value) -> Result<Model, ServiceError> {
        let aliases = list(&model["aliases"]).filter_map(|it| Some((text(&it["alias"])?, number(&it["version"])?)));
        let filter = format!("name='{}'", name.replace('\'', "\\'"));
        let page = PAGE.to_string();
        let answer = self.get("model-versions/search", &[("filter", &filter), ("max_results", &page)]).await?;
        let mut versions: Vec<ModelVersion> = list(&answer["model_versions"]).filter_map(version).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.version));
        Ok(Model { name: name.to_owned(), aliases: aliases.collect(), versions })
    }

    /// Points an alias at a version.
    pub async fn set_alias(&self, name: &str, alias: &str, version: u64) -> Result<(), ServiceError> {
        let body = json!({"name": name, "alias": alias, "version": version.to_string()});
        self.post("registered-models/alias", &body).await.map(|_| ())
    }

    /// Sets a tag of a version.
    pub async fn set_version_tag(&self, name: &str, version: u64, key: &str, value: &str) -> Result<(), ServiceError> {
        let body = json!({"name": name, "version": version.to_string(), "key": key, "value": value});
        self.post("model-versions/set-tag", &body).await.map(|_| ())
    }

    /// Takes a tag off a version.
    pub async fn delete_version_tag(&self, name: &str, version: u64, key: &str) -> Result<(), ServiceError> {
        let body = json!({"name": name, "version": version.to_string(), "key": key});
        self.delete("model-versions/delete-tag", &body).await
    }

    /// Deletes a registered model with its versions. Their artifacts stay with their runs.
    pub async fn delete_model(&self, name: &str) -> Result<(), ServiceError> {
        self.delete("registered-models/delete", &json!({"name": name})).await
    }

    /// Returns the ids of an experiment's runs, the newest first; none where there is no such experiment.
    pub async fn runs(&self, experiment: &str) -> Result<Vec<String>, ServiceError> {
        let found = match self.get("experiments/get-by-name", &[("experiment_name", experiment)]).await {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let id = found["experiment"]["experiment_id"].clone();
        let answer = self.post("runs/search", &json!({"experiment_ids": [id], "max_results": PAGE})).await?;
        Ok(list(&answer["runs"]).filter_map(|run| text(&run["info"]["run_id"])).collect())
    }

    /// Returns a run's metrics by name.
    pub async fn metrics(&self, run: &str) -> Result<BTreeMap<String, f64>, ServiceError> {
        let answer = self.get("runs/get", &[("run_id", run)]).await?;
        let metrics = list(&answer["run"]["data"]["metrics"]);
        Ok(metrics.filter_map(|metric| Some((text(&metric["key"])?, metric["value"].as_f64()?))).collect())
    }

    /// Marks a run as deleted; `mlflow gc` removes it for good.
    pub async fn delete_run(&self, run: &str) -> Result<(), ServiceError> {
        self.post("runs/delete", &json!({"run_id": run})).await.map(|_| ())
    }

    /// Returns an artifact of a run that is a JSON document; `path` is relative to the run's artifacts.
    pub async fn artifact(&self, run: &str, path: &str) -> Result<Value, ServiceError> {
        self.client.get("/get-artifact", &[("run_uuid", run), ("path", path)]).await
    }

    async fn get(&self, method: &str, query: &[(&str, &str)]) -> Result<Value, ServiceError> {
        self.client.get(&format!("{API}/{method}"), query).await
    }

    async fn post(&self, method: &str, body: &Value) -> Result<Value, ServiceError> {
        self.client.post(&format!("{API}/{method}"), body).await
    }

    async fn delete(&self, method: &str, body: &Value) -> Result<(), ServiceError> {
        self.client.delete(&format!("{API}/{method}"), body).await.map(|_| ())
    }
}

fn version(value: &Value) -> Option<ModelVersion> {
    let tag = list(&value["tags"]).find(|tag| tag["key"] == CHAMPION_SINCE);
    Some(ModelVersion {
        version: number(&value["version"])?,
        run_id: text(&value["run_id"]).unwrap_or_default(),
        status: text(&value["status"]).unwrap_or_else(|| "READY".into()),
        created: number(&value["creation_timestamp"]).and_then(|it| i64::try_from(it).ok()).unwrap_or_default(),
        champion_since: tag.and_then(|tag| text(&tag["value"])),
    })
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The server writes 64-bit numbers as text or as numbers.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
