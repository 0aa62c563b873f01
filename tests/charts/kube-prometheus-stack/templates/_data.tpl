{{- define "kube-prometheus-stack.selector" -}}
{{- if .own -}}
{matchLabels: {release: {{ .root.Release.Name }}}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{- define "kube-prometheus-stack.data" -}}
{{- range $key := list "kubeEtcd" "kubeScheduler" "kubeControllerManager" "kubeProxy" }}
{{- if (get $.Values $key).enabled }}
{{- fail (printf "this test chart does not know %s.enabled" $key) }}
{{- end }}
{{- end }}
{{- $name := printf "%s-%s" .Release.Name .Chart.Name | trunc 26 | trimSuffix "-" -}}
{{- $registry := .Values.global.imageRegistry | default "quay.io" -}}
{{- $operator := .Values.prometheusOperator -}}
{{- $hooks := $operator.admissionWebhooks -}}
{{- $security := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- $podSecurity := dict "runAsNonRoot" true "runAsUser" 65534 "runAsGroup" 65534 "fsGroup" 65534 "seccompProfile" (dict "type" "RuntimeDefault") -}}
objects:
  - {kind: ServiceAccount, names: [{{ $name }}-operator, {{ $name }}-prometheus]}
  - {kind: ClusterRole, names: [{{ $name }}-operator, {{ $name }}-prometheus]}
  - {kind: ClusterRoleBinding, names: [{{ $name }}-operator, {{ $name }}-prometheus]}
  - {kind: Service, name: {{ $name }}-operator, app: kube-prometheus-stack-prometheus-operator, component: prometheus-operator, ports: {http: 8080}}
  - kind: Service
    name: {{ $name }}-prometheus
    spec:
      selector: {app.kubernetes.io/name: prometheus, operator.prometheus.io/name: {{ $name }}-prometheus}
      ports:
        - {name: http-web, port: 9090, targetPort: 9090}
        - {name: reloader-web, port: 8080, targetPort: reloader-web}
  - kind: Service
    name: {{ $name }}-coredns
    namespace: kube-system
    spec:
      clusterIP: None
      selector: {k8s-app: kube-dns}
      ports: [{name: http-metrics, port: 9153, targetPort: 9153}]
  - {kind: ServiceMonitor, names: [{{ $name }}-operator, {{ $name }}-prometheus, {{ $name }}-coredns, {{ $name }}-apiserver, {{ $name }}-kubelet], port: http-metrics}
  {{- with .Values.prometheus.prometheusSpec }}
  - kind: Prometheus
    name: {{ $name }}-prometheus
    spec:
      image: {{ $registry }}/prometheus/prometheus:v3.14.0-distroless
      version: v3.14.0-distroless
      replicas: {{ .replicas }}
      retention: {{ .retention }}
      {{- with .retentionSize }}
      retentionSize: {{ . }}
      {{- end }}
      serviceAccountName: {{ $name }}-prometheus
      imagePullSecrets: {{ toJson $.Values.global.imagePullSecrets }}
      serviceMonitorSelector: {{ include "kube-prometheus-stack.selector" (dict "root" $ "own" .serviceMonitorSelectorNilUsesHelmValues) }}
      serviceMonitorNamespaceSelector: {}
      podMonitorSelector: {{ include "kube-prometheus-stack.selector" (dict "root" $ "own" .podMonitorSelectorNilUsesHelmValues) }}
      podMonitorNamespaceSelector: {}
      ruleSelector: {{ include "kube-prometheus-stack.selector" (dict "root" $ "own" .ruleSelectorNilUsesHelmValues) }}
      ruleNamespaceSelector: {}
      probeSelector: {{ include "kube-prometheus-stack.selector" (dict "root" $ "own" .probeSelectorNilUsesHelmValues) }}
      probeNamespaceSelector: {}
      scrapeConfigSelector: {{ include "kube-prometheus-stack.selector" (dict "root" $ "own" .scrapeConfigSelectorNilUsesHelmValues) }}
      scrapeConfigNamespaceSelector: {}
      {{- with .storageSpec }}
      storage: {{ toJson . }}
      {{- end }}
      resources: {{ toJson .resources }}
  {{- end }}
  {{- if .Values.alertmanager.enabled }}
  {{- with .Values.alertmanager.alertmanagerSpec }}
  - kind: Alertmanager
    name: {{ $name }}-alertmanager
    spec:
      image: {{ $registry }}/prometheus/alertmanager:v0.34.0
      version: v0.34.0
      replicas: {{ .replicas }}
      retention: {{ .retention }}
      serviceAccountName: {{ $name }}-alertmanager
      imagePullSecrets: {{ toJson $.Values.global.imagePullSecrets }}
      {{- with .storage }}
      storage: {{ toJson . }}
      {{- end }}
      resources: {{ toJson .resources }}
  {{- end }}
  - {kind: ServiceAccount, name: {{ $name }}-alertmanager}
  - kind: Secret
    name: alertmanager-{{ $name }}-alertmanager
    data: {alertmanager.yaml: {{ "route: {receiver: \"null\"}\nreceivers: [{name: \"null\"}]\n" | b64enc }}}
  - kind: Service
    name: {{ $name }}-alertmanager
    spec:
      selector: {app.kubernetes.io/name: alertmanager, alertmanager: {{ $name }}-alertmanager}
      ports:
        - {name: http-web, port: 9093, targetPort: 9093}
        - {name: reloader-web, port: 8080, targetPort: reloader-web}
  - {kind: ServiceMonitor, name: {{ $name }}-alertmanager, port: http-web}
  {{- end }}
  {{- if .Values.defaultRules.create }}
  - kind: PrometheusRule
    names:
      {{- range list
        "alertmanager.rules" "config-reloaders" "general.rules" "k8s.rules.container-cpu-usage-second" "k8s.rules.container-memory-cache"
        "k8s.rules.container-memory-rss" "k8s.rules.container-memory-swap" "k8s.rules.container-memory-working-s"
        "k8s.rules.container-resource" "k8s.rules.pod-owner" "kube-apiserver-availability.rules" "kube-apiserver-burnrate.rules"
        "kube-apiserver-histogram.rules" "kube-apiserver-slos" "kube-prometheus-general.rules" "kube-prometheus-node-recording.rules"
        "kube-state-metrics" "kubelet.rules" "kubernetes-apps" "kubernetes-resources" "kubernetes-storage" "kubernetes-system"
        "kubernetes-system-apiserver" "kubernetes-system-kubelet" "node-exporter" "node-exporter.rules" "node-network" "node.rules"
        "prometheus" "prometheus-operator" }}
      - {{ $name }}-{{ . }}
      {{- end }}
  {{- end }}
  {{- if .Values.grafana.enabled }}
  - kind: ConfigMap
    name: {{ $name }}-grafana-datasource
    labels: {grafana_datasource: "1"}
    data:
      datasource.yaml: |
        apiVersion: 1
        datasources:
          - {name: Prometheus, type: prometheus, uid: prometheus, url: "http://{{ $name }}-prometheus.{{ .Release.Namespace }}:9090/", access: proxy, isDefault: true}
          {{- if .Values.grafana.sidecar.datasources.alertmanager.enabled }}
          - {name: Alertmanager, type: alertmanager, uid: alertmanager, url: "http://{{ $name }}-alertmanager.{{ .Release.Namespace }}:9093/", access: proxy}
          {{- end }}
          {{- with .Values.grafana.additionalDataSources }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
  {{- if .Values.grafana.defaultDashboardsEnabled }}
  - kind: ConfigMap
    labels: {grafana_dashboard: "1"}
    names:
      {{- $dashboards := list
        "apiserver" "cluster-total" "grafana-overview" "k8s-coredns" "k8s-resources-cluster" "k8s-resources-multicluster"
        "k8s-resources-namespace" "k8s-resources-node" "k8s-resources-nodes-overview" "k8s-resources-pod" "k8s-resources-workload"
        "k8s-resources-workloads-namespace" "kubelet" "namespace-by-pod" "namespace-by-workload" "persistentvolumesusage"
        "pod-total" "prometheus" "workload-total" }}
      {{- if .Values.nodeExporter.enabled }}{{ $dashboards = concat $dashboards (list "node-cluster-rsrc-use" "node-rsrc-use" "nodes" "nodes-aix" "nodes-darwin") }}{{ end }}
      {{- if .Values.alertmanager.enabled }}{{ $dashboards = append $dashboards "alertmanager-overview" }}{{ end }}
      {{- range $dashboards }}
      - {{ $name }}-{{ . }}
      {{- end }}
    data:
      dashboard.json: '{"title": "test chart", "panels": []}'
  {{- end }}
  {{- end }}
  {{- if $hooks.enabled }}
  {{- range $kind := list "MutatingWebhookConfiguration" "ValidatingWebhookConfiguration" }}
  - {kind: {{ $kind }}, name: {{ $name }}-admission, call: {name: prometheusrule.monitoring.coreos.com, service: {{ $name }}-operator, group: monitoring.coreos.com, failurePolicy: {{ $hooks.failurePolicy | default "Ignore" }}}}
  {{- end }}
  {{- if $hooks.patch.enabled }}
  {{- range $kind := list "ServiceAccount" "ClusterRole" "ClusterRoleBinding" "Role" "RoleBinding" }}
  - {kind: {{ $kind }}, name: {{ $name }}-admission, hook: "pre-install,pre-upgrade,post-install,post-upgrade", hookDelete: "before-hook-creation,hook-succeeded"}
  {{- end }}
  {{- end }}
  {{- end }}
workloads:
  - kind: Deployment
    name: {{ $name }}-operator
    app: kube-prometheus-stack-prometheus-operator
    component: prometheus-operator
    serviceAccount: {{ $name }}-operator
    replicas: 1
    pullSecrets: {{ toJson .Values.global.imagePullSecrets }}
    nodeSelector: {{ toJson $operator.nodeSelector }}
    tolerations: {{ toJson $operator.tolerations }}
    securityContext: {{ toJson $podSecurity }}
    containers:
      - name: kube-prometheus-stack
        image: {{ $registry }}/prometheus-operator/prometheus-operator:{{ .Chart.AppVersion }}
        args: ["--prometheus-config-reloader={{ $registry }}/prometheus-operator/prometheus-config-reloader:{{ .Chart.AppVersion }}"]
        ports: {http: 8080}
        resources: {{ toJson $operator.resources }}
        securityContext: {{ toJson $security }}
        {{- if $operator.tls.enabled }}
        volumeMounts: [{name: tls-secret, mountPath: /cert}]
    # Made by the webhooks' Job; without that Job the pod waits for ever, as upstream's does.
    volumes: [{name: tls-secret, secret: {secretName: {{ $name }}-admission}}]
        {{- end }}
  {{- if and $hooks.enabled $hooks.patch.enabled }}
  {{- range $job, $hook := dict "create" "pre-install,pre-upgrade" "patch" "post-install,post-upgrade" }}
  - kind: Job
    name: {{ $name }}-admission-{{ $job }}
    app: kube-prometheus-stack-admission-{{ $job }}
    hook: {{ $hook }}
    hookDelete: before-hook-creation,hook-succeeded
    restartPolicy: OnFailure
    serviceAccount: {{ $name }}-admission
    pullSecrets: {{ toJson $.Values.global.imagePullSecrets }}
    securityContext: {{ toJson $podSecurity }}
    containers:
      - name: {{ $job }}
        image: {{ $.Values.global.imageRegistry | default "ghcr.io" }}/jkroepke/kube-webhook-certgen:1.8.7
        args: [{{ $job }}]
        securityContext: {{ toJson $security }}
  {{- end }}
  {{- end }}
{{- end -}}
