{{- define "cluster.data" -}}
{{- $name := include "test.fullname" . -}}
{{- $cluster := .Values.cluster -}}
objects:
  - kind: Cluster
    apiVersion: postgresql.cnpg.io/v1
    name: {{ $name }}
    annotations: {{ toJson $cluster.annotations }}
    spec:
      instances: {{ $cluster.instances }}
      imageName: {{ $cluster.imageName | default (printf "ghcr.io/cloudnative-pg/postgresql:%s" .Values.version.postgresql) }}
      imagePullSecrets: {{ toJson $cluster.imagePullSecrets }}
      storage:
        size: {{ $cluster.storage.size }}
        {{- with $cluster.storage.storageClass }}
        storageClass: {{ . }}
        {{- end }}
      resources: {{ toJson $cluster.resources }}
      affinity: {{ toJson $cluster.affinity }}
      enableSuperuserAccess: {{ $cluster.enableSuperuserAccess }}
      {{- with $cluster.roles }}
      managed: {roles: {{ toJson . }}}
      {{- end }}
      bootstrap: {initdb: {{ toJson $cluster.initdb }}}
  {{- range .Values.databases }}
  - kind: Database
    apiVersion: postgresql.cnpg.io/v1
    name: {{ $name }}-{{ .name | replace "_" "-" }}
    annotations: {{ toJson $cluster.annotations }}
    spec: {name: {{ .name }}, owner: {{ .owner }}, ensure: present, databaseReclaimPolicy: retain, cluster: {name: {{ $name }}}}
  {{- end }}
  {{- if $cluster.monitoring.instrumentation.logicalReplication }}
  - {kind: ConfigMap, name: {{ $name }}-monitoring-logical-replication, data: {custom-queries: ""}}
  {{- end }}
  {{- if and $cluster.monitoring.enabled $cluster.monitoring.podMonitor.enabled }}
  - {kind: PodMonitor, name: {{ $name }}-cluster-podmonitor, port: metrics, labels: {{ toJson $cluster.monitoring.podMonitor.labels }}}
  {{- end }}
  {{- if and $cluster.monitoring.enabled $cluster.monitoring.prometheusRule.enabled }}
  - {kind: PrometheusRule, name: {{ $name }}-alert-rules}
  {{- end }}
workloads:
  - kind: Job
    name: {{ $name }}-ping-test
    hook: test
    hookDelete: before-hook-creation,hook-succeeded
    restartPolicy: Never
    containers:
      - name: alpine
        image: alpine:3.17
        env:
          - {name: PGUSER, valueFrom: {secretKeyRef: {name: {{ $name }}-app, key: username}}}
{{- end -}}
