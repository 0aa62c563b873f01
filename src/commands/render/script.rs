//! `install.sh`.

use std::collections::BTreeMap;

use super::secrets;
use crate::render::RenderError;
use crate::stack::{ChartRef, Stack};

const HEAD: &str = r#"#!/usr/bin/env bash
# Installs the stack with helm and kubectl alone, one release after another in the order of their needs. Written by
# `mlopsctl render`; safe to run again. HELM and KUBECTL name other executables, CHARTS a folder with the upstream charts
# (NAME-VERSION.tgz or NAME/) for machines without a network. The kube-context is the current one.
set -euo pipefail
cd "$(dirname "$0")"
HELM=${HELM:-helm}
KUBECTL=${KUBECTL:-kubectl}
CHARTS=${CHARTS:-}

random() { # length, characters
  local text
  text=$(head -c 8192 /dev/urandom | LC_ALL=C tr -dc "$2")
  printf %s "${text:0:$1}"
}
exists() { "$KUBECTL" get secret "$2" --namespace "$1" >/dev/null 2>&1; }
must_exist() { exists "$1" "$2" || { echo "Secret $2 in $1 does not exist; secrets.yaml shows its keys" >&2; exit 3; }; }
value() { # namespace, Secret, key: its value, or nothing
  local key=${3//./\\.}
  "$KUBECTL" get secret "$2" --namespace "$1" --ignore-not-found -o "jsonpath={.data.$key}" | base64 -d
}
encode() { printf %s "$1" | base64 | tr -d '\n'; }
hash() { printf %s "$1" | openssl passwd -apr1 -stdin; }
chart() { # name, version, repository: sets `chart` to helm's arguments
  local candidate
  if [ -n "$CHARTS" ]; then
    for candidate in "$CHARTS/$1-$2.tgz" "$CHARTS/$1-$2" "$CHARTS/$1"; do
      if [ -e "$candidate" ]; then chart=("$candidate"); return; fi
    done
    echo "$CHARTS holds no chart $1 $2" >&2
    exit 3
  fi
  case $3 in
    oci://*) chart=("$3/$1" --version "$2") ;;
    *) chart=("$1" --repo "$3" --version "$2") ;;
  esac
}
crds() {
  echo "applying CustomResourceDefinitions of $1" >&2
  "$HELM" show crds "${chart[@]}" | "$KUBECTL" apply --server-side --force-conflicts -f - >/dev/null
}
install() { # release, namespace, values, seconds
  echo "installing $1" >&2
  "$HELM" upgrade --install "$1" "${chart[@]}" --namespace "$2" --values "$3" --skip-crds --wait --wait-for-jobs --timeout "$4s" >/dev/null
}

"$KUBECTL" apply -f namespaces.yaml >/dev/null
"#;

/// Returns the script. `values` names the values file of each release.
pub(super) fn script(stack: &Stack, values: &BTreeMap<String, String>) -> Result<String, RenderError> {
    let mut text = vec![HEAD.to_owned()];
    for secret in &stack.secrets {
        text.push(secrets::lines(stack, secret)?);
    }
    text.push("\n# CustomResourceDefinitions first: a ServiceMonitor cannot be made before its kind.\n".to_owned());
    for release in &stack.releases {
        if release.crds.as_ref().is_some_and(|crds| crds.render.is_none()) {
            text.push(format!("{}crds {}\n", chart(&release.chart), release.name));
        }
    }
    for release in &stack.releases {
        text.push("\n".to_owned());
        for need in &release.needs {
            text.push(format!("# after {}: {}\n", need.release, need.because));
        }
        let file = values.get(&release.name).map_or("", String::as_str);
        let (name, namespace, seconds) = (&release.name, &release.namespace, release.timeout_seconds);
        text.push(format!("{}install {name} {namespace} {file} {seconds}\n", chart(&release.chart)));
    }
    Ok(text.concat())
}

fn chart(chart: &ChartRef) -> String {
    match chart {
        ChartRef::Stack { name } => format!("chart=(charts/{name})\n"),
        ChartRef::Path { path } => format!("chart=({})\n", secrets::single_quoted(path)),
        ChartRef::Upstream { repository, name, version } => format!("chart {name} {version} {repository}\n"),
    }
}
