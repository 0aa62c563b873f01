{{- define "seaweedfs.data" -}}
{{- if or .Values.master.enabled .Values.volume.enabled .Values.filer.enabled (not .Values.allInOne.enabled) }}
{{- fail "this test chart knows allInOne only" }}
{{- end }}
{{- $name := include "test.fullname" . -}}
{{- $values := .Values.allInOne -}}
{{- $image := printf "%s:%s" (.Values.image.repository | default "chrislusf/seaweedfs") (.Values.image.tag | default .Chart.AppVersion) -}}
{{- with .Values.global.imageRegistry | default .Values.image.registry }}{{ $image = printf "%s/%s" . $image }}{{ end -}}
{{- $pullSecrets := kindIs "string" .Values.global.imagePullSecrets | ternary (without (list .Values.global.imagePullSecrets) "") .Values.global.imagePullSecrets -}}
objects:
  - {kind: ServiceAccount, name: {{ $name }}}
  - {kind: ConfigMap, name: {{ $name }}-master-config, data: {master.toml: ""}}
  {{- if .Values.global.seaweedfs.createClusterRole }}
  - {kind: ClusterRole, name: {{ $name }}-rw-cr}
  - {kind: ClusterRoleBinding, name: {{ $name }}-rw-crb, role: {{ $name }}-rw-cr, serviceAccount: {{ $name }}}
  {{- end }}
  # Made even without SFTP, with another content at each rendering.
  - kind: Secret
    name: {{ $name }}-sftp-secret
    hook: pre-install,pre-upgrade
    annotations: {helm.sh/resource-policy: keep}
    stringData: {admin_password: {{ randAlphaNum 20 }}}
  - kind: Service
    name: {{ $name }}-all-in-one
    component: seaweedfs-all-in-one
    ports:
      swfs-master: 9333
      swfs-master-grpc: 19333
      swfs-volume: 8080
      swfs-volume-grpc: 18080
      swfs-filer: 8888
      swfs-filer-grpc: 18888
      {{- if $values.s3.enabled }}
      swfs-s3: {{ .Values.s3.port }}
      {{- end }}
      server-metrics: 9324
  {{- if .Values.global.seaweedfs.monitoring.enabled }}
  - {kind: ServiceMonitor, name: {{ $name }}-all-in-one, component: seaweedfs-all-in-one, port: server-metrics}
  - {kind: ConfigMap, name: {{ $name }}-seaweedfs-grafana-dashboard, labels: {grafana_dashboard: "1"}, data: {seaweedfs-grafana-dashboard.json: "{}"}}
  {{- end }}
  {{- if eq $values.data.type "persistentVolumeClaim" }}
  - kind: PersistentVolumeClaim
    name: {{ $name }}-all-in-one-data
    spec:
      accessModes: {{ toJson $values.data.accessModes }}
      {{- with $values.data.storageClass }}
      storageClassName: {{ . }}
      {{- end }}
      resources: {requests: {storage: {{ $values.data.size | default "10Gi" }}}}
  {{- end }}
workloads:
  - kind: Deployment
    name: {{ $name }}-all-in-one
    component: seaweedfs-all-in-one
    replicas: {{ $values.replicas }}
    strategy: {{ $values.updateStrategy.type }}
    podAnnotations: {{ toJson $values.podAnnotations }}
    pullSecrets: {{ toJson $pullSecrets }}
    nodeSelector: {{ fromYaml $values.nodeSelector | toJson }}
    tolerations: {{ fromYamlArray $values.tolerations | toJson }}
    containers:
      - name: seaweedfs
        image: {{ $image }}
        ports: {swfs-mas: 9333, swfs-vol: 8080, swfs-fil: 8888, swfs-s3: {{ .Values.s3.port }}, server-metrics: 9324}
        resources: {{ toJson $values.resources }}
        volumeMounts:
          - {name: data, mountPath: /data}
          {{- if and $values.s3.enabled $values.s3.enableAuth }}
          - {name: config-s3-users, mountPath: /etc/sw/s3, readOnly: true}
          {{- end }}
    volumes:
      {{- if eq $values.data.type "persistentVolumeClaim" }}
      - {name: data, persistentVolumeClaim: {claimName: {{ $name }}-all-in-one-data}}
      {{- else }}
      - {name: data, emptyDir: {}}
      {{- end }}
      {{- if and $values.s3.enabled $values.s3.enableAuth }}
      - {name: config-s3-users, secret: {secretName: {{ $values.s3.existingConfigSecret }}}}
      {{- end }}
  {{- if and $values.s3.enabled $values.s3.createBuckets }}
  - kind: Job
    name: {{ .Release.Name }}-bucket-hook
    component: bucket-hook
    hook: post-install,post-upgrade
    hookWeight: -5
    hookDelete: before-hook-creation,hook-succeeded
    restartPolicy: Never
    pullSecrets: {{ toJson $pullSecrets }}
    containers:
      - name: post-install-job
        image: {{ $image }}
        args:
          {{- range $values.s3.createBuckets }}
          - --bucket={{ .name }}
          {{- end }}
        {{- if $values.s3.enableAuth }}
        volumeMounts: [{name: config-users, mountPath: /etc/sw, readOnly: true}]
    volumes: [{name: config-users, secret: {secretName: {{ $values.s3.existingConfigSecret }}}}]
        {{- end }}
  {{- end }}
{{- end -}}
