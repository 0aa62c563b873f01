{{- define "kube-state-metrics.data" -}}
{{- $name := printf "%s-kube-state-metrics" .Release.Name -}}
objects:
  - {kind: ServiceAccount, name: {{ $name }}}
  - {kind: ClusterRole, name: {{ $name }}}
  - {kind: ClusterRoleBinding, name: {{ $name }}}
  - {kind: Service, name: {{ $name }}, ports: {http: 8080}}
  {{- if .Values.prometheus.monitor.enabled }}
  - {kind: ServiceMonitor, name: {{ $name }}, port: http}
  {{- end }}
workloads:
  - kind: Deployment
    name: {{ $name }}
    serviceAccount: {{ $name }}
    replicas: {{ .Values.replicas }}
    podAnnotations: {{ toJson .Values.podAnnotations }}
    pullSecrets: {{ toJson .Values.global.imagePullSecrets }}
    nodeSelector: {{ toJson .Values.nodeSelector }}
    tolerations: {{ toJson .Values.tolerations }}
    securityContext: {runAsNonRoot: true, runAsUser: 65534, runAsGroup: 65534, fsGroup: 65534, seccompProfile: {type: RuntimeDefault}}
    containers:
      - name: kube-state-metrics
        image: {{ .Values.global.imageRegistry | default .Values.image.registry }}/{{ .Values.image.repository }}:v{{ .Chart.AppVersion }}
        ports: {http: 8080, metrics: 8081}
        resources: {{ toJson .Values.resources }}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
{{- end -}}
