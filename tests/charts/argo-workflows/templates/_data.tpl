{{- define "argo-workflows.config" -}}
{{- with .Values.executor }}
{{- if or .resources .securityContext }}
executor:
  {{- with .resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- with .Values.artifactRepository.s3 }}
artifactRepository:
  archiveLogs: {{ $.Values.artifactRepository.archiveLogs }}
  s3:
    {{- toYaml . | nindent 4 }}
{{- end }}
metricsConfig:
  enabled: {{ .Values.controller.metricsConfig.enabled }}
{{- with .Values.controller.persistence }}
persistence:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.controller.workflowDefaults }}
workflowDefaults:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "argo-workflows.data" -}}
{{- $name := include "test.fullname" . -}}
{{- $controller := printf "%s-workflow-controller" $name -}}
{{- $server := printf "%s-server" $name -}}
{{- $tag := .Values.images.tag | default .Chart.AppVersion -}}
{{- $namespaces := append .Values.controller.workflowNamespaces .Release.Namespace | uniq -}}
{{- $config := include "argo-workflows.config" . -}}
{{- $security := dict "allowPrivilegeEscalation" false "runAsNonRoot" true "capabilities" (dict "drop" (list "ALL")) -}}
objects:
  - {kind: ServiceAccount, name: {{ $controller }}}
  - kind: ClusterRole
    names: [{{ $controller }}, {{ $controller }}-cluster-template, {{ $name }}-admin, {{ $name }}-edit, {{ $name }}-view]
  - {kind: ClusterRoleBinding, names: [{{ $controller }}, {{ $controller }}-cluster-template], serviceAccount: {{ $controller }}}
  - {kind: ConfigMap, name: {{ $controller }}-configmap, data: {config: {{ toJson $config }}}}
  {{- range $namespaces }}
  {{- if $.Values.workflow.rbac.create }}
  - kind: Role
    name: {{ $name }}-workflow
    namespace: {{ . }}
    rules: [{apiGroups: [argoproj.io], resources: [workflowtaskresults], verbs: [create, patch]}]
  - kind: RoleBinding
    name: {{ $name }}-workflow
    namespace: {{ . }}
    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $name }}-workflow}
    subjects: [{kind: ServiceAccount, name: {{ $.Values.workflow.serviceAccount.name }}, namespace: {{ . }}}]
  {{- end }}
  {{- if $.Values.workflow.serviceAccount.create }}
  - kind: ServiceAccount
    name: {{ $.Values.workflow.serviceAccount.name }}
    namespace: {{ . }}
    imagePullSecrets: {{ toJson $.Values.workflow.serviceAccount.pullSecrets }}
  {{- end }}
  {{- end }}
  {{- if .Values.controller.metricsConfig.enabled }}
  - {kind: Service, name: {{ $controller }}, app: argo-workflows-workflow-controller, ports: {metrics: 8080}}
  {{- end }}
  {{- if and .Values.controller.metricsConfig.enabled .Values.controller.serviceMonitor.enabled (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1") }}
  - {kind: ServiceMonitor, name: {{ $controller }}, app: argo-workflows-workflow-controller, port: metrics, labels: {{ toJson .Values.controller.serviceMonitor.additionalLabels }}}
  {{- end }}
  {{- if .Values.server.enabled }}
  - {kind: ServiceAccount, name: {{ $server }}}
  - {kind: ClusterRole, names: [{{ $server }}, {{ $server }}-cluster-template]}
  - {kind: ClusterRoleBinding, names: [{{ $server }}, {{ $server }}-cluster-template], serviceAccount: {{ $server }}}
  - {kind: Service, name: {{ $server }}, app: argo-workflows-server, ports: {web: {{ .Values.server.servicePort }}}}
  {{- with .Values.server.ingress }}
  {{- if .enabled }}
  - kind: Ingress
    name: {{ $server }}
    annotations: {{ toJson .annotations }}
    ingress: {className: {{ .ingressClassName | quote }}, hosts: {{ toJson .hosts }}, tls: {{ toJson .tls }}, service: {{ $server }}, port: {{ $.Values.server.servicePort }}}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- if and .Values.crds.install .Values.crds.full }}
  {{- $hook := "hook: \"pre-install,pre-upgrade\", hookDelete: \"before-hook-creation,hook-succeeded\"" }}
  - {kind: ServiceAccount, name: {{ $name }}-crd-install, hookWeight: -10, {{ $hook }}}
  - {kind: ClusterRole, name: {{ $name }}-crd-install, hookWeight: -10, {{ $hook }}}
  - {kind: ClusterRoleBinding, name: {{ $name }}-crd-install, hookWeight: -10, {{ $hook }}}
  {{- end }}
workloads:
  - kind: Deployment
    name: {{ $controller }}
    app: argo-workflows-workflow-controller
    serviceAccount: {{ $controller }}
    replicas: {{ .Values.controller.replicas }}
    strategy: Recreate
    podAnnotations: {{ toJson .Values.controller.podAnnotations }}
    pullSecrets: {{ toJson .Values.images.pullSecrets }}
    nodeSelector: {{ toJson .Values.controller.nodeSelector }}
    tolerations: {{ toJson .Values.controller.tolerations }}
    containers:
      - name: controller
        image: {{ .Values.controller.image.registry }}/{{ .Values.controller.image.repository }}:{{ $tag }}
        pullPolicy: {{ .Values.images.pullPolicy }}
        args: [--configmap, {{ $controller }}-configmap, --executor-image, "{{ .Values.executor.image.registry }}/{{ .Values.executor.image.repository }}:{{ $tag }}"]
        ports: {metrics: 9090}
        resources: {{ toJson .Values.controller.resources }}
        securityContext: {{ toJson $security }}
  {{- if .Values.server.enabled }}
  - kind: Deployment
    name: {{ $server }}
    app: argo-workflows-server
    serviceAccount: {{ $server }}
    replicas: {{ .Values.server.replicas }}
    podAnnotations: {{ merge (dict "checksum/cm" (sha256sum $config)) .Values.server.podAnnotations | toJson }}
    pullSecrets: {{ toJson .Values.images.pullSecrets }}
    nodeSelector: {{ toJson .Values.server.nodeSelector }}
    tolerations: {{ toJson .Values.server.tolerations }}
    containers:
      - name: argo-server
        image: {{ .Values.server.image.registry }}/{{ .Values.server.image.repository }}:{{ $tag }}
        pullPolicy: {{ .Values.images.pullPolicy }}
        args:
          - server
          - --configmap={{ $controller }}-configmap
          {{- range .Values.server.authModes }}
          - --auth-mode={{ . }}
          {{- end }}
          - --secure={{ .Values.server.secure }}
        ports: {web: {{ .Values.server.servicePort }}}
        resources: {{ toJson .Values.server.resources }}
        securityContext: {{ toJson $security }}
  {{- end }}
  {{- if and .Values.crds.install .Values.crds.full }}
  - kind: Job
    name: {{ $name }}-crd-install
    app: argo-workflows-crd-install
    hook: pre-install,pre-upgrade
    hookWeight: -5
    hookDelete: before-hook-creation,hook-succeeded
    restartPolicy: OnFailure
    serviceAccount: {{ $name }}-crd-install
    pullSecrets: {{ toJson .Values.images.pullSecrets }}
    containers:
      - name: crd-install
        image: registry.k8s.io/kubectl:v1.36.2
        securityContext: {{ toJson $security }}
  {{- end }}
{{- end -}}

{{- define "argo-workflows.crds" -}}
- {group: argoproj.io, kind: ClusterWorkflowTemplate, plural: clusterworkflowtemplates, version: v1alpha1, scope: Cluster, shortNames: [clusterwftmpl, cwft]}
- {group: argoproj.io, kind: CronWorkflow, plural: cronworkflows, version: v1alpha1, shortNames: [cwf, cronwf]}
- {group: argoproj.io, kind: WorkflowArtifactGCTask, plural: workflowartifactgctasks, version: v1alpha1, shortNames: [wfat], subresources: {status: {}}}
- {group: argoproj.io, kind: WorkflowEventBinding, plural: workfloweventbindings, version: v1alpha1, shortNames: [wfeb]}
- {group: argoproj.io, kind: Workflow, plural: workflows, version: v1alpha1, shortNames: [wf]}
- {group: argoproj.io, kind: WorkflowTaskResult, plural: workflowtaskresults, version: v1alpha1}
- {group: argoproj.io, kind: WorkflowTaskSet, plural: workflowtasksets, version: v1alpha1, shortNames: [wfts], subresources: {status: {}}}
- {group: argoproj.io, kind: WorkflowTemplate, plural: workflowtemplates, version: v1alpha1, shortNames: [wftmpl]}
{{- end -}}
