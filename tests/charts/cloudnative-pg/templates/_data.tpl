{{- define "cloudnative-pg.data" -}}
{{- $name := include "test.fullname" . -}}
objects:
  - {kind: ServiceAccount, name: {{ $name }}}
  # Names without the release's: only one operator fits into a cluster.
  - {kind: ConfigMap, name: cnpg-controller-manager-config, data: {}}
  - {kind: ConfigMap, name: cnpg-default-monitoring, data: {queries: ""}}
  - {kind: ClusterRole, names: [{{ $name }}, {{ $name }}-view, {{ $name }}-edit]}
  - {kind: ClusterRoleBinding, name: {{ $name }}}
  - {kind: Service, name: cnpg-webhook-service, ports: {webhook-server: 443}}
  - {kind: MutatingWebhookConfiguration, name: cnpg-mutating-webhook-configuration, call: {name: mcluster.cnpg.io, service: cnpg-webhook-service, group: postgresql.cnpg.io}}
  - {kind: ValidatingWebhookConfiguration, name: cnpg-validating-webhook-configuration, call: {name: vcluster.cnpg.io, service: cnpg-webhook-service, group: postgresql.cnpg.io}}
  {{- if .Values.monitoring.podMonitorEnabled }}
  - {kind: PodMonitor, name: {{ $name }}, port: metrics, labels: {{ toJson .Values.monitoring.podMonitorAdditionalLabels }}}
  {{- end }}
workloads:
  - kind: Deployment
    name: {{ $name }}
    serviceAccount: {{ $name }}
    replicas: {{ .Values.replicaCount }}
    podAnnotations: {{ toJson .Values.podAnnotations }}
    pullSecrets: {{ toJson .Values.imagePullSecrets }}
    nodeSelector: {{ toJson .Values.nodeSelector }}
    tolerations: {{ toJson .Values.tolerations }}
    securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
    containers:
      - name: manager
        image: {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
        args: [controller, --leader-elect]
        ports: {metrics: 8080, webhook-server: 9443}
        resources: {{ toJson .Values.resources }}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, runAsUser: 10001, capabilities: {drop: [ALL]}}
        volumeMounts:
          - {name: webhook-certificates, mountPath: /run/secrets/cnpg.io/webhook}
    volumes:
      - {name: webhook-certificates, secret: {secretName: cnpg-webhook-cert, optional: true}}
{{- end -}}

{{- define "cloudnative-pg.crds" -}}
{{- $status := "subresources: {status: {}}" -}}
- {group: postgresql.cnpg.io, kind: Backup, plural: backups, version: v1, {{ $status }}}
- {group: postgresql.cnpg.io, kind: ClusterImageCatalog, plural: clusterimagecatalogs, version: v1, scope: Cluster}
- group: postgresql.cnpg.io
  kind: Cluster
  plural: clusters
  version: v1
  subresources:
    status: {}
    scale: {specReplicasPath: .spec.instances, statusReplicasPath: .status.instances, labelSelectorPath: .status.selector}
- {group: postgresql.cnpg.io, kind: DatabaseRole, plural: databaseroles, version: v1, {{ $status }}}
- {group: postgresql.cnpg.io, kind: Database, plural: databases, version: v1, {{ $status }}}
- {group: postgresql.cnpg.io, kind: FailoverQuorum, plural: failoverquorums, version: v1, {{ $status }}}
- {group: postgresql.cnpg.io, kind: ImageCatalog, plural: imagecatalogs, version: v1}
- group: postgresql.cnpg.io
  kind: Pooler
  plural: poolers
  version: v1
  subresources:
    status: {}
    scale: {specReplicasPath: .spec.instances, statusReplicasPath: .status.instances}
- {group: postgresql.cnpg.io, kind: Publication, plural: publications, version: v1, {{ $status }}}
- {group: postgresql.cnpg.io, kind: ScheduledBackup, plural: scheduledbackups, version: v1, {{ $status }}}
- {group: postgresql.cnpg.io, kind: Subscription, plural: subscriptions, version: v1, {{ $status }}}
{{- end -}}
