{{- define "alloy.data" -}}
{{- if ne .Values.controller.type "daemonset" }}
{{- fail "this test chart knows the controller.type daemonset only" }}
{{- end }}
{{- $name := include "test.fullname" . -}}
{{- $registry := .Values.global.image.registry -}}
{{- $config := tpl .Values.alloy.configMap.content . -}}
{{- $volumes := list (dict "name" "config" "configMap" (dict "name" $name)) -}}
{{- $mounts := list (dict "name" "config" "mountPath" "/etc/alloy") -}}
{{- if .Values.alloy.mounts.varlog -}}
{{- $volumes = append $volumes (dict "name" "varlog" "hostPath" (dict "path" "/var/log")) -}}
{{- $mounts = append $mounts (dict "name" "varlog" "mountPath" "/var/log" "readOnly" true) -}}
{{- end -}}
{{- $args := list "run" "/etc/alloy/config.alloy" (printf "--storage.path=%s" .Values.alloy.storagePath) -}}
{{- if not .Values.alloy.enableReporting }}{{ $args = append $args "--disable-reporting" }}{{ end -}}
{{- $env := list (dict "name" "HOSTNAME" "valueFrom" (dict "fieldRef" (dict "fieldPath" "spec.nodeName"))) -}}
objects:
  - {kind: ServiceAccount, name: {{ $name }}}
  - {kind: ClusterRole, name: {{ $name }}}
  - {kind: ClusterRoleBinding, name: {{ $name }}}
  - {kind: ConfigMap, name: {{ $name }}, data: {config.alloy: {{ toJson $config }}}}
  - {kind: Service, name: {{ $name }}, ports: {http-metrics: 12345}}
  {{- if .Values.serviceMonitor.enabled }}
  - {kind: ServiceMonitor, name: {{ $name }}, port: http-metrics, labels: {{ toJson .Values.serviceMonitor.additionalLabels }}}
  {{- end }}
workloads:
  - kind: DaemonSet
    name: {{ $name }}
    serviceAccount: {{ $name }}
    podAnnotations: {{ toJson .Values.controller.podAnnotations }}
    pullSecrets: {{ toJson .Values.global.image.pullSecrets }}
    nodeSelector: {{ toJson .Values.controller.nodeSelector }}
    tolerations: {{ toJson .Values.controller.tolerations }}
    containers:
      - name: alloy
        image: {{ $registry | default .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
        args: {{ toJson $args }}
        env: {{ concat $env .Values.alloy.extraEnv | toJson }}
        envFrom: {{ toJson .Values.alloy.envFrom }}
        ports: {http-metrics: 12345}
        resources: {{ toJson .Values.alloy.resources }}
        volumeMounts: {{ concat $mounts .Values.alloy.mounts.extra | toJson }}
      - name: config-reloader
        {{- with .Values.configReloader.image }}
        image: {{ $registry | default .registry }}/{{ .repository }}:{{ .tag }}@{{ .digest }}
        {{- end }}
        args: [--watched-dir=/etc/alloy, "--reload-url=http://localhost:12345/-/reload"]
        resources: {{ toJson .Values.configReloader.resources }}
        volumeMounts:
          - {name: config, mountPath: /etc/alloy}
    volumes: {{ concat $volumes .Values.controller.volumes.extra | toJson }}
{{- end -}}
