{{/*
Shared by all test charts: this file is the same in each of them.

A chart describes its objects as data (`objects:`, `workloads:`, `crds:` in a named template); the templates below turn the data into
manifests, so that a chart with a hundred objects stays small.
*/}}

{{- define "test.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name -}}
{{- end -}}
{{- end -}}

{{/* All objects of a chart. Takes dict "root" and "data" (YAML). */}}
{{- define "test.objects" -}}
{{- $root := .root -}}
{{- $data := fromYaml .data -}}
{{- with $data.Error }}{{ fail . }}{{ end -}}
{{- range $object := $data.objects }}
{{- range $name := $object.names | default (list $object.name) }}
---
{{ include "test.object" (dict "root" $root "object" $object "name" $name) }}
{{- end }}
{{- end }}
{{- range $workload := $data.workloads }}
---
{{ include "test.workload" (dict "root" $root "object" $workload "name" $workload.name) }}
{{- end }}
{{- end -}}

{{- define "test.metadata" -}}
{{- $object := .object -}}
{{- $wide := list "ClusterRole" "ClusterRoleBinding" "MutatingWebhookConfiguration" "ValidatingWebhookConfiguration" -}}
name: {{ .name | quote }}
{{- if not (has $object.kind $wide) }}
namespace: {{ $object.namespace | default .root.Release.Namespace }}
{{- end }}
labels:
  {{- include "test.selector" . | nindent 2 }}
  app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
  {{- with $object.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := $object.annotations | default dict -}}
{{- with $object.hook }}{{ $annotations = set $annotations "helm.sh/hook" . }}{{ end -}}
{{- with $object.hookWeight }}{{ $annotations = set $annotations "helm.sh/hook-weight" (toString .) }}{{ end -}}
{{- with $object.hookDelete }}{{ $annotations = set $annotations "helm.sh/hook-delete-policy" . }}{{ end -}}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "test.selector" -}}
app.kubernetes.io/name: {{ .object.app | default .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .object.component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* One object that is not a workload: the fields of `object` that have no meaning here are taken over as they are. */}}
{{- define "test.object" -}}
{{- $root := .root -}}
{{- $object := .object -}}
{{- $apis := dict
      "ClusterRole" "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" "rbac.authorization.k8s.io/v1"
      "Role" "rbac.authorization.k8s.io/v1" "RoleBinding" "rbac.authorization.k8s.io/v1"
      "Ingress" "networking.k8s.io/v1"
      "MutatingWebhookConfiguration" "admissionregistration.k8s.io/v1" "ValidatingWebhookConfiguration" "admissionregistration.k8s.io/v1"
      "Prometheus" "monitoring.coreos.com/v1" "Alertmanager" "monitoring.coreos.com/v1" "PrometheusRule" "monitoring.coreos.com/v1"
      "ServiceMonitor" "monitoring.coreos.com/v1" "PodMonitor" "monitoring.coreos.com/v1" -}}
apiVersion: {{ $object.apiVersion | default (get $apis $object.kind) | default "v1" }}
kind: {{ $object.kind }}
metadata:
  {{- include "test.metadata" . | nindent 2 }}
{{- with omit $object "apiVersion" "kind" "name" "names" "namespace" "app" "component" "labels" "annotations" "hook" "hookWeight" "hookDelete" "role" "serviceAccount" "ports" "headless" "port" "call" "ingress" }}
{{ toYaml . }}
{{- end }}
{{- if and (hasSuffix "Role" $object.kind) (not (hasKey $object "rules")) }}
rules:
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [get, list, watch]
{{- else if and (hasSuffix "RoleBinding" $object.kind) (not (hasKey $object "roleRef")) }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $object.kind | trimSuffix "Binding" }}
  name: {{ $object.role | default .name | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ $object.serviceAccount | default .name | quote }}
    namespace: {{ $root.Release.Namespace }}
{{- else if hasKey $object "spec" }}
{{- else if eq $object.kind "Service" }}
spec:
  {{- if $object.headless }}
  clusterIP: None
  {{- end }}
  selector:
    {{- include "test.selector" . | nindent 4 }}
  ports:
    {{- range $name, $port := $object.ports }}
    - {name: {{ $name }}, port: {{ $port }}}
    {{- end }}
{{- else if eq $object.kind "Ingress" }}
spec:
  {{- with $object.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  rules:
    {{- range $object.ingress.hosts }}
    - host: {{ . }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: {{ $object.ingress.service }}, port: {number: {{ $object.ingress.port }}}}}
    {{- end }}
  {{- with $object.ingress.tls }}
  tls:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- else if has $object.kind (list "ServiceMonitor" "PodMonitor") }}
spec:
  selector:
    matchLabels:
      {{- include "test.selector" . | nindent 6 }}
  {{ eq $object.kind "PodMonitor" | ternary "podMetricsEndpoints" "endpoints" }}:
    - port: {{ $object.port }}
{{- else if eq $object.kind "PrometheusRule" }}
spec:
  groups:
    - name: {{ .name | quote }}
      rules:
        - {alert: TestChart, expr: vector(0) > 1}
{{- else if hasSuffix "WebhookConfiguration" $object.kind }}
webhooks:
  - name: {{ $object.call.name }}
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: {{ $object.call.failurePolicy | default "Fail" }}
    timeoutSeconds: 10
    # Nothing answers behind the Service. So only an object that asks for it, by this label, is sent there.
    objectSelector:
      matchLabels: {mlopsctl.dev/test-webhook: call}
    clientConfig:
      service: {name: {{ $object.call.service }}, namespace: {{ $root.Release.Namespace }}, path: /}
    rules:
      - apiGroups: [{{ $object.call.group }}]
        apiVersions: ["*"]
        operations: [CREATE, UPDATE]
        resources: ["*/*"]
{{- end }}
{{- end -}}

{{/* A Deployment, StatefulSet, DaemonSet, Job or Pod. */}}
{{- define "test.workload" -}}
{{- $workload := .object -}}
apiVersion: {{ has $workload.kind (list "Job" "Pod") | ternary (eq $workload.kind "Job" | ternary "batch/v1" "v1") "apps/v1" }}
kind: {{ $workload.kind }}
metadata:
  {{- include "test.metadata" . | nindent 2 }}
{{- if eq $workload.kind "Pod" }}
spec:
  {{- include "test.podSpec" . | nindent 2 }}
{{- else }}
spec:
  {{- if eq $workload.kind "Job" }}
  {{- with $workload.backoffLimit }}
  backoffLimit: {{ . }}
  {{- end }}
  {{- else }}
  {{- if hasKey $workload "replicas" }}
  replicas: {{ $workload.replicas }}
  {{- end }}
  {{- with $workload.serviceName }}
  serviceName: {{ . }}
  {{- end }}
  {{- with $workload.podManagementPolicy }}
  podManagementPolicy: {{ . }}
  {{- end }}
  {{- with $workload.strategy }}
  strategy: {type: {{ . }}}
  {{- end }}
  selector:
    matchLabels:
      {{- include "test.selector" . | nindent 6 }}
  {{- end }}
  template:
    metadata:
      labels:
        {{- include "test.selector" . | nindent 8 }}
        {{- with $workload.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $workload.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "test.podSpec" . | nindent 6 }}
  {{- with $workload.volumeClaimTemplates }}
  volumeClaimTemplates:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "test.podSpec" -}}
{{- $workload := .object -}}
{{- with $workload.serviceAccount }}
serviceAccountName: {{ . }}
{{- end }}
{{- with $workload.restartPolicy }}
restartPolicy: {{ . }}
{{- end }}
{{- if $workload.hostNetwork }}
hostNetwork: true
hostPID: true
{{- end }}
{{- with $workload.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $workload.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end }}
  {{- end }}
{{- end }}
{{- with $workload.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
# Simulated nodes may carry this taint and this label; a real node beside them is labelled, so that nothing lands there.
tolerations:
  - {key: kwok.x-k8s.io/node, operator: Exists}
  {{- with $workload.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
affinity:
  nodeAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        preference:
          matchExpressions: [{key: type, operator: In, values: [kwok]}]
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions: [{key: mlopsctl.dev/real-node, operator: DoesNotExist}]
containers:
  {{- range $workload.containers }}
  - name: {{ .name }}
    image: {{ .image }}
    imagePullPolicy: {{ .pullPolicy | default "IfNotPresent" }}
    {{- with omit . "name" "image" "pullPolicy" "ports" }}
    {{- range $key, $value := . }}
    {{- if $value }}
    {{ $key }}:
      {{- toYaml $value | nindent 6 }}
    {{- end }}
    {{- end }}
    {{- end }}
    {{- with .ports }}
    ports:
      {{- range $name, $port := . }}
      - {name: {{ $name }}, containerPort: {{ $port }}}
      {{- end }}
    {{- end }}
  {{- end }}
{{- with $workload.volumes }}
volumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* CRDs that accept everything. Takes dict "keep" and "crds" (a YAML list). */}}
{{- define "test.crds" -}}
{{- $keep := .keep -}}
{{- range fromYamlArray .crds }}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: {{ .plural }}.{{ .group }}
  {{- if $keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
spec:
  group: {{ .group }}
  scope: {{ .scope | default "Namespaced" }}
  names:
    kind: {{ .kind }}
    listKind: {{ .kind }}List
    plural: {{ .plural }}
    singular: {{ lower .kind }}
    {{- with .shortNames }}
    shortNames:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .categories }}
    categories:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  versions:
    - name: {{ .version }}
      served: true
      storage: true
      {{- with .subresources }}
      subresources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      schema:
        openAPIV3Schema:
          type: object
          x-kubernetes-preserve-unknown-fields: true
{{- end }}
{{- end -}}
