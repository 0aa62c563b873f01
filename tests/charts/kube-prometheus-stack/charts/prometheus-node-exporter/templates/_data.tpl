{{- define "prometheus-node-exporter.data" -}}
{{- $name := printf "%s-prometheus-node-exporter" .Release.Name -}}
objects:
  - {kind: ServiceAccount, name: {{ $name }}}
  - {kind: Service, name: {{ $name }}, ports: {http-metrics: 9100}}
  {{- if .Values.prometheus.monitor.enabled }}
  - {kind: ServiceMonitor, name: {{ $name }}, port: http-metrics}
  {{- end }}
workloads:
  - kind: DaemonSet
    name: {{ $name }}
    serviceAccount: {{ $name }}
    hostNetwork: true
    podAnnotations: {{ toJson .Values.podAnnotations }}
    pullSecrets: {{ toJson .Values.global.imagePullSecrets }}
    nodeSelector: {{ toJson .Values.nodeSelector }}
    tolerations: {{ toJson .Values.tolerations }}
    securityContext: {runAsNonRoot: true, runAsUser: 65534, runAsGroup: 65534, fsGroup: 65534}
    containers:
      - name: node-exporter
        image: {{ .Values.global.imageRegistry | default .Values.image.registry }}/{{ .Values.image.repository }}:v{{ .Chart.AppVersion }}-distroless
        ports: {http-metrics: 9100}
        resources: {{ toJson .Values.resources }}
        securityContext: {readOnlyRootFilesystem: true}
        volumeMounts:
          - {name: root, mountPath: /host/root, readOnly: true}
    volumes:
      - {name: root, hostPath: {path: /}}
{{- end -}}
