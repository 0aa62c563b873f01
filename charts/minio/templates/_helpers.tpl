{{- define "minio.headlessName" -}}
{{- printf "%s-headless" (include "mlops.fullname" .) -}}
{{- end -}}

{{- define "minio.provisioningName" -}}
{{- printf "%s-provisioning" (include "mlops.fullname" . | trunc 43 | trimSuffix "-") -}}
{{- end -}}

{{/* Takes a user of the provisioning list. */}}
{{- define "minio.policyName" -}}
{{- printf "%s-%s" .existingSecret (.accessKeyKey | lower | replace "_" "-" | replace "." "-") -}}
{{- end -}}

{{- define "minio.arns" -}}
{{- $arns := list -}}
{{- range .buckets -}}
{{- $arns = append $arns (printf "arn:aws:s3:::%s%s" . $.suffix) -}}
{{- end -}}
{{- toJson $arns -}}
{{- end -}}

{{/* Takes buckets and access; gives the two statements for them. */}}
{{- define "minio.statements" -}}
{{- $bucketActions := list "s3:GetBucketLocation" "s3:GetBucketVersioning" "s3:ListBucket" "s3:ListBucketVersions" -}}
{{- $objectActions := list "s3:GetObject" "s3:GetObjectTagging" "s3:GetObjectVersion" -}}
{{- if eq .access "readwrite" -}}
{{- $bucketActions = append $bucketActions "s3:ListBucketMultipartUploads" -}}
{{- $objectActions = concat $objectActions (list "s3:PutObject" "s3:PutObjectTagging" "s3:DeleteObject" "s3:DeleteObjectTagging" "s3:AbortMultipartUpload" "s3:ListMultipartUploadParts") -}}
{{- end -}}
{{- list
      (dict "Effect" "Allow" "Action" $bucketActions "Resource" (include "minio.arns" (dict "buckets" .buckets "suffix" "") | fromJsonArray))
      (dict "Effect" "Allow" "Action" $objectActions "Resource" (include "minio.arns" (dict "buckets" .buckets "suffix" "/*") | fromJsonArray))
    | toJson -}}
{{- end -}}

{{/* Takes a user of the provisioning list. */}}
{{- define "minio.policy" -}}
{{- $statements := include "minio.statements" . | fromJsonArray -}}
{{- with .readBuckets -}}
{{- $statements = concat $statements (include "minio.statements" (dict "buckets" . "access" "readonly") | fromJsonArray) -}}
{{- end -}}
{{- dict "Version" "2012-10-17" "Statement" $statements | toPrettyJson -}}
{{- end -}}

{{/* A versioned bucket keeps deleted objects as older versions, so those expire as well. Takes a number of days. */}}
{{- define "minio.lifecycle" -}}
{{- dict "Rules" (list (dict
      "ID" "mlops-expire"
      "Status" "Enabled"
      "Filter" (dict "Prefix" "")
      "Expiration" (dict "Days" (int .))
      "NoncurrentVersionExpiration" (dict "NoncurrentDays" (int .))
    )) | toPrettyJson -}}
{{- end -}}

{{- define "minio.provisioningData" -}}
provision.sh: |
  {{- .Files.Get "files/provision.sh" | trim | nindent 2 }}
buckets: |
  {{- range .Values.provisioning.buckets }}
  {{ .name }} {{ default false .versioning }} {{ int (default 0 .expireDays) }}
  {{- end }}
users: |
  {{- range $index, $user := .Values.provisioning.users }}
  {{ $index }} {{ include "minio.policyName" $user }}
  {{- end }}
{{- range .Values.provisioning.buckets }}
{{- if gt (int .expireDays) 0 }}
lifecycle-{{ .name }}.json: |
  {{- include "minio.lifecycle" .expireDays | nindent 2 }}
{{- end }}
{{- end }}
{{- range $index, $user := .Values.provisioning.users }}
policy-{{ $index }}.json: |
  {{- include "minio.policy" $user | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The spec of the provisioning Job; the Job's name is made of its hash. */}}
{{- define "minio.provisioningSpec" -}}
{{- $job := dict "root" . "component" "provisioning" -}}
{{- $image := .Values.provisioning.image -}}
{{- if not $image.repository -}}
{{- $image = .Values.image -}}
{{- else if not $image.registry -}}
{{- $image = merge (dict "registry" .Values.image.registry) $image -}}
{{- end -}}
backoffLimit: {{ .Values.provisioning.backoffLimit }}
template:
  metadata:
    annotations:
      checksum/plan: {{ include "minio.provisioningData" . | sha256sum }}
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
        image: {{ include "mlops.image" (dict "root" . "image" $image) }}
        imagePullPolicy: {{ $image.pullPolicy }}
        command: [/bin/sh, /opt/plan/provision.sh]
        env:
          - name: ENDPOINT
            value: http://{{ include "mlops.fullname" . }}:9000
          - name: WAIT_SECONDS
            value: {{ .Values.provisioning.waitSeconds | quote }}
          - name: PLAN_DIR
            value: /opt/plan
          - name: CREDENTIALS_DIR
            value: /opt/credentials
          - name: HOME
            value: /tmp
          - name: MC_CONFIG_DIR
            value: /tmp/mc
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
          - name: tmp
            mountPath: /tmp
    volumes:
      - name: plan
        configMap:
          name: {{ include "minio.provisioningName" . }}
      - name: credentials
        projected:
          defaultMode: 0440
          sources:
            - secret:
                name: {{ .Values.auth.existingSecret }}
                items:
                  - key: {{ .Values.auth.rootUserKey }}
                    path: root/access-key
                  - key: {{ .Values.auth.rootPasswordKey }}
                    path: root/secret-key
            {{- range $index, $user := .Values.provisioning.users }}
            - secret:
                name: {{ $user.existingSecret }}
                items:
                  - key: {{ $user.accessKeyKey }}
                    path: users/{{ $index }}/access-key
                  - key: {{ $user.secretKeyKey }}
                    path: users/{{ $index }}/secret-key
            {{- end }}
      # In memory, since mc keeps the root credentials in its configuration.
      - name: tmp
        emptyDir:
          medium: Memory
          sizeLimit: 16Mi
{{- end -}}
