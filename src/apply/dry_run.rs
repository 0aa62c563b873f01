//! What the API server would say if helm applied a release now: a server-side dry run, which changes nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cause::{Cause, CauseKind, Source, kind, shown_in, tool_kind};
use crate::exec::{ExecError, Invocation, Runner};
use crate::kubectl;
use crate::plan::{Drift, drift, is_within};
use crate::render::ObjectRef;

/// The field manager of everything that helm applies server-side, whatever its executable is called.
const HELM: &str = "helm";
const OWNER: &str = "meta.helm.sh/release-name";
const OWNER_NAMESPACE: &str = "meta.helm.sh/release-namespace";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Codes that decide what an error of the API server means here.
const NOT_ALLOWED: &str = "MLC203";
const NOT_SERVED: &str = "MLC130";
const REFUSED: &str = "MLC131";
const VOLUME: &str = "MLC139";

/// A release to try.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trial<'a> {
    /// Its name.
    pub(crate) release: &'a str,
    /// Its namespace.
    pub(crate) namespace: &'a str,
    /// The objects that helm would apply, without hooks.
    pub(crate) objects: &'a [Value],
    /// The objects of the manifest in force.
    pub(crate) old: &'a [Value],
    /// It takes fields from other field managers.
    pub(crate) force: bool,
    /// CRDs are applied before it; then a kind that is not served yet is none of its faults.
    pub(crate) crds_first: bool,
}

/// What the API server would say to a release.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forecast {
    /// Objects that it would refuse.
    pub(crate) refusals: Vec<Refusal>,
    /// Fields that are not what helm made of them, by object; an object that is gone has one with an empty path.
    pub(crate) drift: Vec<(ObjectRef, Drift)>,
    /// The user may not apply objects, so that nothing was tried.
    pub(crate) denied: bool,
}

/// An object that the API server would refuse.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// The object.
    pub(crate) object: ObjectRef,
    /// Why.
    pub(crate) cause: Cause,
    /// The table knows the API server's words.
    pub(crate) known: bool,
}

/// Asks the API server what it would make of a release. Objects of namespaces that do not exist yet are not tried.
pub(crate) async fn dry_run(runner: &Runner, trial: Trial<'_>) -> Result<Forecast, ExecError> {
    let mut forecast = Forecast::default();
    let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for object in trial.objects {
        // kubectl takes objects of one namespace at a time.
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or(trial.namespace);
        groups.entry(namespace).or_default().push(owned(object, trial));
    }
    for (namespace, objects) in groups {
        forecast.add(runner, trial, namespace, objects).await?;
    }
    for refusal in &mut forecast.refusals {
        let cause = refusal.cause.clone();
        refusal.cause = cause.with_further_evidence(runner, trial.release, trial.namespace).await;
    }
    Ok(forecast)
}

impl Forecast {
    /// Adds what the API server would say to objects of one namespace.
    async fn add(
        &mut self,
        runner: &Runner,
        trial: Trial<'_>,
        namespace: &str,
        objects: Vec<Value>,
    ) -> Result<(), ExecError> {
        let live = index(ask(runner, &objects, &|objects| kubectl::get_objects(objects, namespace)).await?.answers);
        let mut changed = Vec::new();
        for object in objects {
            match find(&live, &object, namespace) {
                Some(live) if !is_ours(live, trial) => {
                    let text = foreign_text(live, trial);
                    self.refuse(&object, trial, shown_in(Source::Tool, &text), &text);
                }
                // To apply what is there already changes nothing, so nobody has to be asked: a dry run costs more than a look.
                Some(live) if is_within(&object, live) => {}
                _ => changed.push(object),
            }
        }
        let look = |objects: &[Value]| kubectl::get_objects(objects, namespace).arg("--show-managed-fields");
        let attempt = |objects: &[Value]| kubectl::dry_run(objects, namespace, HELM, trial.force);
        let (live, tried) = tokio::join!(ask(runner, &changed, &look), ask(runner, &changed, &attempt));
        let (live, tried) = (index(live?.answers), tried?);
        for (object, error) in tried.refused {
            self.judge(&object, find(&live, &object, namespace), trial, error)?;
        }
        let results = index(tried.answers);
        for object in &changed {
            if let (Some(reference), Some(result)) = (ObjectRef::of(object), find(&results, object, namespace)) {
                self.compare(trial, namespace, &reference, object, find(&live, object, namespace), result);
            }
        }
        Ok(())
    }

    /// Adds where a live object is not what the manifest in force says.
    fn compare(
        &mut self,
        trial: Trial<'_>,
        namespace: &str,
        reference: &ObjectRef,
        object: &Value,
        live: Option<&Value>,
        result: &Value,
    ) {
        let is_it =
            |old: &&Value| ObjectRef::of(old).is_some_and(|it| key(&it, namespace) == key(reference, namespace));
        let old = trial.old.iter().find(is_it).map(|old| owned(old, trial));
        let gone = Drift { path: String::new(), live: Value::Null, wanted: Value::Null, manager: None };
        let found = match (live, old) {
            (Some(live), old) => drift(live, result, old.as_ref(), object),
            (None, Some(_)) => vec![gone],
            (None, None) => Vec::new(),
        };
        self.drift.extend(found.into_iter().map(|it| (reference.clone(), it)));
    }

    fn refuse(&mut self, object: &Value, trial: Trial<'_>, known: Option<&CauseKind>, text: &str) {
        let Some((object, kind)) = ObjectRef::of(object).zip(known.or_else(|| kind(REFUSED))) else { return };
        // Behind the reason kubectl gives advice that is for those who apply by hand.
        let text =
            text.split("\nPlease review the fields above").next().unwrap_or_default().trim_start_matches("error: ");
        let cause = Cause::of_refusal(kind, trial.release, trial.namespace, &object, text);
        self.refusals.push(Refusal { object, cause, known: known.is_some() });
    }

    /// Says what an error about one object means. One that is about the way to the API server is passed on.
    fn judge(
        &mut self,
        object: &Value,
        live: Option<&Value>,
        trial: Trial<'_>,
        error: ExecError,
    ) -> Result<(), ExecError> {
        let text = error.stderr();
        let untried =
            text.contains("does not support dry run") || text.contains("namespaces \"") && text.contains("not found");
        // What helm 3 made, helm 4 goes on to patch: fields of other managers are then no conflict.
        let patched = text.contains("Apply failed with") && live.is_some_and(is_patched);
        let known = shown_in(Source::Tool, text);
        match known.map_or("", |kind| kind.code) {
            _ if untried || patched => {}
            NOT_SERVED if trial.crds_first => {}
            NOT_ALLOWED => self.denied = true,
            _ if is_of_the_way(&error) => return Err(error),
            _ => match live.and_then(|live| volume_change(live, object)) {
                Some(change) => self.refuse(object, trial, kind(VOLUME), &format!("{change}\n{text}")),
                None => self.refuse(object, trial, known, text),
            },
        }
        Ok(())
    }
}

/// What was said of objects.
#[derive(Default)]
struct Asked {
    answers: Vec<Value>,
    refused: Vec<(Value, ExecError)>,
}

/// Asks about objects together. kubectl answers nothing where one of them fails, so then each half is asked again.
async fn ask(
    runner: &Runner,
    objects: &[Value],
    call: &(impl Fn(&[Value]) -> Invocation + Sync),
) -> Result<Asked, ExecError> {
    if objects.is_empty() {
        return Ok(Asked::default());
    }
    match (runner.run(call(objects)).await, objects) {
        (Ok(output), _) => Ok(Asked { answers: kubectl::items(&output.stdout), refused: Vec::new() }),
        (Err(error), _) if is_of_the_way(&error) => Err(error),
        // Who may not ask about one may not ask about the others.
        (Err(error), [object, ..]) if objects.len() == 1 || is_denied(&error) => {
            Ok(Asked { answers: Vec::new(), refused: vec![(object.clone(), error)] })
        }
        (Err(_), objects) => {
            let (left, right) = objects.split_at(objects.len() / 2);
            let (left, right) = tokio::join!(Box::pin(ask(runner, left, call)), Box::pin(ask(runner, right, call)));
            let (mut left, right) = (left?, right?);
            left.answers.extend(right.answers);
            left.refused.extend(right.refused);
            Ok(left)
        }
    }
}

/// Says whether an error is about the way to the API server, and so would be the same for every object.
fn is_of_the_way(error: &ExecError) -> bool {
    let code = tool_kind(error).map_or("", |kind| kind.code);
    matches!(error, ExecError::Interrupted { .. }) || code.starts_with("MLC2") && code != NOT_ALLOWED
}

fn is_denied(error: &ExecError) -> bool {
    tool_kind(error).is_some_and(|kind| kind.code == NOT_ALLOWED)
}

/// Returns an object with the marks that helm puts on it, which are not in its manifest.
fn owned(object: &Value, trial: Trial<'_>) -> Value {
    let mut object = object.clone();
    object["metadata"]["labels"][MANAGED_BY] = json!("Helm");
    object["metadata"]["annotations"][OWNER] = json!(trial.release);
    object["metadata"]["annotations"][OWNER_NAMESPACE] = json!(trial.namespace);
    object
}

fn is_ours(live: &Value, trial: Trial<'_>) -> bool {
    let annotations = &live["metadata"]["annotations"];
    annotations[OWNER] == trial.release && annotations[OWNER_NAMESPACE] == trial.namespace
}

/// Says whether helm made an object by patches and not server-side.
fn is_patched(live: &Value) -> bool {
    let managers = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut helm = managers.filter(|it| it["manager"] == HELM && it["subresource"].is_null());
    helm.any(|it| it["operation"] == "Update")
}

/// Says whose an object is that helm will not take, in helm's own words: <https://github.com/helm/helm>, `pkg/action/validate.go`.
fn foreign_text(live: &Value, trial: Trial<'_>) -> String {
    let annotations = &live["metadata"]["annotations"];
    let wanted = [(OWNER, trial.release), (OWNER_NAMESPACE, trial.namespace)];
    let errors = wanted.iter().filter_map(|(key, wanted)| match annotations[*key].as_str() {
        Some(found) if found == *wanted => None,
        Some(found) => Some(format!(
            "annotation validation error: key \"{key}\" must equal \"{wanted}\": current value is \"{found}\""
        )),
        None => Some(format!("annotation validation error: missing key \"{key}\": must be set to \"{wanted}\"")),
    });
    let errors = errors.collect::<Vec<_>>().join("; ");
    format!("it exists and cannot be imported into the current release: invalid ownership metadata; {errors}")
}

/// Objects by what names them. The version that was asked for need not be that of the answer.
type Index = BTreeMap<(String, String, String), Value>;

fn index(objects: Vec<Value>) -> Index {
    objects.into_iter().filter_map(|object| Some((key(&ObjectRef::of(&object)?, ""), object))).collect()
}

fn key(reference: &ObjectRef, namespace: &str) -> (String, String, String) {
    let namespace = if reference.namespace.is_empty() { namespace } else { &reference.namespace };
    (reference.kind.clone(), namespace.to_owned(), reference.name.clone())
}

/// Finds an object, which has no namespace in the index where its kind has none.
fn find<'a>(index: &'a Index, object: &Value, namespace: &str) -> Option<&'a Value> {
    let reference = ObjectRef::of(object)?;
    index.get(&key(&reference, namespace)).or_else(|| index.get(&key(&reference, "")))
}

/// Says how the volumes differ that a StatefulSet asks for, which no StatefulSet may change. The API server names the object only.
fn volume_change(live: &Value, wanted: &Value) -> Option<String> {
    let templates = |object: &Value| -> BTreeMap<String, (Value, Value)> {
        let items = object["spec"]["volumeClaimTemplates"].as_array().cloned().unwrap_or_default();
        let entry = |item: &Value| {
            let spec = &item["spec"];
            let class = spec["storageClassName"].clone();
            Some((
                item["metadata"]["name"].as_str()?.to_owned(),
                (spec["resources"]["requests"]["storage"].clone(), class),
            ))
        };
        items.iter().filter_map(entry).collect()
    };
    if wanted["kind"] != "StatefulSet" {
        return None;
    }
    let (live, wanted) = (templates(live), templates(wanted));
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let changed = wanted.iter().find_map(|(name, (size, class))| {
        let (old_size, old_class) = live.get(name)?;
        if old_size != size {
            return Some(format!("volume {name}: {} → {}", text(old_size), text(size)));
        }
        (old_class != class).then(|| format!("volume {name}: storage class {} → {}", text(old_class), text(class)))
    });
    changed.or_else(|| (live.len() != wanted.len()).then(|| "another number of volumes".to_owned()))
}
