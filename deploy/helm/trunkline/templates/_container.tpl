{{- /* The gateway's container, the same in every mode. */ -}}
{{- define "trunkline.container" -}}
name: trunkline
image: {{ include "trunkline.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- if eq .Values.mode "sidecar" }}
restartPolicy: Always    # a native sidecar (Kubernetes 1.29): ready before the application starts, there until it has ended
{{- end }}
args:
  - serve
  - -c
  - /etc/trunkline/trunkline.yaml
  - --log-format
  - json
  {{- with .Values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnv }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - {name: tcp-postgres, containerPort: {{ .Values.ports.postgres }}, protocol: TCP}
  {{- if and .Values.proxyProtocol.trustedSources (ne .Values.mode "sidecar") }}
  - {name: tcp-peers, containerPort: {{ .Values.replicaSet.port }}, protocol: TCP}
  {{- end }}
  - {name: http-status, containerPort: {{ .Values.ports.status }}, protocol: TCP}
# Ready: configured, listening, not draining. Not "the database is up": else all would leave the Service in a failover.
startupProbe:
  httpGet: {path: /readyz, port: http-status}
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: http-status}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
# Alive: the loops turn.
livenessProbe:
  httpGet: {path: /healthz, port: http-status}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- if .Values.preStop.sleepSeconds }}
lifecycle:
  preStop: {sleep: {seconds: {{ .Values.preStop.sleepSeconds }}}}
{{- end }}
{{- with .Values.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .Values.securityContext | nindent 2 }}
{{- if eq .Values.mode "sidecar" }}
  runAsNonRoot: true
  runAsUser: {{ .Values.podSecurityContext.runAsUser }}
  seccompProfile: {type: RuntimeDefault}
{{- end }}
volumeMounts:
  - {name: trunkline-config, mountPath: /etc/trunkline, readOnly: true}
  - {name: trunkline-state, mountPath: /var/lib/trunkline}
  {{- if include "trunkline.hasCertificate" . }}
  - {name: trunkline-tls, mountPath: /run/secrets/trunkline-tls, readOnly: true}
  {{- end }}
  {{- if include "trunkline.hasPeers" . }}
  - {name: trunkline-replicas, mountPath: /run/secrets/trunkline-replicas, readOnly: true}
  {{- end }}
  {{- range .Values.secretMounts }}
  - {name: trunkline-secret-{{ .name }}, mountPath: /run/secrets/trunkline/{{ .name }}, readOnly: true}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* The group of a pod's volumes (fsGroup) is the chart's to set, but not where the pod is somebody else's. */ -}}
{{- define "trunkline.secretMode" -}}
{{- if eq .Values.mode "sidecar" -}}0444{{- else -}}0440{{- end -}}
{{- end -}}

{{- /* Whole folders, never subPath: a folder follows its ConfigMap or Secret while the pod runs. */ -}}
{{- define "trunkline.volumes" -}}
- name: trunkline-config
  configMap: {name: {{ include "trunkline.fullname" . }}}
- name: trunkline-state
  {{- toYaml .Values.state | nindent 2 }}
{{- if include "trunkline.hasCertificate" . }}
- name: trunkline-tls
  secret: {secretName: {{ include "trunkline.tlsSecret" . }}, defaultMode: {{ include "trunkline.secretMode" . }}}
{{- end }}
{{- if include "trunkline.hasPeers" . }}
- name: trunkline-replicas
  secret: {secretName: {{ include "trunkline.replicasSecret" . }}, defaultMode: {{ include "trunkline.secretMode" . }}}
{{- end }}
{{- range .Values.secretMounts }}
- name: trunkline-secret-{{ .name }}
  secret: {secretName: {{ default .name .secretName }}, defaultMode: {{ include "trunkline.secretMode" $ }}{{ if .optional }}, optional: true{{ end }}}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "trunkline.podAnnotations" -}}
{{- if ne .Values.mode "sidecar" }}
kubectl.kubernetes.io/default-container: trunkline
{{- end }}
checksum/start-only: {{ include "trunkline.startOnly" . }}
config.linkerd.io/opaque-ports: {{ list .Values.ports.postgres (include "trunkline.peersPort" . | int) | uniq | join "," | quote }}
{{- with .Values.mesh.linkerd.skipOutboundPorts }}
config.linkerd.io/skip-outbound-ports: {{ . | quote }}
{{- end }}
{{- if .Values.mesh.istio.enabled }}
proxy.istio.io/config: {{ dict "holdApplicationUntilProxyStarts" true "terminationDrainDuration" (printf "%ss" (include "trunkline.grace" .)) | toJson | quote }}
{{- end }}
{{- with .Values.mesh.istio.excludeOutboundPorts }}
traffic.sidecar.istio.io/excludeOutboundPorts: {{ . | quote }}
{{- end }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The pod of a Deployment or a DaemonSet. */ -}}
{{- define "trunkline.podTemplate" -}}
metadata:
  labels:
    {{- include "trunkline.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations: {{- include "trunkline.podAnnotations" . | nindent 4 }}
spec:
  serviceAccountName: {{ include "trunkline.serviceAccountName" . }}
  automountServiceAccountToken: {{ eq (include "trunkline.usesApi" .) "yes" }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "trunkline.grace" . }}
  securityContext: {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  containers:
    - {{- include "trunkline.container" . | nindent 6 }}
  volumes: {{- include "trunkline.volumes" . | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.affinity }}
  affinity: {{- toYaml .Values.affinity | nindent 4 }}
  {{- else if eq .Values.mode "deployment" }}
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector: {matchLabels: {{ include "trunkline.selector" . | fromYaml | toJson }}}
  {{- end }}
  {{- if .Values.topologySpreadConstraints }}
  topologySpreadConstraints: {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
  {{- else if eq .Values.mode "deployment" }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector: {matchLabels: {{ include "trunkline.selector" $ | fromYaml | toJson }}}
      {{- if include "trunkline.atLeast" (list $ "1.27.0") }}
      matchLabelKeys: [pod-template-hash]      # the old pods of a rollout do not count
      {{- end }}
    {{- end }}
  {{- end }}
{{- end -}}
