{{/*
The server compares the Host header as it stands, port included, and refuses what is not in this list.
Names: the Service's, those of the values and of the ingress, loopback for a port-forward, the pod's own address for a scrape.
*/}}
{{- define "mlflow.allowedHosts" -}}
{{- $name := include "mlops.fullname" . -}}
{{- $namespace := .Release.Namespace -}}
{{- $hosts := list
      $name
      (printf "%s.%s" $name $namespace)
      (printf "%s.%s.svc" $name $namespace)
      (printf "%s.%s.svc.%s" $name $namespace .Values.clusterDomain)
      "localhost"
      "127.0.0.1"
      "$(POD_IP)" -}}
{{- if .Values.ingress.enabled -}}
{{- $hosts = append $hosts .Values.ingress.host -}}
{{- end -}}
{{- $all := list -}}
{{- range concat $hosts .Values.allowedHosts | uniq -}}
{{- $all = append $all . -}}
{{- if not (or (contains ":" .) (contains "*" .)) -}}
{{- $all = append $all (printf "%s:*" .) -}}
{{- end -}}
{{- end -}}
{{- join "," $all -}}
{{- end -}}

{{/* Browsers send an Origin with each change; the ingress's own must be allowed, or the UI can only read. */}}
{{- define "mlflow.allowedOrigins" -}}
{{- $origins := .Values.allowedOrigins -}}
{{- if .Values.ingress.enabled -}}
{{- $origins = append $origins (printf "https://%s" .Values.ingress.host) -}}
{{- $origins = append $origins (printf "http://%s" .Values.ingress.host) -}}
{{- end -}}
{{- join "," (uniq $origins) -}}
{{- end -}}

{{- define "mlflow.authSecret" -}}
{{- required "auth.existingSecret is required where auth is enabled" .Values.auth.existingSecret -}}
{{- end -}}

{{/* Environment of the init container and of the server. */}}
{{- define "mlflow.commonEnv" -}}
- name: HOME
  value: /tmp
- name: MLFLOW_DISABLE_TELEMETRY
  value: "true"
- name: MLFLOW_BACKEND_STORE_URI
  valueFrom:
    secretKeyRef:
      name: {{ required "backendStore.existingSecret is required" .Values.backendStore.existingSecret }}
      key: {{ .Values.backendStore.uriKey }}
{{- if .Values.auth.enabled }}
- name: MLFLOW_AUTH_CONFIG_PATH
  value: /etc/mlflow/auth.ini
{{- end }}
{{- end -}}

{{- define "mlflow.s3Env" -}}
{{- $s3 := .Values.artifacts.s3 -}}
{{- with $s3.endpoint }}
- name: MLFLOW_S3_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- with $s3.region }}
- name: AWS_DEFAULT_REGION
  value: {{ . | quote }}
{{- end }}
{{- with $s3.existingSecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $s3.accessKeyKey }}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $s3.secretKeyKey }}
{{- end }}
{{- if $s3.ca.existingConfigMap }}
- name: AWS_CA_BUNDLE
  value: /etc/s3-ca/ca.crt
{{- end }}
- name: MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE
  value: {{ $s3.addressingStyle }}
# Stores other than AWS may refuse the checksums that boto3 adds by default.
- name: AWS_REQUEST_CHECKSUM_CALCULATION
  value: when_required
- name: AWS_RESPONSE_CHECKSUM_VALIDATION
  value: when_required
{{- end -}}
