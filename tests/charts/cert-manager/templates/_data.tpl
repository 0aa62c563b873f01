{{- define "cert-manager.data" -}}
{{- $image := printf "%s/%s/cert-manager" .Values.imageRegistry .Values.imageNamespace -}}
{{- $security := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- $podSecurity := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
objects:
  # The pull secrets are theirs, not the pods'.
  - kind: ServiceAccount
    names: [cert-manager, cert-manager-cainjector, cert-manager-webhook]
    imagePullSecrets: {{ toJson .Values.global.imagePullSecrets }}
  - kind: ClusterRole
    names:
      - cert-manager-cainjector
      - cert-manager-cluster-view
      - cert-manager-controller-approve:cert-manager-io
      - cert-manager-controller-certificates
      - cert-manager-controller-certificatesigningrequests
      - cert-manager-controller-challenges
      - cert-manager-controller-clusterissuers
      - cert-manager-controller-ingress-shim
      - cert-manager-controller-issuers
      - cert-manager-controller-orders
      - cert-manager-edit
      - cert-manager-view
      - cert-manager-webhook:subjectaccessreviews
  - kind: ClusterRoleBinding
    serviceAccount: cert-manager
    names:
      - cert-manager-controller-approve:cert-manager-io
      - cert-manager-controller-certificates
      - cert-manager-controller-certificatesigningrequests
      - cert-manager-controller-challenges
      - cert-manager-controller-clusterissuers
      - cert-manager-controller-ingress-shim
      - cert-manager-controller-issuers
      - cert-manager-controller-orders
  - {kind: ClusterRoleBinding, name: cert-manager-cainjector}
  - {kind: ClusterRoleBinding, name: "cert-manager-webhook:subjectaccessreviews", serviceAccount: cert-manager-webhook}
  # Leases are kept where the chart's upstream keeps them, outside the release's namespace.
  - {kind: Role, namespace: kube-system, names: ["cert-manager:leaderelection", "cert-manager-cainjector:leaderelection"]}
  - {kind: RoleBinding, namespace: kube-system, name: "cert-manager:leaderelection", serviceAccount: cert-manager}
  - {kind: RoleBinding, namespace: kube-system, name: "cert-manager-cainjector:leaderelection", serviceAccount: cert-manager-cainjector}
  - {kind: Role, name: "cert-manager-webhook:dynamic-serving"}
  - {kind: RoleBinding, name: "cert-manager-webhook:dynamic-serving", serviceAccount: cert-manager-webhook}
  - {kind: Service, name: cert-manager, app: cert-manager, component: controller, ports: {http-metrics: 9402}}
  - {kind: Service, name: cert-manager-cainjector, app: cainjector, component: cainjector, ports: {http-metrics: 9402}}
  - {kind: Service, name: cert-manager-webhook, app: webhook, component: webhook, ports: {https: 443, metrics: 9402}}
  - {kind: MutatingWebhookConfiguration, name: cert-manager-webhook, call: {name: webhook.cert-manager.io, service: cert-manager-webhook, group: cert-manager.io}}
  - {kind: ValidatingWebhookConfiguration, name: cert-manager-webhook, call: {name: webhook.cert-manager.io, service: cert-manager-webhook, group: cert-manager.io}}
  {{- if .Values.prometheus.servicemonitor.enabled }}
  - {kind: ServiceMonitor, name: cert-manager, port: http-metrics, labels: {{ toJson .Values.prometheus.servicemonitor.labels }}}
  {{- end }}
  {{- if .Values.startupapicheck.enabled }}
  {{- $hook := "hook: post-install, hookDelete: \"before-hook-creation,hook-succeeded\"" }}
  - {kind: ServiceAccount, name: cert-manager-startupapicheck, hookWeight: -5, {{ $hook }}}
  - {kind: Role, name: "cert-manager-startupapicheck:create-cert", hookWeight: -5, {{ $hook }}}
  - {kind: RoleBinding, name: "cert-manager-startupapicheck:create-cert", serviceAccount: cert-manager-startupapicheck, hookWeight: -5, {{ $hook }}}
  {{- end }}
workloads:
  - kind: Deployment
    name: cert-manager
    app: cert-manager
    component: controller
    serviceAccount: cert-manager
    replicas: {{ .Values.replicaCount }}
    nodeSelector: {{ toJson .Values.nodeSelector }}
    tolerations: {{ toJson .Values.tolerations }}
    securityContext: {{ toJson $podSecurity }}
    containers:
      - name: cert-manager-controller
        image: {{ $image }}-controller:{{ .Chart.AppVersion }}
        ports: {http-metrics: 9402}
        resources: {{ toJson .Values.resources }}
        securityContext: {{ toJson $security }}
  {{- range $name := list "cainjector" "webhook" }}
  {{- $values := get $.Values $name }}
  - kind: Deployment
    name: cert-manager-{{ $name }}
    app: {{ $name }}
    component: {{ $name }}
    serviceAccount: cert-manager-{{ $name }}
    replicas: {{ $values.replicaCount }}
    nodeSelector: {{ toJson $values.nodeSelector }}
    tolerations: {{ toJson $values.tolerations }}
    securityContext: {{ toJson $podSecurity }}
    containers:
      - name: cert-manager-{{ $name }}
        image: {{ $image }}-{{ $name }}:{{ $.Chart.AppVersion }}
        ports: {{ eq $name "webhook" | ternary "{https: 10250, metrics: 9402}" "{http-metrics: 9402}" }}
        resources: {{ toJson $values.resources }}
        securityContext: {{ toJson $security }}
  {{- end }}
  {{- if .Values.startupapicheck.enabled }}
  - kind: Job
    name: cert-manager-startupapicheck
    app: startupapicheck
    component: startupapicheck
    hook: post-install
    hookWeight: 1
    hookDelete: before-hook-creation,hook-succeeded
    backoffLimit: {{ .Values.startupapicheck.backoffLimit }}
    restartPolicy: OnFailure
    serviceAccount: cert-manager-startupapicheck
    nodeSelector: {{ toJson .Values.startupapicheck.nodeSelector }}
    tolerations: {{ toJson .Values.startupapicheck.tolerations }}
    pullSecrets: {{ toJson .Values.global.imagePullSecrets }}
    securityContext: {{ toJson $podSecurity }}
    containers:
      - name: cert-manager-startupapicheck
        image: {{ $image }}-startupapicheck:{{ .Chart.AppVersion }}
        args: [check, api, --wait=1m]
        resources: {{ toJson .Values.startupapicheck.resources }}
        securityContext: {{ toJson $security }}
  {{- end }}
{{- end -}}

{{- define "cert-manager.crds" -}}
{{- $status := "subresources: {status: {}}" -}}
- {group: acme.cert-manager.io, kind: Challenge, plural: challenges, version: v1, categories: [cert-manager, cert-manager-acme], {{ $status }}}
- {group: acme.cert-manager.io, kind: Order, plural: orders, version: v1, categories: [cert-manager, cert-manager-acme], {{ $status }}}
- {group: cert-manager.io, kind: CertificateRequest, plural: certificaterequests, version: v1, shortNames: [cr, crs], categories: [cert-manager], {{ $status }}}
- {group: cert-manager.io, kind: Certificate, plural: certificates, version: v1, shortNames: [cert, certs], categories: [cert-manager], {{ $status }}}
- {group: cert-manager.io, kind: ClusterIssuer, plural: clusterissuers, version: v1, scope: Cluster, shortNames: [ciss], categories: [cert-manager], {{ $status }}}
- {group: cert-manager.io, kind: Issuer, plural: issuers, version: v1, shortNames: [iss], categories: [cert-manager], {{ $status }}}
{{- end -}}
