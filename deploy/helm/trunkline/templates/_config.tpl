{{- /* trunkline.yaml: what the chart knows, and over it whatever .Values.config says. */ -}}
{{- define "trunkline.listenerTls" -}}
mode: {{ .Values.tls.mode }}
{{- if include "trunkline.hasCertificate" . }}
certificates: [{certFile: /run/secrets/trunkline-tls/tls.crt, keyFile: /run/secrets/trunkline-tls/tls.key}]
{{- end }}
{{- end -}}

{{- define "trunkline.listeners" -}}
{{- if eq .Values.mode "sidecar" }}
listeners:
  - name: main
    address: 127.0.0.1:{{ .Values.ports.postgres }}
    tls: {mode: disable}
{{- else }}
listeners:
  - name: main
    address: "{{ .Values.ports.host }}:{{ .Values.ports.postgres }}"
    tls: {{- include "trunkline.listenerTls" . | nindent 6 }}
    {{- with .Values.proxyProtocol.trustedSources }}
    proxyProtocol: {trustedSources: {{ toJson . }}}
  - name: peers
    address: "{{ $.Values.ports.host }}:{{ $.Values.replicaSet.port }}"
    tls: {{- include "trunkline.listenerTls" $ | nindent 6 }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "trunkline.defaults" -}}
{{ include "trunkline.listeners" . }}
admin:
  address: 127.0.0.1:9630
  status: "{{ .Values.ports.host }}:{{ .Values.ports.status }}"
drain:
  delay: {{ if eq .Values.mode "sidecar" }}0{{ else }}{{ .Values.drain.delaySeconds }}s{{ end }}
  grace: {{ .Values.drain.graceSeconds }}s
workers: {{ include "trunkline.workers" . }}
{{- if include "trunkline.keepsObjects" . }}
kubernetes:
  gateway: {{ include "trunkline.fullname" . }}
  namespace: {{ .Release.Namespace }}
  {{- with .Values.kubernetes.objects }}
  {{- if .enabled }}
  objects:
    namespaces: {{ default (list $.Release.Namespace) .namespaces | toJson }}
    {{- with .selector }}
    selector: {{ quote . }}
    {{- end }}
  {{- end }}
  {{- end }}
  requests: {{ .Values.kubernetes.requests }}
  events: {{ .Values.kubernetes.events }}
{{- end }}
{{- if include "trunkline.hasPeers" . }}
replicas:
  keyFile: /run/secrets/trunkline-replicas/replicas.key
  peers:
    dns:
      name: {{ include "trunkline.peersService" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}.
      port: {{ include "trunkline.peersPort" . }}
  {{- with .Values.replicaSet.tls }}
  tls: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "trunkline.config" -}}
{{- $all := mergeOverwrite (include "trunkline.defaults" . | fromYaml) (deepCopy .Values.config) -}}
{{- range list "routes" "upstreams" -}}{{- if empty (get $all .) -}}{{- $_ := unset $all . -}}{{- end -}}{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{- /* Everything else is read again while the gateway runs, so that a change of it replaces no pod. */ -}}
{{- define "trunkline.startOnly" -}}
{{- $all := include "trunkline.config" . | fromYaml -}}
{{- dict "workers" $all.workers "store" (dig "access" "store" "" $all) | toJson | sha256sum -}}
{{- end -}}
