{{- define "loki.config" -}}
auth_enabled: {{ .Values.loki.auth_enabled }}
{{- with .Values.loki.analytics }}
analytics:
  {{- toYaml . | nindent 2 }}
{{- end }}
common:
  {{- toYaml .Values.loki.commonConfig | nindent 2 }}
  storage:
    {{- if eq .Values.loki.storage.type "s3" }}
    s3:
      bucketnames: {{ (.Values.loki.storage.bucketNames | default dict).chunks | required "Please define loki.storage.bucketNames.chunks" }}
      endpoint: {{ .Values.loki.storage.s3.endpoint }}
      region: {{ .Values.loki.storage.s3.region }}
      insecure: {{ .Values.loki.storage.s3.insecure }}
      s3forcepathstyle: {{ .Values.loki.storage.s3.s3ForcePathStyle }}
      access_key_id: {{ .Values.loki.storage.s3.accessKeyId }}
      secret_access_key: {{ .Values.loki.storage.s3.secretAccessKey }}
    {{- else }}
    filesystem:
      chunks_directory: /var/loki/chunks
      rules_directory: /var/loki/rules
    {{- end }}
schema_config:
  {{- toYaml .Values.loki.schemaConfig | nindent 2 }}
{{- with .Values.loki.limits_config }}
limits_config:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.loki.compactor }}
compactor:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "loki.data" -}}
{{- if not (or .Values.loki.schemaConfig .Values.loki.useTestSchema) }}
{{- fail "You must provide a schema_config for Loki, one is not provided as this will be individual for every Loki cluster. Set loki.schemaConfig." }}
{{- end }}
{{- if .Values.minio.enabled }}
{{- fail "minio.enabled is gone: bring a store of your own" }}
{{- end }}
{{- if ne .Values.deploymentMode "Monolithic" }}
{{- fail "this test chart knows the deploymentMode Monolithic only" }}
{{- end }}
{{- if or .Values.gateway.enabled .Values.chunksCache.enabled .Values.resultsCache.enabled .Values.lokiCanary.enabled .Values.test.enabled .Values.read.replicas .Values.write.replicas .Values.backend.replicas }}
{{- fail "this test chart knows a single binary without gateway, caches, canary and test only" }}
{{- end }}
{{- $name := include "test.fullname" . -}}
{{- $config := include "loki.config" . -}}
{{- $registry := .Values.global.imageRegistry | default .Values.loki.image.registry -}}
{{- $security := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) "seccompProfile" (dict "type" "RuntimeDefault") -}}
objects:
  - {kind: ServiceAccount, names: [{{ $name }}, {{ $name }}-memcached]}
  - {kind: ClusterRole, name: {{ $name }}-clusterrole}
  - {kind: ClusterRoleBinding, name: {{ $name }}-clusterrolebinding, role: {{ $name }}-clusterrole, serviceAccount: {{ $name }}}
  - kind: ConfigMap
    name: {{ $name }}
    data:
      config.yaml: {{ toJson $config }}
  - {kind: ConfigMap, name: {{ $name }}-runtime, data: {runtime-config.yaml: "{}"}}
  - {kind: Service, name: {{ $name }}, component: single-binary, ports: {http-metrics: 3100, grpc: 9095, grpclb: 9096}}
  - {kind: Service, name: {{ $name }}-headless, component: single-binary, headless: true, ports: {http-metrics: 3100, grpc: 9095, grpclb: 9096}}
  - {kind: Service, name: {{ $name }}-memberlist, headless: true, ports: {tcp: 7946}}
  {{- if .Values.monitoring.serviceMonitor.enabled }}
  - {kind: ServiceMonitor, name: {{ $name }}, port: http-metrics, labels: {{ toJson .Values.monitoring.serviceMonitor.labels }}}
  {{- end }}
workloads:
  - kind: StatefulSet
    name: {{ $name }}
    component: single-binary
    replicas: {{ .Values.singleBinary.replicas }}
    serviceName: {{ $name }}-headless
    podManagementPolicy: Parallel
    serviceAccount: {{ $name }}
    podAnnotations: {{ merge (dict "checksum/config" (sha256sum $config)) .Values.singleBinary.podAnnotations .Values.loki.podAnnotations | toJson }}
    pullSecrets: {{ toJson .Values.imagePullSecrets }}
    nodeSelector: {{ toJson .Values.singleBinary.nodeSelector }}
    tolerations: {{ toJson .Values.singleBinary.tolerations }}
    securityContext: {runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001, fsGroup: 10001, seccompProfile: {type: RuntimeDefault}}
    containers:
      - name: loki
        image: {{ $registry }}/{{ .Values.loki.image.repository }}:{{ .Values.loki.image.tag | default .Chart.AppVersion }}
        args: {{ concat (list "-config.file=/etc/loki/config/config.yaml" "-target=all") .Values.singleBinary.extraArgs | toJson }}
        ports: {http-metrics: 3100, grpc: 9095, http-memberlist: 7946}
        env: {{ toJson .Values.singleBinary.extraEnv }}
        envFrom: {{ toJson .Values.singleBinary.extraEnvFrom }}
        resources: {{ toJson .Values.singleBinary.resources }}
        securityContext: {{ toJson $security }}
        volumeMounts:
          - {name: config, mountPath: /etc/loki/config}
          - {name: runtime-config, mountPath: /etc/loki/runtime-config}
          - {name: storage, mountPath: /var/loki}
      {{- if .Values.sidecar.rules.enabled }}
      - name: loki-sc-rules
        image: {{ .Values.global.imageRegistry | default .Values.sidecar.image.registry }}/{{ .Values.sidecar.image.repository }}:{{ .Values.sidecar.image.tag }}
        resources: {{ toJson .Values.sidecar.resources }}
        securityContext: {{ toJson $security }}
      {{- end }}
    volumes:
      - {name: config, configMap: {name: {{ $name }}}}
      - {name: runtime-config, configMap: {name: {{ $name }}-runtime}}
      {{- if not .Values.singleBinary.persistence.enabled }}
      - {name: storage, emptyDir: {}}
      {{- end }}
    {{- with .Values.singleBinary.persistence }}
    {{- if .enabled }}
    volumeClaimTemplates:
      - metadata: {name: storage}
        spec:
          accessModes: {{ toJson .accessModes }}
          {{- with .storageClass }}
          storageClassName: {{ . }}
          {{- end }}
          resources: {requests: {storage: {{ .size }}}}
    {{- end }}
    {{- end }}
{{- end -}}
