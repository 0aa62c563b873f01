{{- define "grafana.data" -}}
{{- $name := printf "%s-grafana" .Release.Name -}}
{{- $registry := .Values.global.imageRegistry -}}
{{- $secret := .Values.admin.existingSecret | default $name -}}
{{- $annotations := .Values.podAnnotations -}}
{{- $security := dict "allowPrivilegeEscalation" false "capabilities" (dict "drop" (list "ALL")) "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- $password := randAlphaNum 40 -}}
{{- if not .Values.admin.existingSecret }}{{ $annotations = merge (dict "checksum/secret" (sha256sum $password)) $annotations }}{{ end -}}
{{- $ini := toJson (get .Values "grafana.ini") -}}
objects:
  - {kind: ServiceAccount, name: {{ $name }}}
  - {kind: ClusterRole, name: {{ $name }}-clusterrole}
  - {kind: ClusterRoleBinding, name: {{ $name }}-clusterrolebinding, role: {{ $name }}-clusterrole, serviceAccount: {{ $name }}}
  - {kind: ConfigMap, name: {{ $name }}, data: {grafana.ini: {{ toJson $ini }}}}
  {{- if .Values.sidecar.dashboards.enabled }}
  - {kind: ConfigMap, name: {{ $name }}-config-dashboards, data: {provider.yaml: "apiVersion: 1"}}
  {{- end }}
  {{- if not .Values.admin.existingSecret }}
  - kind: Secret
    name: {{ $name }}
    data: {admin-user: {{ .Values.adminUser | b64enc }}, admin-password: {{ $password | b64enc }}}
  {{- end }}
  - {kind: Service, name: {{ $name }}, ports: { {{ .Values.service.portName }}: {{ .Values.service.port }} }}
  {{- if .Values.serviceMonitor.enabled }}
  - {kind: ServiceMonitor, name: {{ $name }}, port: {{ .Values.service.portName }}}
  {{- end }}
  {{- if .Values.persistence.enabled }}
  - kind: PersistentVolumeClaim
    name: {{ $name }}
    annotations: {{ toJson .Values.persistence.annotations }}
    spec:
      accessModes: {{ toJson .Values.persistence.accessModes }}
      {{- with .Values.persistence.storageClassName }}
      storageClassName: {{ . }}
      {{- end }}
      resources: {requests: {storage: {{ .Values.persistence.size }}}}
  {{- end }}
  {{- with .Values.ingress }}
  {{- if .enabled }}
  - kind: Ingress
    name: {{ $name }}
    annotations: {{ toJson .annotations }}
    ingress: {className: {{ .ingressClassName | quote }}, hosts: {{ toJson .hosts }}, tls: {{ toJson .tls }}, service: {{ $name }}, port: {{ $.Values.service.port }}}
  {{- end }}
  {{- end }}
  {{- if .Values.testFramework.enabled }}
  - {kind: ServiceAccount, name: {{ $name }}-test, hook: test, hookDelete: "before-hook-creation,hook-succeeded"}
  - {kind: ConfigMap, name: {{ $name }}-test, hook: test, hookDelete: "before-hook-creation,hook-succeeded", data: {run.sh: exit 0}}
  {{- end }}
workloads:
  - kind: Deployment
    name: {{ $name }}
    serviceAccount: {{ $name }}
    replicas: {{ .Values.replicas }}
    strategy: {{ .Values.deploymentStrategy.type }}
    podAnnotations: {{ merge (dict "checksum/config" (sha256sum $ini)) $annotations | toJson }}
    pullSecrets: {{ toJson .Values.global.imagePullSecrets }}
    nodeSelector: {{ toJson .Values.nodeSelector }}
    tolerations: {{ toJson .Values.tolerations }}
    securityContext: {runAsNonRoot: true, runAsUser: 472, runAsGroup: 472, fsGroup: 472}
    containers:
      {{- range $part, $values := dict "dashboard" .Values.sidecar.dashboards "datasources" .Values.sidecar.datasources }}
      {{- if $values.enabled }}
      - name: grafana-sc-{{ $part }}
        {{- with $.Values.sidecar.image }}
        image: {{ $registry | default .registry }}/{{ .repository }}:{{ .tag }}
        {{- end }}
        env:
          - {name: LABEL, value: {{ $values.label }}}
          - {name: LABEL_VALUE, value: {{ $values.labelValue | quote }}}
          {{- with $values.searchNamespace }}
          - {name: NAMESPACE, value: {{ . }}}
          {{- end }}
          - {name: REQ_USERNAME, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $.Values.admin.userKey }}}}}
          - {name: REQ_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $.Values.admin.passwordKey }}}}}
        resources: {{ toJson $.Values.sidecar.resources }}
        securityContext: {{ toJson $security }}
      {{- end }}
      {{- end }}
      - name: grafana
        image: {{ $registry | default .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
        env:
          - {name: GF_SECURITY_ADMIN_USER, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ .Values.admin.userKey }}}}}
          - {name: GF_SECURITY_ADMIN_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ .Values.admin.passwordKey }}}}}
        ports: { {{ .Values.service.portName }}: 3000 }
        resources: {{ toJson .Values.resources }}
        securityContext: {{ toJson $security }}
        volumeMounts:
          - {name: config, mountPath: /etc/grafana/grafana.ini, subPath: grafana.ini}
          - {name: storage, mountPath: /var/lib/grafana}
    volumes:
      - {name: config, configMap: {name: {{ $name }}}}
      {{- if .Values.persistence.enabled }}
      - {name: storage, persistentVolumeClaim: {claimName: {{ $name }}}}
      {{- else }}
      - {name: storage, emptyDir: {}}
      {{- end }}
  {{- if .Values.testFramework.enabled }}
  - kind: Pod
    name: {{ $name }}-test
    hook: test
    hookDelete: before-hook-creation,hook-succeeded
    restartPolicy: Never
    serviceAccount: {{ $name }}-test
    containers:
      - name: test
        image: {{ $registry | default "docker.io" }}/bats/bats:1.14.0
  {{- end }}
{{- end -}}
