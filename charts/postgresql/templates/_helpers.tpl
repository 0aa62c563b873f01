{{- define "postgresql.headlessName" -}}
{{- printf "%s-headless" (include "mlops.fullname" .) -}}
{{- end -}}

{{- define "postgresql.provisioningName" -}}
{{- printf "%s-provisioning" (include "mlops.fullname" . | trunc 40 | trimSuffix "-") -}}
{{- end -}}

{{- define "postgresql.metricsSecret" -}}
{{- required "metrics.existingSecret is required where metrics are enabled" .Values.metrics.existingSecret -}}
{{- end -}}

{{- define "postgresql.provisioningData" -}}
databases: |
  {{- range $index, $database := .Values.provisioning.databases }}
  {{ $index }} {{ $database.name }}
  {{- end }}
{{- range list "provision.sh" "role.sql" "database.sql" "monitor.sql" }}
{{ . }}: |
  {{- $.Files.Get (printf "files/%s" .) | trim | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The spec of the provisioning Job; the Job's name is made of its hash. */}}
{{- define "postgresql.provisioningSpec" -}}
{{- $job := dict "root" . "component" "provisioning" -}}
backoffLimit: {{ .Values.provisioning.backoffLimit }}
template:
  metadata:
    annotations:
      checksum/plan: {{ include "postgresql.provisioningData" . | sha256sum }}
      {{- with .Values.podAnnotations }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    labels:
      {{- include "mlops.podLabels" $job | nindent 6 }}
  spec:
    {{- include "mlops.podSpec" . | nindent 4 }}
    restartPolicy: OnFailure
    containers:
      - name: provision
        image: {{ include "mlops.image" (dict "root" . "image" .Values.image) }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        command: [/bin/sh, /opt/plan/provision.sh]
        env:
          - name: PGHOST
            value: {{ include "mlops.fullname" . }}
          - name: WAIT_SECONDS
            value: {{ .Values.provisioning.waitSeconds | quote }}
          - name: PLAN_DIR
            value: /opt/plan
          - name: CREDENTIALS_DIR
            value: /opt/credentials
        {{- with .Values.securityContext }}
        securityContext:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        {{- with .Values.provisioning.resources }}
        resources:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        volumeMounts:
          - name: plan
            mountPath: /opt/plan
            readOnly: true
          - name: credentials
            mountPath: /opt/credentials
            readOnly: true
    volumes:
      - name: plan
        configMap:
          name: {{ include "postgresql.provisioningName" . }}
      - name: credentials
        projected:
          defaultMode: 0440
          sources:
            - secret:
                name: {{ .Values.auth.existingSecret }}
                items:
                  - key: {{ .Values.auth.passwordKey }}
                    path: superuser/password
            {{- range $index, $database := .Values.provisioning.databases }}
            - secret:
                name: {{ $database.owner.existingSecret }}
                items:
                  - key: {{ $database.owner.usernameKey }}
                    path: owners/{{ $index }}/username
                  - key: {{ $database.owner.passwordKey }}
                    path: owners/{{ $index }}/password
            {{- end }}
            {{- if .Values.metrics.enabled }}
            - secret:
                name: {{ include "postgresql.metricsSecret" . }}
                items:
                  - key: {{ .Values.metrics.usernameKey }}
                    path: monitor/username
                  - key: {{ .Values.metrics.passwordKey }}
                    path: monitor/password
            {{- end }}
{{- end -}}
