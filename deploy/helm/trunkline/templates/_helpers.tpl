{{- define "trunkline.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "trunkline.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "trunkline.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "trunkline.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "trunkline.selector" -}}
app.kubernetes.io/name: {{ include "trunkline.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- /* Labels of everything; the component is the gateway unless a template says another. */ -}}
{{- define "trunkline.labels" -}}
{{ include "trunkline.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: trunkline
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "trunkline.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "trunkline.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "trunkline.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "trunkline.atLeast" -}}
{{- if semverCompare (printf ">=%s-0" (index . 1)) (index . 0).Capabilities.KubeVersion.Version -}}yes{{- end -}}
{{- end -}}

{{- /* ValidatingAdmissionPolicy, from Kubernetes 1.30. */ -}}
{{- define "trunkline.hasAdmission" -}}
{{- if and (include "trunkline.atLeast" (list . "1.30.0")) (.Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy") -}}yes{{- end -}}
{{- end -}}

{{- define "trunkline.tlsSecret" -}}
{{- default (printf "%s-tls" (include "trunkline.fullname" .)) .Values.tls.existingSecret -}}
{{- end -}}

{{- define "trunkline.replicasSecret" -}}
{{- default (printf "%s-replicas" (include "trunkline.fullname" .)) .Values.replicaSet.existingSecret -}}
{{- end -}}

{{- define "trunkline.peersService" -}}{{ include "trunkline.fullname" . }}-peers{{- end -}}

{{- define "trunkline.serviceHost" -}}
{{- printf "%s.%s.svc.%s" (include "trunkline.fullname" .) .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{- /* Gateways that know each other: not in a sidecar, which has one application and no Service. */ -}}
{{- define "trunkline.hasPeers" -}}
{{- if and .Values.replicaSet.enabled (ne .Values.mode "sidecar") -}}yes{{- end -}}
{{- end -}}

{{- define "trunkline.hasCertificate" -}}
{{- if and (ne .Values.mode "sidecar") (has .Values.tls.mode (list "allow" "require")) -}}yes{{- end -}}
{{- end -}}

{{- define "trunkline.peersPort" -}}
{{- if .Values.proxyProtocol.trustedSources -}}{{ .Values.replicaSet.port }}{{- else -}}{{ .Values.ports.postgres }}{{- end -}}
{{- end -}}

{{- /* Worker threads: as many as CPUs are asked for, at least two. Without this it would be the node's cores. */ -}}
{{- define "trunkline.workers" -}}
{{- $cpu := toString (default "2" (dig "requests" "cpu" "" .Values.resources)) -}}
{{- if hasSuffix "m" $cpu -}}
{{- max 2 (ceil (divf (float64 (trimSuffix "m" $cpu)) 1000)) | int -}}
{{- else -}}
{{- max 2 (ceil (float64 $cpu)) | int -}}
{{- end -}}
{{- end -}}

{{- define "trunkline.grace" -}}
{{- $least := add .Values.drain.delaySeconds .Values.drain.graceSeconds .Values.preStop.sleepSeconds -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add $least 15 -}}
{{- else if le (int .Values.terminationGracePeriodSeconds) (int $least) -}}
{{- fail (printf "terminationGracePeriodSeconds must exceed drain.delaySeconds + drain.graceSeconds + preStop.sleepSeconds, %d: else sessions are cut" $least) -}}
{{- else -}}
{{- .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{- /* What is wrong with values, said before anything is made. */ -}}
{{- define "trunkline.check" -}}
{{- $objects := .Values.kubernetes.objects -}}
{{- if and (not $objects.enabled) (or (empty .Values.config.routes) (empty .Values.config.upstreams)) -}}
{{- fail "config.routes and config.upstreams say where clients are carried to, unless kubernetes.objects does; docs/kubernetes.md has an example" -}}
{{- end -}}
{{- if and (eq .Values.mode "sidecar") (include "trunkline.usesApi" .) -}}
{{- fail "a sidecar has its application's ServiceAccount: bind what it needs there, and leave kubernetes and rbac out" -}}
{{- end -}}
{{- range $namespace, $names := $objects.secrets -}}
{{- if not (or (has "*" $objects.namespaces) (has $namespace (default (list $.Release.Namespace) $objects.namespaces))) -}}
{{- fail (printf "kubernetes.objects.secrets.%s is of no use: objects of that namespace do not count (kubernetes.objects.namespaces)" $namespace) -}}
{{- end -}}
{{- end -}}
{{- $t := .Values.tls -}}
{{- if and (include "trunkline.hasCertificate" .) (not (or $t.existingSecret $t.certManager.enabled $t.generate)) -}}
{{- fail (printf "tls.mode %s needs a certificate: tls.existingSecret, tls.certManager.enabled or, for trying out, tls.generate" $t.mode) -}}
{{- end -}}
{{- if and $t.certManager.enabled (not $t.certManager.issuerRef.name) -}}
{{- fail "tls.certManager.issuerRef names the issuer: {name: ..., kind: Issuer or ClusterIssuer}" -}}
{{- end -}}
{{- if and .Values.preStop.sleepSeconds (not (include "trunkline.atLeast" (list . "1.30.0"))) -}}
{{- fail "preStop.sleepSeconds needs Kubernetes 1.30; drain.delaySeconds does the same everywhere" -}}
{{- end -}}
{{- if and .Values.test.enabled (or (empty .Values.test.user) (empty .Values.test.passwordSecret.name)) -}}
{{- fail "test.user and test.passwordSecret.name say how `helm test` logs in" -}}
{{- end -}}
{{- end -}}
